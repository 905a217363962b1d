"""Names of the panel's sliders for screen readers.

The front end of ipywidgets gives the handle of a slider the role of one but no name, and Python cannot set
one. A script does, where the front end runs scripts (JupyterLab does); elsewhere nothing is lost.
"""

import ipywidgets as widgets

#: Each handle is called after the label of its slider, or after that of the box beside it. `element` is where
#: JupyterLab shows the script's output; the panel around it may be put into the page a moment later.
SCRIPT = """
const named = panel => {
  for (const handle of panel.querySelectorAll('.noUi-handle:not([aria-label])')) {
    const label = row => handle.closest(row)?.querySelector('.widget-label')?.textContent;
    const name = label('.widget-slider') || label('.widget-hbox') + ', decades';
    handle.setAttribute('aria-label', name);
  }
};
const begin = tries => {
  const panel = element.closest('.aseqdip-panel');
  if (panel) {
    named(panel);
    new MutationObserver(() => named(panel)).observe(panel, {childList: true, subtree: true});
  } else if (tries) setTimeout(begin, 100, tries - 1);
};
begin(100);
"""


def slider_names():
    """A widget without a look that runs `SCRIPT`, to be put into a container of the class "aseqdip-panel"."""
    script = {"output_type": "display_data", "data": {"application/javascript": SCRIPT}, "metadata": {}}
    return widgets.Output(outputs=(script,), layout=widgets.Layout(height="0", margin="0", overflow="hidden"))
