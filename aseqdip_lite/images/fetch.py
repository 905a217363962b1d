"""Facts about the images that have a name, and the files among them that a user fetches; only `fetch` uses the network.

A registered file has a known size, sha256, licence and citation. It is looked for under its name in the folder that the
environment variable ASEQDIP_DATA names, which is only read, and then in the cache folder, to which `fetch` alone
writes. It counts as here if size and sha256 are those of the registry; a file is never unpickled.
"""

import json
import os
from pathlib import Path
from urllib.parse import urlsplit

from ..settings import InputError, nearest

DATA = Path(__file__).resolve().parents[1] / "data"  #: arrays and the catalogue that ship inside the package
FOLDER = "ASEQDIP_DATA"  #: environment variable that names a folder of files that were fetched or brought otherwise
SCHEME = "https"  #: the only kind of url that is fetched from; redirections are not followed
PATIENCE = 30  #: seconds without an answer after which a server counts as out of reach


def everything():
    """Facts about all images that have a name: {name: {"task", "role", "what", "origin", "licence", "citation", ...}}.

    "source" and "key" say where the pixels come from: an array of colin27.npz ("npz"), a file of the pydicom or of the
    scikit-image wheel ("pydicom", "skimage"), a function of `phantoms` ("generated"), or a file to fetch ("fetch").
    """
    return json.loads((DATA / "catalogue.json").read_text(encoding="utf-8"))


def catalogue():
    """Facts about the shipped images, as in `everything`."""
    return {name: facts for name, facts in everything().items() if facts["source"] != "fetch"}


def registry():
    """Facts about the files that a user fetches: {name: {"file", "url", "page", "bytes", "sha256", "licence", ...}}.

    "url" is None for a file that no server offers as it is: a user brings it (`how`).
    """
    return {name: facts for name, facts in everything().items() if facts["source"] == "fetch"}


def cache_folder():
    """The folder of this user's cache that `fetch` writes to, e.g. ~/.cache/aseqdip-lite; None without a home."""
    import pooch  # takes a tenth of a second

    try:
        return pooch.os_cache("aseqdip-lite")
    except RuntimeError:  # neither HOME nor an entry of this user in the system's list
        return None


def find(name):
    """Path of a registered file on this machine, or None if it is not here.

    InputError for an unknown name, a file of that name with other contents, or ASEQDIP_DATA is no folder.
    """
    facts = _facts(name)
    folders = [cache_folder()]
    if os.environ.get(FOLDER):
        folders.insert(0, Path(os.environ[FOLDER]))
        if not folders[0].is_dir():
            raise InputError(f"{FOLDER} names {folders[0]}, which is not a folder: correct it or unset it")
    files = [folder / facts["file"] for folder in folders if folder is not None]
    path = next((file for file in files if file.is_file()), None)
    if path is not None and not _is_registered(path, facts):
        raise InputError(f"{path} is damaged or not the registered {name} (size or sha256 differ): "
                         "delete it or move it away, and fetch it again")
    return path


def require(name):
    """Path of a registered file; InputError with the command that fetches it if it is not here."""
    path = find(name)
    if path is None:
        raise InputError(f"{name} is not on this machine: {how(name)}")
    return path


def how(name):
    """How a user comes by a registered file, in one line."""
    facts = _facts(name)
    if facts["url"] is not None:
        return f"aseqdip fetch {name}"
    return (f"no server offers this very file, so bring your own: download a series of the collection as DICOM from "
            f"{facts['page']} and use --image FOLDER; {facts['file']} itself is taken from the folder that {FOLDER} "
            "names")


def describe(name):
    """Rows (title, text) of facts to read before a file is fetched: size, licence, citation, url, ..."""
    facts = _facts(name)
    return [("name", name), ("what", facts["what"]), ("size", f"{megabytes(facts)} ({facts['bytes']} bytes)"),
            ("licence", facts["licence"]), ("cite", facts["citation"]), ("origin", facts["origin"]),
            ("from", facts["url"] or facts["page"]), ("sha256", facts["sha256"])]


def megabytes(facts):
    """Size of a registered file in words, e.g. "2.6 MB"."""
    return f"{facts['bytes'] / 1e6:.1f} MB"


def fetch(name):
    """Download a registered file into the cache folder and return its path; one that is here is not fetched again.

    A temporary file takes its place once its size and sha256 are found right, and is deleted otherwise.

    Raises:
        InputError: unknown name, no url, not https, no network, an answer other than the file, too
            large or cut short, or contents that are not the registered ones.
        OSError: the cache folder cannot be written to.
    """
    facts, path = _facts(name), find(name)
    if path is not None:
        return path
    if facts["url"] is None:
        raise InputError(f"{name} cannot be fetched: {how(name)}")
    address = urlsplit(facts["url"])
    if address.scheme != SCHEME:
        raise InputError(f"{name} cannot be fetched from {facts['url']}: only {SCHEME} is used")
    if cache_folder() is None:
        raise InputError("this user has no home folder, so no cache to fetch into: set XDG_CACHE_HOME to a folder")

    import pooch
    from requests import RequestException

    def download(url, temporary, _):
        _download(url, temporary, facts["bytes"])

    pooch.get_logger().setLevel("WARNING")  # it would tell of each download a second time
    try:
        path = pooch.retrieve(facts["url"], f"sha256:{facts['sha256']}", fname=facts["file"], path=cache_folder(),
                              downloader=download)
    except RequestException as error:
        raise InputError(f"{name} could not be fetched from {address.hostname} ({type(error).__name__}): is this "
                         f"machine online? {facts['file']} is also sought in the folder that {FOLDER} names") from None
    except ValueError as error:  # ours on what was sent, or pooch's on the sha256
        fault = error if isinstance(error, InputError) else "another file was sent, its sha256 is not the registered"
        raise InputError(f"{name} could not be fetched from {address.hostname}: {fault}; nothing was kept") from None
    return Path(path)


def _download(url, path, size):
    """Write what a url holds to a file, in pieces; InputError unless it is exactly `size` bytes."""
    import requests

    with (requests.get(url, stream=True, timeout=PATIENCE, allow_redirects=False) as answer,
          open(path, "wb") as file):
        if answer.status_code != requests.codes.ok:
            raise InputError(f"the server answered {answer.status_code} {answer.reason}")
        received = 0
        for piece in answer.iter_content(2**16):
            received += len(piece)
            if received > size:
                raise InputError(f"more than the registered {size} bytes were sent")
            file.write(piece)
        if received < size:
            raise InputError(f"cut short, {received} of {size} bytes were sent")


def _is_registered(path, facts):
    import pooch

    try:
        return path.stat().st_size == facts["bytes"] and pooch.file_hash(path) == facts["sha256"]
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None


def _facts(name):
    if name in catalogue():
        raise InputError(f"{name} ships with the package, there is nothing to fetch: use it with --image {name}")
    return registry()[nearest(name, registry(), "data set")]
