"""What a run returns: images, curve, metrics with provenance; saved, shown as a table or a picture."""

import csv
import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..case import Case, as_gray, to_array
from ..files import to_bytes, to_json, write_together
from ..settings import InputError
from .recorder import ANSWERS
from .stopping import StopReason

SHOWN = ("start", "final", "blind", "oracle")  #: the answers whose `psnr` and `ssim` every run's metrics have

#: Files that not every run has: one of an earlier run in the same folder would be taken for this one's.
OPTIONAL = ("blend.png", "blend.npy", "deviation.png", "deviation.npy", "raw.npy", "overview.png",
            "iterates.gif")
FILES = ("recon.png", "recon.npy", "curve.csv", "metrics.json", *OPTIONAL)  #: all that a run may write


@dataclass(frozen=True)
class Result:
    """A finished or stopped run.

    Attributes:
        case: what was solved.
        images: the answers (1, C, H, W) in the units of y, see `Recorder`; None if unknown.
        curve: {column: list}, one row per step.
        metrics: what metrics.json contains: "answers", see `Recorder.answers`; "psnr" and "ssim" of `SHOWN` again, each
            {answer: number or None}; settings and provenance.
        deviation: standard deviation of each pixel of the final image, as `Case.array` gives images, of methods that
            sample; else None.
    """

    case: Case
    images: dict
    curve: dict
    metrics: dict
    deviation: np.ndarray | None = None

    @classmethod
    def of(cls, recorder, method, *, seed, steps, stop_reason, seconds, budget, stretches):
        """Collect a recorder's findings and the run's provenance: that of its last stretch, and of all if there are
        several. `budget`: the steps that were asked for."""
        case = recorder.case
        made = {name: value for name, value in stretches[-1].items() if name != "first"} if stretches else {}
        if len(stretches) > 1:
            made |= dict(stretches=stretches)
        images = recorder.images | dict(final=recorder.images["start"] if recorder.images["final"] is None
                                        else recorder.images["final"], blend=recorder.blend)
        answers = recorder.answers()
        if not method.budget:  # a classic method makes no steps, so no rule picks one
            answers = {name: answers[name] | dict(step=None) for name in SHOWN if name in answers}
        metrics = dict(task=case.task, method=method.name, image=case.image, settings=case.settings | method.to_dict(),
                       seed=seed, data_seed=case.seed, steps=steps, gradients=steps * method.gradients or None,
                       stop_reason=str(stop_reason), seconds=round(seconds, 3), data_range=case.data_range,
                       notes=[*case.notes, *method.remarks(case.observation, budget)], **shown(answers), **made,
                       answers=answers)
        deviation = recorder.deviation
        return cls(case, images, recorder.curve, metrics,
                   None if deviation is None else to_array(deviation, case.observation.scale))

    @property
    def answer(self):
        """The image a user takes home: the final one, or the blind pick if early stopping ended the run."""
        return self.images["blind" if self.stop_reason is StopReason.EARLY else "final"]

    @property
    def stop_reason(self):
        """Why the run ended, a `StopReason`."""
        return StopReason(self.metrics["stop_reason"])

    def save(self, out, pictures=()):
        """Write recon.png, recon.npy, curve.csv and metrics.json into the folder `out`: all of them, or none.

        Where there is a blend, also blend.png and blend.npy, and where there is a deviation, deviation.npy and
        deviation.png, white at its largest value; where known pixels are pasted (`Case.paste`), raw.npy, the answer
        without; and `pictures`, {name: bytes}; those of an earlier run go. metrics.json has the sha256 of each other
        file under "digests", see `read_saved`. Returns the names of all that is written.

        Raises:
            InputError: they cannot be written; those of an earlier run are then as they were.
        """
        rows = zip(*self.curve.values(), strict=True)
        table = "\n".join([",".join(self.curve), *(",".join(map(repr, row)) for row in rows)]) + "\n"
        files = self.files("recon", self.answer) | {"curve.csv": table.encode()}
        if self.images["blend"] is not None:
            files |= self.files("blend", self.images["blend"])
        if self.deviation is not None:
            files |= encoded("deviation", self.deviation, self.deviation, (0.0, float(self.deviation.max()) or 1.0))
        if self.case.paste:
            files["raw.npy"] = as_npy(self.case.raw(self.answer))
        files |= dict(pictures)
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        files["metrics.json"] = to_json(self.metrics | dict(digests=digests)).encode()
        try:
            write_together(out, files, remove=sorted(set(OPTIONAL) - set(files)))
        except OSError as error:
            raise InputError(f"cannot write the result to {out}: {error.strerror or error}; nothing there was changed; "
                             "make room and continue (run: with --resume), or choose another folder") from None
        return list(files)

    def files(self, name, image):
        """An image as {"NAME.png": the displayed one, "NAME.npy": its numbers}, as bytes."""
        return encoded(name, self.case.display(image), self.case.array(image), self.case.window)

    def plot(self):
        """Pictures of start, answer and truth with their errors; returns a matplotlib Figure."""
        from .plots import plot_result
        return plot_result(self)

    def __str__(self):
        return summary(self.metrics)


