"""Structured attacks on DICOM files and on checkpoints; see `attacks`."""

import io
import zipfile
import zlib

import numpy as np
import pydicom
import torch
from attacks import H, W, attack, bomb, odd, power, progressive, written
from PIL import Image as Picture

ITEM, END, END_ITEM = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0\0\0\0\0", b"\xfe\xff\x0d\xe0\0\0\0\0"
NO_LENGTH = b"\xff\xff\xff\xff"


def ct(**tags):
    """A CT slice, as a pydicom dataset."""
    data = pydicom.Dataset()
    facts = dict(Modality="CT", SeriesInstanceUID="1.2", SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2",
                 Rows=H, Columns=W, BitsAllocated=16, BitsStored=16, HighBit=15, PixelRepresentation=0, RescaleSlope=1,
                 RescaleIntercept=-1024, PixelData=np.random.default_rng(0).integers(0, 3000, (H, W), "u2").tobytes())
    for name, value in (facts | tags).items():
        setattr(data, name, value)
    return data


def stored(data, syntax=pydicom.uid.ExplicitVRLittleEndian, extra=b""):
    """The bytes of a DICOM file, with more before its pixels."""
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID, data.file_meta.MediaStorageSOPClassUID = syntax, "1.2.840.10008.5.1.4.1.1.2"
    data.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    file = written(lambda buffer: pydicom.dcmwrite(buffer, data, enforce_file_format=True))
    place = file.rfind(b"\xe0\x7f\x10\x00O")
    return file[:place] + extra + file[place:]


@attack("DICOM deflated", ".dcm")
def deflated(rng, path):
    file = stored(ct(), pydicom.uid.DeflatedExplicitVRLittleEndian)
    start = 144 + int.from_bytes(file[140:144], "little")
    if rng.random() < 0.3:
        return file[:start] + bomb(rng, b"")
    element = b"\x09\0\x10\0OB\0\0" + odd(rng).to_bytes(4, "little")
    inner = stored(ct(), extra=element)[start - 2:]
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(inner[:int(rng.integers(len(inner)))]) + packer.flush(zlib.Z_FULL_FLUSH)
    return file[:start] + packed + bomb(rng, b"")


@attack("DICOM sequences", ".dcm")
def sequences(rng, path):
    tag = [b"\x08\0\x40\x11", b"\x09\0\x10\x10", b"\x28\0\x00\x30", b"\0\x52\x30\x92"][rng.integers(4)]
    many, head = power(rng, 0, 16), tag + b"SQ\0\0"
    body = {0: (head + NO_LENGTH + ITEM + NO_LENGTH) * many,
            1: head + NO_LENGTH + (ITEM + b"\0\0\0\0") * 4 * many + END,
            2: head + (8 * many).to_bytes(4, "little") + (ITEM + b"\0\0\0\0") * many,
            3: (head + NO_LENGTH + ITEM + NO_LENGTH) * (many % 400) + (END_ITEM + END) * (many % 400),
            4: head + odd(rng).to_bytes(4, "little") + ITEM + odd(rng).to_bytes(4, "little")}[int(rng.integers(5))]
    return stored(ct(NumberOfFrames=int(rng.choice([1, 1, many]))), extra=body)


