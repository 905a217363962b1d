"""The CT slices of a DICOM file or folder: what the file says of each, and their order along the scanner's axis."""

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from ..settings import InputError
from . import headers as tags
from .headers import check_texts, is_dicom, keyword_of, read_header

MOST_FILES = 4096  #: most files looked at in a folder
MOST_FRAMES = 65536  #: most frames of a file
MOST_SLICES = 16384  #: most slices whose places are compared
MOST_HEADERS = 512 * 2**20  #: most bytes of all headers of a folder
MOST_FOLDER, EACH = 2**19, 2**10  #: most reads of all its headers, and how many more each file of slices may take
#: The functional groups of an enhanced multi-frame file that tell the order of its frames, and what their values mean.
GROUPS = ("PixelMeasuresSequence", "PlanePositionSequence", "PlaneOrientationSequence", "FrameContentSequence",
          "CTReconstructionSequence", "CTXRayDetailsSequence", "CardiacSynchronizationSequence",
          "TemporalPositionSequence")
VALUES = ("PixelValueTransformationSequence",)


@dataclass(frozen=True)
class Slice:
    """A frame of a file: its number there, `get(keyword)` of what holds for it, and its own functional groups, if any.

    The `VALUES` among its groups, which its place does not need, are left to be read.
    """

    file: Path
    frame: int
    facts: object
    own: object = None


def slices_of_file(file, header):
    """A `Slice` for each frame; of an enhanced file with its functional groups, its own above the shared ones."""
    frames = int(header.get("NumberOfFrames") or 1)
    if not 0 < frames <= MOST_FRAMES:
        raise InputError(f"NumberOfFrames is {frames}: 1 to {MOST_FRAMES} are accepted")
    if frames > MOST_SLICES and "PerFrameFunctionalGroupsSequence" in header:
        raise InputError(f"holds {frames} frames, at most {MOST_SLICES} are put in order: save the slice alone")
    groups = header.get("PerFrameFunctionalGroupsSequence")
    if not groups:
        return [Slice(file, frame, header) for frame in range(frames)]
    if len(groups) != frames:
        raise InputError(f"holds {frames} frames but functional groups of {len(groups)}: it is damaged")
    base = looked_at(header)
    for group in (header.get("SharedFunctionalGroupsSequence") or ())[:1]:
        base |= of_groups(group, GROUPS + VALUES)
    return [Slice(file, frame, base | of_groups(own, GROUPS), own) for frame, own in enumerate(groups)]


def looked_at(data):
    """{keyword: value} of a pydicom dataset, of the tags that are looked at here; sequences of others may be long."""
    return {keyword: data[element.tag].value for element in check_texts(data).values()
            if (keyword := keyword_of(element.tag)) in tags.USED}


def of_groups(group, names):
    """The same of some functional groups of a frame."""
    found = {}
    for name in names:
        for item in (group.get(name) or ())[:1]:
            found |= looked_at(item)
    return found


def slices_of_folder(folder):
    """(slices, notes): the CT slices of the one series in a folder, by the names of the files."""
    files = sorted(file for file in folder.iterdir() if file.is_file())
    if len(files) > MOST_FILES:
        raise InputError(f"holds {len(files)} files, at most {MOST_FILES} are looked at")
    slices, others, series, spent = [], 0, set(), Counter()
    for number, file in enumerate(files):
        if (spent["reads"] > MOST_FOLDER + EACH * spent["files"] or spent["size"] > MOST_HEADERS
                or len(slices) > MOST_SLICES):
            raise InputError(f"the headers of its first {number} files, of {len(files)}, are as much as is looked at: "
                             "keep the slices of one series alone in it, or name one file")
        if not is_dicom(file, spent):
            continue
        try:
            header = read_header(file, stop_before_pixels=True, spent=spent)
        except InputError as error:
            raise InputError(f"{file.name}: {error}".replace(f"{file.name}: {file.name}", file.name, 1)) from None
        if header.get("Modality") != "CT":
            continue
        kind = str(getattr(header.get("SOPClassUID"), "name", ""))
        if ("Rows" in header and header.get("SamplesPerPixel", 1) == 1 and "Secondary Capture" not in kind
                and not is_localizer(header)):
            spent["files"] += 1
            slices += slices_of_file(file, header)
            series.add(tuple(_text(header, name) for name in tags.SERIES))
        else:
            others += 1
    if not slices:
        deeper = any(file.is_dir() for file in folder.iterdir())
        raise InputError("holds no CT slice in DICOM format" + (": name the subfolder of the slices" if deeper else ""))
    if len(series) > 1:
        raise InputError(f"holds slices of {len(series)} series: keep one series per folder")
    return slices, ((f"{others} localizers, secondary captures or reports were passed over",) if others else ())