def read_saved(folder):
    """(metrics, recon, curve) of a saved result: dictionary, array in physical units, list of rows {column: text}.

    InputError if a file is missing or damaged, or is not the one that metrics.json was written with.
    """
    folder = Path(folder)
    try:
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        files = {name: (folder / name).read_bytes() for name in ("recon.npy", "curve.csv")}
        mixed = [name for name, content in files.items()
                 if metrics.get("digests", {}).get(name) not in (None, hashlib.sha256(content).hexdigest())]
        if mixed:
            raise ValueError(f"{mixed[0]} is not of the run that metrics.json tells of")
        recon = np.load(io.BytesIO(files["recon.npy"]), allow_pickle=False)
        return metrics, recon, list(csv.DictReader(files["curve.csv"].decode().splitlines()))
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{folder} contains no valid result ({error}): make it again") from None


def shown(answers):
    """{"psnr", "ssim": {answer of `SHOWN`: number, or None where there is none}}."""
    return {score: {name: answers.get(name, {}).get(score) for name in SHOWN} for score in ("psnr", "ssim")}


def answer(row, name, value):
    """A value of an answer in metrics, or in a row with `answers`; None where it is unknown."""
    return row["answers"].get(name, {}).get(value)


def summary(metrics):
    """The scores of a metrics dictionary as a small table for people; the data residual where no truth is known."""
    known = answer(metrics, "start", "psnr") is not None
    blend = answer(metrics, "blend", "psnr") is not None
    columns = [name for name in ANSWERS if name in SHOWN or name == "blend" and blend]
    rows = [("PSNR (dB)", "psnr", 2), ("SSIM", "ssim", 4)] if known else [("||A x - y|| / ||y||", "data_residual", 4)]
    if answer(metrics, "start", "heldout_residual") is not None:
        rows.append(("the same, held out", "heldout_residual", 4))
    width = max(len(label) for label, _, _ in rows) + 1
    steps = f"{metrics['steps']} steps in " if metrics["gradients"] else ""  # a classic method makes none
    lines = [f"{metrics['task']} {metrics['method']} on {metrics['image']}: {steps}"
             f"{metrics['seconds']:.1f} s ({metrics['stop_reason']})",
             "".join([" " * width, *(f"{name:>9}" for name in columns)])]
    for label, key, digits in rows:
        cells = (answer(metrics, name, key) for name in columns)
        lines.append("".join([f"{label:{width}}", *(f"{'-' if c is None else f'{c:.{digits}f}':>9}" for c in cells)]))
    reason, at = StopReason(metrics["stop_reason"]), answer(metrics, "final", "step")
    if at and at != answer(metrics, "last", "step") and not reason.is_fault:
        noise = answer(metrics, "discrepancy", "step")
        why = (f"After step {noise} the data term is below the expected energy of the noise" if noise else
               "The run ends in a dip, its data term is more than 5 % above its least")
        lines.append(f"{why}: final is of step {at}.")
    return "\n".join(lines + [reason.told(metrics["settings"])] * reason.is_fault)


def encoded(name, shown, array, window):
    """{"NAME.png": an 8 bit PNG of a displayed image, see `as_gray`, "NAME.npy": an array}, as bytes."""
    from PIL import Image as Picture

    picture = Picture.fromarray(as_gray(shown, window))
    return {f"{name}.png": to_bytes(lambda buffer: picture.save(buffer, format="png")), f"{name}.npy": as_npy(array)}


def as_npy(array):
    """An array as the bytes of an .npy file."""
    return to_bytes(lambda buffer: np.save(buffer, array, allow_pickle=False))
