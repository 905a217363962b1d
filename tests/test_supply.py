"""What an installation brings, under which licences; and that `aseqdip lab` answers this machine and a token alone."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

import licences
import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def default():
    return licences.groups()["default"]


def rows():
    """{section: {package: (version, licence)}} of the page."""
    found = {}
    for line in licences.PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            found[line] = section = {}
        elif line.startswith("| ") and not line.startswith("| package"):
            name, version, licence, _ = (cell.strip() for cell in line.strip("|").split(" | "))
            section[licences.normal(name)] = version, licence
    return found


def test_nothing_of_the_default_installation_is_under_the_gpl(default):
    assert len(default) > 40 and {"torch", "numpy", "joblib", "ipywidgets"} <= set(default)
    named = {name: licences.licence(one) for name, one in default.items()}
    assert not {name: found for name, found in named.items() if licences.COPYLEFT.search(found)}
    assert "not stated" not in named.values()


def test_the_page_lists_the_default_installation_with_its_licences(default):
    page = next(section for title, section in rows().items() if title.startswith("## The default installation"))
    assert set(default) <= set(page)
    assert {name: licences.licence(one) for name, one in default.items()} == {
        name: page[name][1] for name in default}


def test_the_pages_versions_are_those_of_the_constraints():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    exact = {licences.normal(name): version for name, version in re.findall(r"^(\S+)==(\S+)$", "\n".join(lines), re.M)}
    listed = {name: version for section in rows().values() for name, (version, _) in section.items()}
    assert len(listed) > 150
    assert {name: version for name, version in listed.items() if exact.get(name, version) != version} == {}


def test_a_licence_is_read_from_wherever_a_package_states_it():
    class Package:
        def __init__(self, **facts):
            import email.message
            self.metadata = email.message.Message()
            for name, value in facts.items():
                self.metadata[name.replace("_", "-")] = value

    gpl = "License :: OSI Approved :: GNU General Public License v3 (GPLv3)"
    for found, package in (("MIT", Package(License_Expression="MIT", Classifier=gpl)),
                           ("GNU General Public License v3 (GPLv3)", Package(License="see text", Classifier=gpl)),
                           ("BSD 3-Clause", Package(License="BSD 3-Clause\n\nCopyright")), ("not stated", Package())):
        assert licences.licence(package) == found
        assert bool(licences.COPYLEFT.search(found)) == found.startswith("GNU")


def answer(address):
    """HTTP status of an address, 0 if nobody answers."""
    try:
        with urllib.request.urlopen(address, timeout=5) as reply:
            return reply.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/net")
def test_lab_answers_on_loopback_alone_asks_for_a_token_and_ends_with_its_parent(tmp_path):
    """The command itself, with a user who has no settings of Jupyter and so has the course's."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    homes = dict.fromkeys(("HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"), str(tmp_path))
    plain = {name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")}
    command = [sys.executable, "-m", "aseqdip_lite", "lab", "--no-browser", "--port", str(port)]
    parent = ["sh", "-c", '"$0" "$@" & wait', *command]
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # a HUP that is ignored, as under nohup, is handed on
    process = subprocess.Popen(parent, cwd=tmp_path, env=plain | homes | dict(PYTHONPATH=str(ROOT)),
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    signal.signal(signal.SIGHUP, before)
    try:
        address, end = f"http://127.0.0.1:{port}/api/contents", time.monotonic() + 120
        while not (status := answer(address)) and time.monotonic() < end:
            assert process.poll() is None
            time.sleep(0.2)
        assert status == 403
        assert answer(f"{address}?token=guess") == 403
        server, = (json.loads(file.read_text()) for file in tmp_path.glob("jpserver-*.json"))
        assert len(server["token"]) >= 32 and answer(f"{address}?token={server['token']}") == 200
        assert listening(port) == {"0100007F"}  # 127.0.0.1
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/lab/api/settings?token={server['token']}") as reply:
            settings = json.load(reply)["settings"]
        news, = (one["schema"]["properties"]["fetchNews"]["default"] for one in settings
                 if one["id"] == "@jupyterlab/apputils-extension:notification")
        assert news == "false"
        process.kill()
        while listening(port) and time.monotonic() < end:
            time.sleep(0.1)
        assert not listening(port), "it outlives its parent"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # the parent and the server, where they are left
        process.wait()


def listening(port):
    """Addresses, in the kernel's hexadecimal form, on which something listens on a port; of IPv4 and IPv6."""
    tables = [Path(f"/proc/net/{name}") for name in ("tcp", "tcp6")]
    lines = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    places = [line[1].split(":") for line in lines if line[3] == "0A"]  # 0A is LISTEN
    return {address for address, number in places if int(number, 16) == port}