def in_order(slices):
    """(slices, notes): sorted along their normal, else by their numbers; InputError where they are not one scan."""
    if len({id(one.facts) for one in slices}) == 1:  # frames of one file without groups of their own
        return slices, ()
    for name in tags.ALIKE:
        if len(found := {_text(one.facts, name) for one in slices}) > 1:
            raise InputError(f"its slices differ in {name} ({_few(found)}): keep those of one kind")
    kinds, places = zip(*(_place(one) for one in slices), strict=True)
    if len(set(kinds)) > 1:
        raise InputError(f"{sum(kind != tags.PLACE for kind in kinds)} of its {len(kinds)} slices have no "
                         f"{tags.PLACE}, so their order is not known: remove them")
    if kinds[0] == "frame" and len({one.file for one in slices}) > 1:
        raise InputError(f"neither {tags.PLACE}, SliceLocation nor {tags.NUMBER} tells the order of its files: name "
                         "one of them")
    for name in tags.SCANS:
        groups = {}
        for one, place in zip(slices, places, strict=True):
            groups.setdefault(_text(one.facts, name), []).append(place)
        ranges = sorted((min(group), max(group)) for group in groups.values())
        mixed = any(later[0] <= earlier[1] for earlier, later in pairwise(ranges))
        if mixed or (kinds[0] == tags.NUMBER and 1 < len(groups) < len(slices)):
            raise InputError(f"holds {len(groups)} scans of the same places, told apart by {name} ({_few(groups)}): "
                             "keep one of them")
    order = sorted(range(len(slices)), key=places.__getitem__)
    for i, k in pairwise(order):
        if places[k] - places[i] < 1e-3:
            one, other = slices[i], slices[k]
            apart = [name for name in tags.TIMES if _text(one.facts, name) != _text(other.facts, name)]
            raise InputError(f"{one.file.name} and {other.file.name} hold the same place, {kinds[0]} {places[k]:g}"
                             + (f", and differ in {apart[0]}" if apart else "") + ": keep one of them")
    notes = (f"no {tags.PLACE}: slices are in the order of {tags.NUMBER}",) if kinds[0] == tags.NUMBER else ()
    return [slices[k] for k in order], notes


def is_localizer(header):
    """Whether it is a view from the side, on which slices are planned."""
    return "LOCALIZER" in (header.get("ImageType") or ())


def _place(one):
    """What tells a slice's place, and that place: position along the normal or location in mm, number, or frame."""
    frames = int(one.facts.get("NumberOfFrames") or 1)
    position, orientation = (one.facts.get(name) for name in (tags.PLACE, "ImageOrientationPatient"))
    if position and orientation and (frames == 1 or one.own is not None):
        across, down = np.reshape(np.array(orientation, dtype=float), (2, 3))
        return tags.PLACE, float(np.cross(across, down) @ np.array(position, dtype=float))
    for name in ("SliceLocation", tags.NUMBER) if frames == 1 else ():
        if one.facts.get(name) not in (None, ""):
            return name, float(one.facts.get(name))
    return "frame", float(one.frame)


def _text(facts, name):
    """A tag's value as text, "" where there is none; lengths and cosines without the digits of rounding."""
    value = facts.get(name)
    if name in ("ImageOrientationPatient", "PixelSpacing") and value:
        return " ".join(f"{float(number) + 0.0:.3f}" for number in value).replace("-0.000", "0.000")
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _few(values):
    """The first of some values in words."""
    return ", ".join(value[:40] or "none" for value in sorted(values)[:3]) + (", ..." if len(values) > 3 else "")
