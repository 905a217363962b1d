"""Files of trained weights: one .npz each in the package's data, and weights.json, which says what each one is."""

import hashlib
import io
import json
import zipfile

import numpy as np
import torch

from ..files import to_bytes, to_json, write_atomically
from ..images import DATA
from ..images.arrays import read_npy
from ..settings import InputError

INDEX = "weights.json"  #: {name: facts} of all files of weights in its folder


def facts(name, folder=DATA):
    """What weights.json says of the weights of a name: "sha256", "bytes", "licence", "command", "trained_on", ...

    InputError if the file is missing or damaged, or does not tell of them.
    """
    try:
        return json.loads((folder / INDEX).read_text(encoding="utf-8"))[name]
    except (OSError, ValueError, LookupError, TypeError):
        raise InputError(f"{folder / INDEX} tells nothing of {name}: install aseqdip-lite again") from None


def compared(trained, unlike):
    """A remark, in a list: what weights were trained on, and after it the texts of what is unlike that in a case."""
    return [trained + (f"; this case is unlike that: {', '.join(unlike)}" if unlike else "")]


def load_weights(network, name, folder=DATA):
    """Give a network the weights of NAME.npz, which must be the file that weights.json tells of; returns the network.

    The size is compared before the file is read, the sha256 before anything is made of it. Nothing is unpickled, and no
    array is allocated before its header was checked. float16 is widened to the network's float32.

    Raises:
        InputError: the file is missing, damaged or another, or its names or shapes are not those of the network.
    """
    path, known, weights = folder / f"{name}.npz", facts(name, folder), {}
    try:
        if (size := path.stat().st_size) != known["bytes"]:
            raise InputError(f"{size} bytes instead of {known['bytes']}")
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != known["sha256"]:
            raise InputError("its sha256 differs")
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            if sorted(members) != sorted(network.state_dict()):
                raise InputError("the names of the weights differ")
            for key, value in network.state_dict().items():
                with archive.open(members[key]) as member:
                    array = read_npy(member, members[key].file_size)
                if array.shape != tuple(value.shape) or array.dtype not in (np.float16, np.float32):
                    raise InputError("the shapes of the weights differ")
                weights[key] = torch.tensor(array, dtype=value.dtype)
    except (EOFError, OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: no weights of {name} ({error}): install aseqdip-lite again, or make them with "
                         f"{known['command']}") from None
    network.load_state_dict(weights)
    return network


def save_weights(network, name, dtype, folder=DATA, **told):
    """Write a network's weights as NAME.npz, in a numpy dtype, and its facts, `told` and its sha256, to weights.json.

    Returns the facts. The bytes depend on the weights alone: no time stands in the archive.
    """
    weights = {key: value.detach().cpu().contiguous().numpy().astype(dtype)
               for key, value in network.state_dict().items()}
    content = to_bytes(lambda buffer: np.savez(buffer, **weights))
    path, index = folder / f"{name}.npz", folder / INDEX
    known = told | dict(numbers=sum(value.size for value in weights.values()), dtype=np.dtype(dtype).name,
                        bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    others = json.loads(index.read_text(encoding="utf-8")) if index.exists() else {}
    write_atomically(path, lambda file: file.write(content))
    write_atomically(index, lambda file: file.write(to_json(others | {name: known}).encode()))
    return known
