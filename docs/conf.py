"""Sphinx configuration of the site: scripts/build_site.py (`make site`) collects the pages and calls Sphinx."""

from pathlib import Path

import mathjax
from docstrings import process_docstring, skip_member

import aseqdip_lite

project = "aseqdip-lite"
author = "the authors of aseqdip-lite"
copyright = "the authors. Code BSD-3-Clause, texts CC BY 4.0. For teaching, not for diagnosis"  # noqa: A001  (Sphinx reads this name)
version = release = aseqdip_lite.__version__
language = "en"
smartquotes = False  # options keep their two hyphens

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["notebooks"]  # to download, not to render
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb", ".rst": "restructuredtext"}

nb_execution_mode = "off"  # what is shown is what the notebooks store
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

add_module_names = False
autodoc_typehints = "none"  # the docstrings say shapes and units
autodoc_inherit_docstrings = False  # torch's and click's are written in another markup
napoleon_use_ivar = True

html_theme = "furo"  # search, light and dark
html_title = "aseqdip-lite"
html_favicon = "static/favicon.svg"
# MathJax in one file, without fonts to load: pages ask no other host for anything
html_static_path = ["static", str(Path(mathjax.__path__[0], "static/mathjax/es5/tex-svg.js"))]
mathjax_path = "tex-svg.js"
mathjax3_config = {}  # myst-nb says here which parts of a page hold formulas
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False


def setup(app):
    """Docstrings are plain text; they are turned into reStructuredText before napoleon reads their sections."""
    app.connect("autodoc-process-docstring", process_docstring, priority=400)
    app.connect("autodoc-skip-member", skip_member)
