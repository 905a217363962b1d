"""Structured attacks on HDF5 files; see `attacks`."""

from contextlib import suppress

import h5py
import numpy as np
from attacks import DEVICES, H, W, attack, bomb, odd, power, written

KSPACE = (2, 3, H, W)


def hdf5(build, **options):
    return written(lambda buffer: _in_hdf5(buffer, build, options))


def _in_hdf5(buffer, build, options):
    with h5py.File(buffer, "w", **options) as file:
        build(file)


def scan(file, left_out=""):
    """Good datasets of a CT scan in Data Exchange and of fastMRI, all but one."""
    arrays = {"exchange/data": np.full((12, 2, 32), 900, np.uint16), "exchange/theta": np.arange(12) * 15.0,
              "exchange/data_white": np.full((2, 2, 32), 1000, np.uint16),
              "exchange/data_dark": np.zeros((2, 2, 32), np.uint16)}
    arrays = arrays if left_out.startswith("exchange") else dict(kspace=np.ones(KSPACE, "c8"), mask=np.ones(W))
    for name, array in arrays.items():
        if name != left_out:
            file[name] = array


def victim(rng):
    """The name of a dataset that is replaced by something bad."""
    return str(rng.choice(["kspace", "mask", "exchange/data", "exchange/data_white", "exchange/theta",
                           "ismrmrd_header", "reconstruction_rss"]))


@attack("HDF5 links", ".h5")
def links(rng, path):
    def build(file):
        name = victim(rng)
        scan(file, name)
        names = ["a", "b", "..", "exchange/x", "kspace/..", name]
        for number in range(int(rng.integers(1, 40))):
            target = "/".join(rng.choice(names, size=power(rng, 0, 10)).tolist())
            link = (h5py.ExternalLink(str(rng.choice(DEVICES)), target) if rng.random() < 0.3
                    else h5py.SoftLink(("/" if rng.random() < 0.5 else "") + target))
            place = str(rng.choice(names)) if number else name
            if place.split("/")[0] not in file or isinstance(file.get(place.split("/")[0], getlink=True), str):
                with suppress(OSError, RuntimeError, ValueError, KeyError):
                    file[place] = link
    return hdf5(build)


@attack("HDF5 groups", ".h5")
def groups(rng, path):
    def build(file):
        inner = file.create_group("entry")
        for number in range(power(rng, 0, 8)):
            inner[f"n{number}\n"] = inner if rng.random() < 0.5 else file
        for number in range(power(rng, 0, 9)):
            file[f"m{number}"] = inner
    return hdf5(build, track_order=bool(rng.integers(2)), userblock_size=int(rng.choice([0, 512, 2048])))


@attack("HDF5 other files", ".h5")
def other_files(rng, path):
    def build(file):
        name = victim(rng)
        scan(file, name)
        shape = KSPACE if name == "kspace" else (12, 2, 32)
        dtype = "c8" if name == "kspace" else "u2"
        if rng.random() < 0.5:
            layout = h5py.VirtualLayout(shape, dtype)
            source = str(rng.choice([".", "missing.h5", *DEVICES]))
            layout[:] = h5py.VirtualSource(source, str(rng.choice([name, "kspace"])), shape=shape)
            file.create_virtual_dataset(name, layout)
        else:
            places = [(str(rng.choice(DEVICES)), int(rng.integers(100)), h5py.h5f.UNLIMITED)] * int(rng.integers(1, 3))
            file.create_dataset(name, shape, dtype, external=places[-1:])
    return hdf5(build)


@attack("HDF5 filters", ".h5")
def filters(rng, path):
    def build(file):
        name = victim(rng)
        scan(file, name)
        dtype = np.dtype("c8" if name == "kspace" else "f4" if rng.random() < 0.5 else "u2")
        axes = dict(kspace=4, mask=1).get(name, 1 if name.endswith("theta") else 3)
        shape = tuple(power(rng, 1, 12 // axes) for _ in range(axes)) if rng.random() < 0.5 else (12, 2, 32)[:axes]
        chunks = tuple(power(rng, 0, 30 // axes) for _ in range(axes)) if rng.random() < 0.3 else shape
        packing = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        packing.set_chunk(chunks)
        for _ in range(int(rng.integers(1, 4))):
            code = int(rng.choice([1, 1, 1, 2, 3, 5, 6, 32000, 32000, 32015, 999]))
            numbers = tuple(odd(rng) for _ in range(rng.integers(6)))
            packing.set_filter(code, h5py.h5z.FLAG_OPTIONAL, numbers or (4,))
        space = h5py.h5s.create_simple(shape, (h5py.h5s.UNLIMITED,) * len(shape))
        made = h5py.h5d.create(file.id, name.encode(), h5py.h5t.py_create(dtype), space, packing,
                               _with_groups())
        packed = bomb(rng) if rng.random() < 0.6 else b"\1\0\0" + b"\xe0\xff\0" * power(rng, 0, 20)
        made.write_direct_chunk((0,) * len(shape), packed, int(rng.integers(2)))
    return hdf5(build)


def _with_groups():
    made = h5py.h5p.create(h5py.h5p.LINK_CREATE)
    made.set_create_intermediate_group(True)
    return made


@attack("HDF5 types", ".h5")
def types(rng, path):
    def build(file):
        name = victim(rng)
        scan(file, name)
        number = power(rng, 0, 6)
        kinds = [np.dtype([("r", "f4"), ("i", "f8")]), h5py.vlen_dtype(np.float32), h5py.string_dtype(), h5py.ref_dtype,
                 h5py.regionref_dtype, h5py.enum_dtype(dict(A=1)), np.dtype("V7"), np.dtype(("f4", (2, 3))),
                 np.dtype(f"S{power(rng, 0, 24)}"), np.dtype("f2"), np.dtype("c32"),
                 h5py.vlen_dtype(h5py.string_dtype())]
        dtype = kinds[rng.integers(len(kinds))]
        shape = [(), (1,), (number,), (12, 2, 32), KSPACE, (2**40, 2, 32), (0, 2, 32)][rng.integers(7)]
        kept = file.create_dataset(name, shape, dtype, chunks=True if np.prod(shape, dtype=float) > 1e6 else None)
        if "exchange/theta" in file:
            with suppress(AttributeError, TypeError):  # h5py does not write all that HDF5 can hold
                file["exchange/theta"].attrs.create("units", np.empty(number, dtype), dtype=dtype)
        file["type"], file["ref"] = dtype, file.ref
        kept.attrs["units"] = [file.ref, kept.regionref[...] if shape else file.ref, h5py.Empty("f")][rng.integers(2)]
    return hdf5(build)