@attack("DICOM tags", ".dcm")
def tags(rng, path):
    many = power(rng, 0, 17)
    kind = rng.integers(5)
    if kind == 0:
        body = b"".join((0x1000 + k // 2**15 * 2 + 1).to_bytes(2, "little") + (k % 2**15 * 2).to_bytes(2, "little")
                        + b"SH\0\0" for k in range(many))
    elif kind == 1:
        body = b"\x09\0\x10\x10UN\0\0" + (16 * many).to_bytes(4, "little") + bytes(16 * many)
    elif kind == 2:
        bits = int(rng.choice([1, 8, 16, 32, 3]))
        return stored(ct(Rows=odd(rng) % 2**16, Columns=odd(rng) % 2**16, BitsAllocated=bits))
    elif kind == 3:
        return stored(ct(NumberOfFrames=odd(rng) % 2**31, SamplesPerPixel=int(rng.integers(5))))
    else:
        text = b"1\\" * (many // 2)
        tag = [b"\x20\0\x32\0UT\0\0", b"\x28\0\x52\x10UT\0\0", b"\x08\0\x08\0UT\0\0"][rng.integers(3)]
        body = tag + len(text).to_bytes(4, "little") + text
    return stored(ct(), extra=body)


@attack("DICOM compressed", ".dcm")
def compressed(rng, path):
    uid = pydicom.uid
    kind = rng.integers(4)
    if kind == 0:  # RLE that goes on
        segment = [b"\x81\0", b"\x80", b"\0\1"][rng.integers(3)] * power(rng, 0, 21)
        starts = [64, min(64 + len(segment) // int(rng.integers(1, 4)), odd(rng))] + [0] * 13
        frame = np.array([int(rng.choice([1, 2, 15, odd(rng)])), *starts], "<u4").tobytes() + segment
        syntax = uid.RLELossless
    else:
        start, last = progressive(int(rng.choice([16, 512, 2048])))
        frame, syntax = start + (last + b"\0") * power(rng, 0, 15) + b"\xff\xd9", uid.JPEGBaseline8Bit
        if kind == 1:
            side = int(rng.choice([H, 2000, 9000]))
            frame = written(lambda b: Picture.new("L", (side, side)).save(b, "jpeg"))
    cut = max(1, len(frame) // power(rng, 0, 16 if len(frame) < 2**18 else 8))
    pieces = [frame[k:k + cut] for k in range(0, len(frame), cut)]
    pieces = [piece + b"\0" * (len(piece) % 2) for piece in pieces] + [b""] * (power(rng, 0, 15) if kind == 3 else 0)
    data = ITEM + b"\0\0\0\0" + b"".join(ITEM + len(piece).to_bytes(4, "little") + piece for piece in pieces) + END
    bits = int(rng.choice([8, 16]))
    made = ct(BitsAllocated=bits, BitsStored=bits, HighBit=bits - 1, PixelData=data,
              NumberOfFrames=int(rng.choice([1, 1, 2, 60000])))
    if rng.random() < 0.1:
        made.Rows = made.Columns = int(rng.choice([16, 512, 2048]))
    made["PixelData"].is_undefined_length = True
    return stored(made, syntax)


@attack("DICOM folder", "")
def folder(rng, path):
    path.mkdir()
    for number in range(int(rng.integers(1, 5))):
        build = [deflated, sequences, tags, compressed][rng.integers(4)]
        (path / f"{number}.dcm").write_bytes(build(rng, path))


# ---------------------------------------------------------------- checkpoints

def strange(rng, value):
    """A value of another kind, shape or size than the right one."""
    tensor = value if isinstance(value, torch.Tensor) else torch.ones(4)
    flat = torch.zeros(1)
    nested = []
    for _ in range(power(rng, 0, 9)):
        nested = [nested]
    choices = [None, True, -1, 2**70, float("nan"), float("inf"), "x" * power(rng, 0, 16), [], {}, nested, (1, 2),
               [value], {"a": value}, tensor.double(), tensor.half(), tensor.to(torch.complex64),
               tensor[..., :1].clone(), tensor[None], tensor.flatten(), tensor * float("nan"), tensor.bool(),
               torch.empty(tensor.shape, device="meta"), flat.expand(power(rng, 0, 40)), flat.expand(tensor.shape),
               torch.zeros(0), tensor.float().to_sparse(), torch.tensor(odd(rng)), torch.nn.Parameter(tensor.float()),
               torch.quantize_per_tensor(tensor.abs().float(), 0.1, 0, torch.quint8),
               torch.nested.nested_tensor([flat, flat])]
    return choices[rng.integers(len(choices))]


def spoil(rng, state):
    """A copy of a nested state with one of its parts replaced, removed or added."""
    keys = list(state) if isinstance(state, dict) else list(range(len(state)))
    key = keys[rng.integers(len(keys))]
    part, copy = state[key], state.copy()
    if isinstance(part, (dict, list)) and part and rng.random() < 0.8:
        copy[key] = spoil(rng, part)
    elif rng.random() < 0.1:
        del copy[key]
    elif rng.random() < 0.1 and isinstance(copy, dict):
        copy[str(rng.integers(9))] = strange(rng, part)
    else:
        copy[key] = strange(rng, part)
    return copy


def attacks_on(kind, suffix, loader, good):
    """List attacks on the fields and on the archive of a good file of torch.save, given as bytes."""
    state = torch.load(io.BytesIO(good), weights_only=True)

    @attack(f"{kind} fields", suffix, loader)
    def fields(rng, path):
        return written(lambda b: torch.save(spoil(rng, state), b, _use_new_zipfile_serialization=rng.random() < 0.9))

    @attack(f"{kind} archive", suffix, loader)
    def archive(rng, path):
        def write(buffer):
            method = zipfile.ZIP_STORED if rng.random() < 0.7 else zipfile.ZIP_DEFLATED
            with zipfile.ZipFile(io.BytesIO(good)) as old, zipfile.ZipFile(buffer, "w", method) as new:
                names = old.namelist()
                chosen = names[rng.integers(len(names))]
                for name in names:
                    data = old.read(name)
                    if name == chosen:  # a storage smaller or larger than its tensor, a pickle cut off
                        data = [data[:len(data) // 2], data + bytes(power(rng, 0, 24)), b"", data * 2][rng.integers(4)]
                    new.writestr(name, data)
                for number in range(power(rng, 0, 12) if rng.random() < 0.1 else 0):
                    new.writestr(f"archive/data/{number + 900}", b"")
        data = bytearray(written(write))
        central = data.find(b"PK\1\2")
        if rng.random() < 0.4:
            place = central + int(rng.choice([8, 10, 20, 24, 38, 42]))
            data[place:place + 2] = (odd(rng) % 2**16).to_bytes(2, "little")
        return bytes(data)
