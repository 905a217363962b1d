"""Facts about the images that have a name: where they come from, who may use them, what for."""

import json
from pathlib import Path

#: Arrays and the catalogue that ship inside the package.
DATA = Path(__file__).resolve().parents[1] / "data"


def everything():
    """Facts about all images that have a name: {name: {"task", "role", "what", "origin", "licence", "citation", ...}}.

    "source" and "key" say where the pixels come from: an array of colin27.npz ("npz"), a file of
    the pydicom or of the scikit-image wheel ("pydicom", "skimage"), a function of `phantoms`
    ("generated"), or a file that a user fetches ("fetch", see `fetch.registry`).
    """
    return json.loads((DATA / "catalogue.json").read_text(encoding="utf-8"))


def catalogue():
    """Facts about the shipped images, as in `everything`."""
    return {name: facts for name, facts in everything().items() if facts["source"] != "fetch"}
