"""docs/RELIABILITY.md from aseqdip_lite/results/kill.json, faults.json, fuzz.json, determinism.json and audit.json.

    python scripts/reliability_page.py
"""

import json
from pathlib import Path

from aseqdip_lite.study.tables import markdown_table

ROOT = Path(__file__).parent.parent
RESULTS, PAGE = ROOT / "aseqdip_lite" / "results", ROOT / "docs" / "RELIABILITY.md"

#: Largest spread in dB between numbers of threads that is held to be no difference.
SMALL = 0.05

HEAD = """# Reliability

What happens when something goes wrong, and how it was tried. Made by `python scripts/reliability_page.py` from the
files in `aseqdip_lite/results/`; `make reliability` measures all of it anew, or each section's own target that
section. The tests named here run with `make test`.
"""

KILL = """## Killed processes: `make kill`

A run ({steps} Adam steps, a checkpoint every {checkpoint_every}), or a sweep, which is a comparison of four runs in
two processes, is ended by SIGKILL up to three times at random moments, with all the processes that it started; "write"
is a run that dies after a random number of bytes of a random checkpoint; "study" is eight runs in two processes, each
of which leaves a line in one file. Then it is started again and may finish. Equal means: images, curves and scores are
those of an uninterrupted one, bit for bit, and a study has each line once and has lost none.

"""

DISK = """## A full disk, a read-only folder: `make faults`

On a tmpfs of {mib:g} MiB, filled while the command runs. A run asks for {probe:g} MiB before it begins. A checkpoint
that cannot be written is reported once and tried again at the next one. All files of a result are written before the
first is renamed into place, so that they are all new or all old.

"""

NO_DISK = "No tmpfs could be mounted where this was measured.\n"

DAMAGE = """`tests/test_faults.py` tries the same with a limit on the size of files in place of a tmpfs, and with each
of a result's files as the one that finds no room.

## Damaged checkpoints: `make test`

`tests/test_faults.py` cuts a checkpoint off at 80 lengths, changes a byte in each member of the archive, and takes away
or replaces each part of what it holds. Every one is refused in one line that says what to do, and the file is left as
it was; of 60 faults in the archive's directory those that are not refused change nothing that is read. There is one
checkpoint, not two: it is replaced by renaming a whole file, so a damaged one comes from the disk, and the way out is
to start again. Nothing is unpickled.
"""

FUZZ = """## Hostile files: `make fuzz`

Good files of every kind that is read, cut off, overwritten, with pieces doubled, removed or zeroed, lengths and
shapes blown up, and faults behind the checksums of archives: {cases} files in {minutes:.0f} minutes, each to be loaded
or refused in one line within {limits[seconds]:g} s and {gib:g} GiB. Anything else is a failure. The slowest took
{slowest_seconds} s.

"""

SAME = """## The same numbers again: `make determinism`

aSeqDIP with its default settings on one machine ({hardware}, PyTorch {torch}). With the same seed and the same number
of threads, {equal} of {pairs} pairs of runs gave the same final image bit for bit. The largest difference in PSNR
between 1 and 2 threads at the same of {seeds} seeds, in dB, and for scale that between the seeds, each of which draws
weights and measurements of its own, at the same number of threads:

"""

VERDICT = """
{within} of the {all} between threads are within {small} dB. The number of threads decides the order of additions in two
places of the network: BatchNorm's sums over the pixels, and the weights' gradients of convolutions of one pixel or of
small inputs. Adam turns the rounding of small gradients into whole steps.
"""

FIXED = """### The same numbers with other threads

`aseqdip run --deterministic`, in Python `torch.use_deterministic_algorithms(True)` before the run, fixes the order of
these sums (`aseqdip_lite/networks/layers.py`). {equal} of {pairs} pairs of runs of the same seed with 1 and with 2
threads gave the same final image bit for bit; differences as above:

"""

FIXED_VERDICT = """
{within} of the {all} between threads are within {small} dB. In runs of 40 steps at 64 pixels 4 threads gave the same
bits too, and in runs of 15 steps 1 and 2 threads did for every other method with a U-Net. What it does not hold for:
a number of threads that is no power of two, which shares out complex products otherwise, so that their rounding
changes; `precision` bfloat16; the Deep Decoder; and another processor, which has other convolutions. What a step costs
more is in [PERFORMANCE.md](PERFORMANCE.md), "A step".
"""

