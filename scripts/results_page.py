"""docs/RESULTS.md from the stored comparisons of all tasks, aseqdip_lite/results/compare_TASK.json.

    python scripts/results_page.py                  write the page
    python scripts/results_page.py out/compare-ct   take over a finished comparison as compare_TASK.json first
                                                    (compare_mri_real.json for the real scan)
"""

import json
from pathlib import Path

import click

from aseqdip_lite.files import to_json
from aseqdip_lite.run.result import read_row
from aseqdip_lite.study.statistics import ALL, summarise
from aseqdip_lite.study.tables import as_markdown, markdown_table

ROOT = Path(__file__).parent.parent
RESULTS, PAGE = ROOT / "aseqdip_lite" / "results", ROOT / "docs" / "RESULTS.md"

#: The classic baseline of each task.
BASELINE = dict(mri="l1_wavelet", ct="fbp", denoising="nlm", inpainting="biharmonic", deblurring="tv")

HEAD = """# All five tasks on real images

Made by `python scripts/results_page.py` from `aseqdip_lite/results/compare_TASK.json`, where every run has its
settings, seeds, versions, threads and seconds. Every method has its default settings, found by a recorded search on
other images ([SEARCH.md](SEARCH.md)). Mean (standard deviation over the seeds); PSNR in dB.

**Final** is what a method returns, **blind** the image that the moving variance of the outputs picks, **oracle** the
best over all steps, which needs the truth. The difference to aSeqDIP is paired by image and seed, with a 95 %
bootstrap interval. Three images per task rank nothing for good.
"""


#: What the numbers of a task show beyond its table.
REMARKS = dict(
    mri="Total variation reaches the same PSNR within the spread over the seeds; aSeqDIP has the higher SSIM.",
    ct="On the real head, total variation is better; aSeqDIP's image is smoother there and still improves at the end.",
    denoising="Non-local means is also above aSeqDIP's oracle, the best over all its steps: a better stop would not "
              "change the order. The network would have to prefer other images at this size, or lam to grow (see the "
              "oracle against the final for what stopping costs).",
    inpainting="The hole has no data. A network's output starts near 0, there as elsewhere, and small steps hardly "
               "move it where nothing pulls: `fill` mean puts that 0 at the mean of the known pixels; from a black "
               "hole, as published, the search needed a rate of 1e-2 to come near (lesson 10). On the retina the black "
               "rim draws this mean far from the hole's colour, and aSeqDIP hardly leaves its start, while the classic "
               "methods continue the hole's own surroundings.",
    deblurring="Spread over the seeds is large here. On the first two images it comes from the motion path that each "
               "seed draws, for total variation spreads too; on the retina aSeqDIP alone spreads, and its lead rests "
               "on one seed of three.")


def verdict(task, summary):
    """In words: on which images aSeqDIP's final image beats the start and the classic baseline, and by how much."""
    means = {(row["image"], row["method"]): {name: row["answers"][name]["psnr"]["mean"] for name in ("start", "final")}
             for row in summary if row["image"] != ALL}
    ours = {image: scores for (image, method), scores in means.items() if method == "aseqdip"}
    classic = BASELINE[task]
    risen = sum(scores["final"] > scores["start"] for scores in ours.values())
    gaps = {image: scores["final"] - means[image, classic]["final"] for image, scores in ours.items()}
    listed = ", ".join(f"{image} {gap:+.2f}" for image, gap in gaps.items())
    return (f"aSeqDIP's final image is above the start on {risen} of {len(ours)} images, and above {classic} on "
            f"{sum(gap > 0 for gap in gaps.values())} of {len(ours)} ({listed} dB).")


REAL = """## A real scan

`brain-real-8x`: eight coils, measured with 8x undersampling (Poisson disc), so there is no truth. 5 % of the measured
points outside of the calibration centre were held out: no method saw them, and its relative residual on them says how
well its image predicts what was measured. The residual on the data that it saw says how closely it fits.

"""


def real_scan(report):
    """The section on the real scan: residuals in place of PSNR."""
    rows = [[row["method"], *(f"{row['answers']['final'][name]:.4f}" for name in ("data_residual", "heldout_residual")),
             row["steps"], f"{row['seconds']:.0f}"] for row in report["rows"]]
    table = markdown_table(rows, ("method", "residual:", "held-out residual:", "steps:", "seconds:"))
    return f"{REAL}{table}\n![The real scan by each method](images/brain_real.png)\n"


def page():
    """The page's text."""
    parts = [HEAD]
    for task in BASELINE:
        file = RESULTS / f"compare_{task}.json"
        if not file.exists():
            continue
        report = json.loads(file.read_text(encoding="utf-8"))
        first = report["rows"][0]
        seeds = len({row["seed"] for row in report["rows"]})
        parts += [f"## {task}\n", f"{seeds} seeds; {'; '.join(first['notes']) or 'simulated from the image'}.\n",
                  as_markdown(report["summary"]), verdict(task, report["summary"]) + " " + REMARKS[task] + "\n"]
    parts.append(real_scan(json.loads((RESULTS / "compare_mri_real.json").read_text(encoding="utf-8"))))
    return "\n".join(parts)


@click.command()
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path))
def main(folders):
    """Write docs/RESULTS.md; first take over the finished comparisons in FOLDERS, if there are any."""
    for folder in folders:
        report = json.loads((folder / "compare.json").read_text(encoding="utf-8"))
        rows = [read_row(row) for row in report["rows"]]  # it may be of an earlier version
        report, first = report | dict(rows=rows, summary=summarise(rows)), rows[0]
        file = RESULTS / f"compare_{first['task']}{'_real' if first['image'] == 'brain-real-8x' else ''}.json"
        file.write_text(to_json(report), encoding="utf-8")
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    print(f"written: {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
