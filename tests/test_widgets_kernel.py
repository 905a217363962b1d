"""The panel in a Jupyter kernel: buttons pressed by a front end's messages are served between the steps of a run."""

import os
import signal
import time

import pytest

pytest.importorskip("ipykernel", reason="ipykernel is not installed")
client = pytest.importorskip("jupyter_client.manager", reason="jupyter_client is not installed")

SLOW = 120  # seconds that a loaded machine may take to start a kernel and import torch
SETUP = """
from aseqdip_lite.widgets import panel
p = panel("mri", profile="smoke", device="cpu", size=32, coils=2, K=10**6)
names = {name: button.model_id for name, button in p.buttons.items()}
p
"""


@pytest.fixture(scope="module")
def kernel():
    """A client of a fresh kernel of this environment in which the panel `p` is on view."""
    with client.run_kernel(kernel_name="python3") as talk:
        talk.wait_for_ready(timeout=SLOW)
        reply = talk.execute_interactive(SETUP, timeout=SLOW, output_hook=lambda message: None)
        assert reply["content"]["status"] == "ok", reply["content"]
        yield talk


def value(kernel, expression):
    """The value of an expression in the kernel, as text."""
    reply = kernel.execute_interactive("", user_expressions=dict(it=expression), timeout=SLOW,
                                       output_hook=lambda message: None)["content"]["user_expressions"]["it"]
    assert reply["status"] == "ok", reply
    return reply["data"]["text/plain"]


def press(kernel, button):
    """Send what a browser sends when a button is clicked."""
    comm = value(kernel, f"names[{button!r}]").strip("'")
    data = dict(method="custom", content=dict(event="click"))
    kernel.shell_channel.send(kernel.session.msg("comm_msg", dict(comm_id=comm, data=data)))


def test_run_pause_and_stop_are_served_while_other_cells_are(kernel):
    press(kernel, "Run")
    assert value(kernel, "p.state") == "'running'"
    code = "import asyncio\nwhile p.session.steps < 3: await asyncio.sleep(0.01)"  # a cell that waits beside the run
    reply = kernel.execute_interactive(code, timeout=SLOW, output_hook=lambda message: None)
    assert reply["content"]["status"] == "ok", reply["content"]
    press(kernel, "Pause")
    assert value(kernel, "p.state") == "'paused'"
    paused_at = int(value(kernel, "p.session.steps"))
    press(kernel, "Step")
    assert int(value(kernel, "p.session.steps")) == paused_at + 1 >= 4
    press(kernel, "Run")
    press(kernel, "Stop")
    assert value(kernel, "p.state, str(p.session.reason)") == "('done', 'interrupted')"
    assert "Stopped" in value(kernel, "p.message.value")


def test_an_interrupt_of_the_kernel_pauses_a_run(kernel):
    press(kernel, "Run")
    os.kill(int(value(kernel, "__import__('os').getpid()")), signal.SIGINT)
    for _ in range(SLOW):
        if value(kernel, "p.state") == "'paused'":
            break
        time.sleep(1)
    assert "Interrupted" in value(kernel, "p.message.value")
    press(kernel, "Stop")


def test_the_panel_of_a_cell_is_a_widget_with_a_short_text_for_readers_without_widgets(kernel):
    outputs = []
    kernel.execute_interactive("p", timeout=SLOW, output_hook=outputs.append)
    shown = [message["content"]["data"] for message in outputs if "data" in message["content"]]
    assert len(shown) == 1 and "application/vnd.jupyter.widget-view+json" in shown[0]
    assert shown[0]["text/plain"].startswith("Panel(mri, ") and len(shown[0]["text/plain"]) < 120