CUDA = """### On a GPU

`pytest tests/test_cuda.py` needs one; without it only the part that says what may be replayed runs. On an NVIDIA H200
with PyTorch 2.11 all of it passed: every method on every task, at 32 x 32 pixels, the projector rotation, KernelWizard,
and networks in double precision against a CPU's.

- With `torch.use_deterministic_algorithms(True)` before the run the same seed gives the same bits, and a resumed run
  those of the uninterrupted one. Replayed steps are those of the plain loop, bit for bit.
- Initial weights and all noise are drawn on the CPU. With convolutions in exact float32
  (`torch.backends.cudnn.allow_tf32 = False`) the losses of the first step are those of the CPU to 1 in 10,000. After
  that, PyTorch promises no equality between a CPU and a GPU.
- A checkpoint of a GPU goes on on a CPU, and one of a CPU on a GPU.
- That mode costs nothing on a GPU, see [PERFORMANCE.md](PERFORMANCE.md). Without it the same seed does not promise the
  same bits: cuDNN may choose convolutions, and PyTorch other operations, that add in any order. Upsampling in the
  U-Nets, which did, does not any more (`aseqdip_lite/networks/layers.py`). Where it was tried, MRI, denoising and
  in-painting gave the same bits twice and those of the plain loop; CT with `lite` the same twice, but not those of the
  plain loop; deblurring never the same.
- Older versions of PyTorch ask for the environment variable `CUBLAS_WORKSPACE_CONFIG=:4096:8` besides, set before
  Python starts. It does no harm in newer ones.
- The backward pass of `grid_sample` has no deterministic form: CT with `--projector rotation` stops with an error in
  this mode; `matrix` does not use it. That is read in PyTorch's documentation, not tried.
"""

NUMBERS = """## Numbers that go wrong: `make faults`

- NaN or infinite measurements are refused before the run, by every loader and again by `Observation`.
- `diverged`: a loss or an image is not finite, or the data term is above {bound:,.0f} times its first value.
- `dead network`: more than {dead} outputs in a row have one value at all pixels. Its last normalisation sends
  nothing through the last ReLU, and no gradient comes back.

Either ends the run with that reason; the last good image is kept and saved, and so is the last checkpoint. What
the bounds leave to runs that learn: the largest data term over the first within {steps} steps, over all iterative
methods on all tasks (32 x 32 pixels), and the runs in which an output was constant.

"""

SUPPLY = """
## What is installed: `make licences`

[LICENCES.md](LICENCES.md) lists every package with its licence. `tests/test_supply.py` holds that none of the
default installation is under GPL, AGPL or LGPL, that the page is complete, and that its versions are those of
`constraints.txt`. It also starts `aseqdip lab`, which `make lab` calls: the server listens on 127.0.0.1 alone and
refuses requests without its random token.

Known vulnerabilities: {verdict}.
The tool says "No known vulnerabilities found" even where it could look up nothing, unless `--strict` is given. In an
environment of its own:

    python -m venv audit && audit/bin/pip install pip-audit
    audit/bin/pip-audit --strict --no-deps --disable-pip -r constraints.txt
"""


def stored(name):
    """aseqdip_lite/results/NAME.json, None if it is not there."""
    file = RESULTS / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def missing(title, target):
    """A section that waits for its measurement."""
    return f"## {title}: `make {target}`\n\nNot measured yet.\n"


def killed(report):
    """The section on kill tests."""
    rows = []
    for kind in dict.fromkeys(trial["kind"] for trial in report["trials"]):
        trials = [trial for trial in report["trials"] if trial["kind"] == kind]
        kills = sum(len(trial["kills"]) for trial in trials)
        rows.append([kind, len(trials), kills, sum(trial["equal"] for trial in trials)])
    return KILL.format(**report) + markdown_table(rows, ("what is killed", "trials:", "kills:", "equal:"))


