"""What a user fetches: facts shown first, checked contents, nothing damaged left behind, nothing fetched unasked."""

import hashlib
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from checks import error_of
from click.testing import CliRunner

from aseqdip_lite import load_case, load_image
from aseqdip_lite.cli.commands import main
from aseqdip_lite.images import Image, KSpace, Sinogram, catalogue, everything, fetch

CONTENT = bytes(range(256)) * 300


def facts(**changes):
    return dict(task="ct", role="result", what="a thing", licence="CC0", origin="here", citation="Nobody, 2000",
                source="fetch", file="thing.bin", url="https://example.org/thing.bin", bytes=len(CONTENT),
                sha256=hashlib.sha256(CONTENT).hexdigest()) | changes


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder, a registry that holds "thing" alone, and no ASEQDIP_DATA."""
    monkeypatch.setattr(fetch, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(fetch, "everything", lambda: dict(thing=facts()))
    monkeypatch.delenv("ASEQDIP_DATA", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def registered(cache, monkeypatch):
    """registered(**changes): "thing" with other facts."""
    return lambda **changes: monkeypatch.setattr(fetch, "everything", lambda: dict(thing=facts(**changes)))


@pytest.fixture
def server(registered, monkeypatch):
    """server(answer): "thing" comes by http from this machine, as `answer(handler)` writes it; returns the requests."""
    started, asked = [], []

    def serve(answer):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                answer(self)

            def log_message(self, *_):
                pass

        started.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=started[-1].serve_forever, daemon=True).start()
        monkeypatch.setattr(fetch, "SCHEME", "http")
        registered(url=f"http://127.0.0.1:{started[-1].server_port}/thing.bin")
        return asked

    yield serve
    for one in started:
        one.shutdown()
        one.server_close()


def sends(content, status=200, length=True, **headers):
    """An answer of the given bytes; the length is announced (True), not announced (False) or announced as a number."""
    def answer(handler):
        handler.send_response(status)
        if length is not False:
            handler.send_header("Content-Length", str(len(content) if length is True else length))
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)
    return answer


def files(folder):
    return sorted(file.name for file in folder.iterdir()) if folder.exists() else []


def aseqdip(*args, **kwargs):
    return CliRunner().invoke(main, list(args), **kwargs)


# The registry.

def test_every_data_set_has_its_facts():
    for name, entry in fetch.registry().items():
        for key in ("task", "role", "what", "licence", "citation", "origin", "file"):
            assert entry[key], f"{name} lacks {key}"
        assert len(entry["sha256"]) == 64 and 0 < entry["bytes"] < 4e6
        assert (entry["url"] or entry["page"]).startswith("https://")
        assert name not in catalogue() and os.path.basename(entry["file"]) == entry["file"]
    page = (Path(__file__).parent.parent / "data" / "README.md").read_text(encoding="utf-8")
    for entry in fetch.registry().values():
        assert entry["sha256"] in page and f"`{entry['file']}` | {entry['bytes']} | {entry['licence']}" in page
    assert {"brain-real-8x", "tooth", "chest-1", "chest-2", "chest-3", "chest-4"} == set(fetch.registry())


@pytest.mark.parametrize("name", [name for name, entry in everything().items() if entry["source"] == "fetch"])
def test_registered_files_are_what_the_registry_says(fetched, name):
    path = fetched(name)
    assert fetch.find(name) == path
    image = load_image(name)
    entry = fetch.registry()[name]
    assert isinstance(image, KSpace if entry["task"] == "mri" else Sinogram if name == "tooth" else Image)
    assert image.name == ("tooth[1]" if name == "tooth" else name)


def test_chest_slices_bring_their_pixel_size_and_are_resampled(fetched):
    with np.load(fetched("chest-2"), allow_pickle=False) as stored:
        spacing, hu = stored["pixel_spacing_mm"], stored["hu"]
    image = load_image("chest-2")
    assert image.spacing_mm == pytest.approx(spacing[0]) and image.shipped
    np.testing.assert_allclose(image.array, np.maximum(1 + hu / 1000, 0), atol=1e-6)
    assert load_case("ct", "chest-2", profile="smoke").truth.shape == (64, 64)


# What is here.

def test_a_file_is_found_in_the_named_folder_first_and_then_in_the_cache(cache, tmp_path, monkeypatch):
    assert fetch.find("thing") is None
    cache.mkdir()
    (cache / "thing.bin").write_bytes(CONTENT)
    assert fetch.find("thing") == cache / "thing.bin"
    brought = tmp_path / "brought"
    brought.mkdir()
    monkeypatch.setenv("ASEQDIP_DATA", str(brought))
    assert fetch.find("thing") == cache / "thing.bin"
    (brought / "thing.bin").write_bytes(CONTENT)
    assert fetch.find("thing") == brought / "thing.bin" == fetch.fetch("thing")


@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT + b"x", b"", CONTENT[:-1] + b"x"])
def test_another_file_of_that_name_is_refused_and_left_alone(cache, content):
    cache.mkdir()
    path = cache / "thing.bin"
    path.write_bytes(content)
    words = (f"{path} is damaged or not the registered thing (size or sha256 differ): delete it or move "
             "it away, and fetch it again")
    assert error_of(lambda: fetch.find("thing")) == error_of(lambda: fetch.fetch("thing")) == words
    assert path.read_bytes() == content


def test_the_named_folder_must_be_one(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("ASEQDIP_DATA", str(tmp_path / "nowhere"))
    assert error_of(lambda: fetch.find("thing")) == (f"ASEQDIP_DATA names {tmp_path / 'nowhere'}, which is not a "
                                                     "folder: correct it or unset it")


def test_names_are_checked(cache):
    assert error_of(lambda: fetch.fetch("thign")) == "unknown data set 'thign': did you mean 'thing'? known: thing"


@pytest.mark.parametrize("name, words", [
    ("brain-real-8x", "brain-real-8x is not on this machine: aseqdip fetch brain-real-8x"),
    ("tooth", "tooth is not on this machine: aseqdip fetch tooth"),
    ("chest-1", "chest-1 is not on this machine: no server offers this very file, so bring your own: download a "
                "series of the collection as DICOM from https://doi.org/10.7937/TCIA.BBAG-2923 and use --image FOLDER; "
                "ct_A002304_19001231-076_hu_int16.npz itself is taken from the folder that ASEQDIP_DATA names")])
def test_an_image_that_is_not_here_says_how_it_comes_here(tmp_path, monkeypatch, name, words):
    monkeypatch.setattr(fetch, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr("requests.get", lambda *_, **__: pytest.fail("fetched without being asked"))
    monkeypatch.delenv("ASEQDIP_DATA", raising=False)
    assert error_of(lambda: load_image(name)) == words


def test_what_has_no_slices_says_so(fetched):
    fetched("brain-real-8x")
    assert error_of(lambda: load_image("brain-real-8x", slice_index=1)).startswith("brain-real-8x has no slices")


# Fetching.

@pytest.mark.parametrize("length", [True, False])
def test_a_file_is_fetched_once(server, cache, length):
    asked = server(sends(CONTENT, length=length))
    path = fetch.fetch("thing")
    assert path == cache / "thing.bin" and path.read_bytes() == CONTENT
    assert fetch.fetch("thing") == path and asked == ["/thing.bin"] and files(cache) == ["thing.bin"]


@pytest.mark.parametrize("answer, words", [
    (sends(CONTENT[:-1] + b"x"), "another file was sent, its sha256 is not the registered; nothing was kept"),
    (sends(CONTENT + b"x"), "more than the registered 76800 bytes were sent; nothing was kept"),
    (sends(CONTENT + b"x", length=False), "more than the registered 76800 bytes were sent; nothing was kept"),
    (sends(CONTENT[:70000]), "cut short, 70000 of 76800 bytes were sent; nothing was kept"),
    (sends(CONTENT[:70000], length=False), "cut short, 70000 of 76800 bytes were sent; nothing was kept"),
    (sends(b""), "cut short, 0 of 76800 bytes were sent; nothing was kept"),
    (sends(b"no", status=404), "the server answered 404 Not Found; nothing was kept"),
    (sends(b"", status=302, Location="/thing.bin"), "the server answered 302 Found; nothing was kept"),
])
def test_a_wrong_answer_leaves_nothing_behind(server, cache, answer, words):
    server(answer)
    assert error_of(lambda: fetch.fetch("thing")) == f"thing could not be fetched from 127.0.0.1: {words}"
    assert files(cache) == []


def test_a_connection_that_breaks_off_leaves_nothing_behind(server, cache):
    server(sends(CONTENT[:40000], length=len(CONTENT)))
    message = error_of(lambda: fetch.fetch("thing"))
    assert message.startswith("thing could not be fetched from 127.0.0.1 (ChunkedEncodingError): is this machine ")
    assert files(cache) == []


def test_an_endless_answer_is_cut_off(server, cache):
    def answer(handler):
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(bytes(2**16))
        except OSError:
            pass

    server(answer)
    assert "more than the registered 76800 bytes were sent" in error_of(lambda: fetch.fetch("thing"))
    assert files(cache) == []


def test_offline(registered, cache):
    registered(url="https://127.0.0.1:1/thing.bin")
    assert error_of(lambda: fetch.fetch("thing")) == (
        "thing could not be fetched from 127.0.0.1 (ConnectionError): is this machine online? thing.bin is also sought "
        "in the folder that ASEQDIP_DATA names")
    assert files(cache) == []


@pytest.mark.parametrize("url", ["http://example.org/thing.bin", "ftp://example.org/thing.bin", "file:///etc/passwd",
                                 "sftp://example.org/thing.bin"])
def test_https_alone_is_used(registered, cache, url):
    registered(url=url)
    assert error_of(lambda: fetch.fetch("thing")) == f"thing cannot be fetched from {url}: only https is used"
    assert files(cache) == []


# The command.

def test_the_command_shows_the_facts_before_it_asks_and_fetches_after_a_yes(server, cache):
    asked = server(sends(CONTENT))
    for answer in ("n\n", "\n", ""):
        refused = aseqdip("fetch", "thing", input=answer)
        assert refused.exit_code == 130 and refused.stderr == "aseqdip: stopped\n" and asked == []
        for words in ("a thing", "0.1 MB (76800 bytes)", "CC0", "Nobody, 2000", "here", "http://127.0.0.1:",
                      hashlib.sha256(CONTENT).hexdigest(), f"Fetch it into {cache}?"):
            assert words in refused.stdout
    assert files(cache) == []
    agreed = aseqdip("fetch", "thing", input="y\n")
    assert agreed.exit_code == 0 and len(asked) == 1
    assert agreed.stdout.endswith(f"here: {cache / 'thing.bin'}\nnext: aseqdip run ct --image thing\n")
    again = aseqdip("fetch", "thing")
    assert again.exit_code == 0 and len(asked) == 1 and "Fetch it" not in again.stdout


def test_yes_skips_the_question(server, cache):
    server(sends(CONTENT))
    result = aseqdip("fetch", "thing", "--yes")
    assert result.exit_code == 0 and "Fetch it" not in result.stdout and files(cache) == ["thing.bin"]


def test_a_file_to_bring_is_explained_not_fetched(registered, cache):
    registered(url=None, page="https://example.org/collection")
    result = aseqdip("fetch", "thing")
    assert result.exit_code == 2 and "https://example.org/collection" in result.stdout
    assert result.stderr.startswith("aseqdip: thing cannot be fetched: no server offers this very file, so bring ")


def test_commands_that_do_not_fetch_import_neither_pooch_nor_requests():
    code = ("import sys, aseqdip_lite; from aseqdip_lite.cli.commands import main\ntry: main(['fetch', '--help'])\n"
            "except SystemExit: assert not {'pooch', 'requests', 'numpy', 'torch'} & set(sys.modules)\n"
            "from aseqdip_lite import load_image; load_image('brain-070'); assert 'pooch' not in sys.modules")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