def disk(report):
    """The section on full disks and damaged checkpoints."""
    text, rows = DISK.format(mib=report["tmpfs_bytes"] / 2**20, probe=report["probe_bytes"] / 2**20), []
    for trial in report["disk"]:
        kept = {True: "unchanged", False: "CHANGED", None: ""}[trial.get("unchanged")]
        if "equals_uninterrupted" in trial:
            kept = f"result {'equal to' if trial['equals_uninterrupted'] else 'DIFFERENT FROM'} an uninterrupted run's"
        rows.append([trial["trial"], trial["exit_code"], "<br>".join(trial["stderr"]) or "nothing", kept])
    text += markdown_table(rows, ("trial", "exit code:", "what it says", "earlier files"))
    return text + ("" if report["disk"] else NO_DISK) + "\n" + DAMAGE


def hostile(report):
    """The section on hostile files."""
    text = FUZZ.format(**report, minutes=report["seconds"] / 60, gib=report["limits"]["bytes"] / 2**30)
    rows = [[f"`{kind}`", *(counts.get(name, 0) for name in ("loaded", "refused", "failed"))]
            for kind, counts in report["counts"].items()]
    rows.append(["all", *map(sum, zip(*(counts for _, *counts in rows), strict=True))])
    return text + markdown_table(rows, ("kind", "loaded:", "refused:", "failures:"))


def same_numbers(reports):
    """The section on determinism."""
    report = reports["default"]
    facts = report["provenance"]
    text = SAME.format(**report["same_bits"], hardware=facts["hardware"], torch=facts["versions"]["torch"],
                       seeds=len({run["seed"] for run in report["rows"]}))
    text += spreads(report, VERDICT)
    if "deterministic" in reports:
        fixed = reports["deterministic"]
        text += "\n" + FIXED.format(**fixed["same_bits"]) + spreads(fixed, FIXED_VERDICT)
    return text


def spreads(report, verdict):
    """The table of a mode's differences in dB, and what they say."""
    rows, scores = [], ("peak", "final", "blind")
    for threads, seeds in zip(report["between_threads"], report["between_seeds"], strict=True):
        for between, found in (("threads", threads), ("seeds", seeds)):
            rows.append([found["task"], report["steps"][found["task"]], found["size"], between,
                         *(f"{found[name]:.3f}" for name in scores)])
    values = [found[name] for found in report["between_threads"] for name in scores]
    table = markdown_table(rows, ("task", "steps:", "size:", "between", *(f"{name}:" for name in scores)))
    return table + verdict.format(within=sum(value <= SMALL for value in values), all=len(values), small=SMALL)


def numbers(report):
    """The section on numerical faults."""
    rows = []
    runs = [run | dict(label="default" if run["default"] else f"{run['lr']:g}") for run in report["growth"]]
    for label in dict.fromkeys(run["label"] for run in runs):
        found = [run for run in runs if run["label"] == label]
        rows.append([label, len(found), f"{max(run['growth'] for run in found):.2g}",
                     sum(run["constant"] > 0 for run in found), sum(not run["finite"] for run in found)])
    return NUMBERS.format(**report) + markdown_table(rows, (
        "learning rate", "runs:", "largest growth:", "runs with a constant output:", "not finite:"))


def audited(report):
    """What the search for known vulnerabilities found, in words."""
    looked = report["packages"] - report["skipped"]
    if not looked:
        return (f"not known. On {report['date']} the data of {report['tool']} could not be reached from\nwhere this "
                f"was measured, and all {report['packages']} packages of `constraints.txt` were skipped")
    return f"{report['found']} in {looked} of {report['packages']} packages on {report['date']} ({report['tool']})"


def page():
    """The page's text."""
    reports = {name: stored(name) for name in ("kill", "faults", "fuzz", "determinism", "audit")}
    sections = [
        HEAD,
        killed(reports["kill"]) if reports["kill"] else missing("Killed processes", "kill"),
        disk(reports["faults"]) if reports["faults"] else missing("A full disk", "faults"),
        hostile(reports["fuzz"]) if reports["fuzz"] else missing("Hostile files", "fuzz"),
        same_numbers(reports["determinism"]) if reports["determinism"] else missing("The same numbers", "determinism"),
        CUDA,
        (numbers(reports["faults"]) if reports["faults"] else missing("Numbers that go wrong", "faults"))
        + SUPPLY.format(verdict=audited(reports["audit"]))]
    return "\n".join(sections)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"written: {PAGE.relative_to(ROOT)}")
