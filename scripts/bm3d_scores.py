"""Scores of BM3D on the denoising runs of docs/RESULTS.md, for pages to show where its package is not installed.

    pip install 'aseqdip-lite[bm3d]'        for non-commercial use only
    python scripts/bm3d_scores.py           writes aseqdip_lite/results/bm3d.json, as compare.json is

Images, settings and seeds, which draw the noise, are those of aSeqDIP in `compare_denoising.json`.
"""

import json
from importlib import metadata
from pathlib import Path

import click

from aseqdip_lite import load_case, reconstruct
from aseqdip_lite.files import plain, to_json
from aseqdip_lite.methods import configure
from aseqdip_lite.study.statistics import summarise

RESULTS = Path(__file__).parent.parent / "aseqdip_lite" / "results"


def problems():
    """(image, seed, settings of the task) of each of aSeqDIP's runs."""
    rows = json.loads((RESULTS / "compare_denoising.json").read_text(encoding="utf-8"))["rows"]
    return [(row["image"], row["data_seed"], {name: row["settings"][name] for name in ("sigma", "noise", "fill")}
             | dict(size=max(row["settings"]["size"]))) for row in rows if row["method"] == "aseqdip"]


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS / "bm3d.json", help="File to write.")
def main(out):
    """Denoise the images of docs/RESULTS.md by BM3D and store what it reaches."""
    rows, method = [], configure("bm3d", "denoising")
    for image, seed, settings in problems():
        result = reconstruct(load_case("denoising", image, seed=seed, **settings), method, seed=seed, progress=False)
        rows.append(plain(result.metrics))
        rows[-1]["versions"] |= {name: metadata.version(name) for name in ("bm3d", "bm4d")}
        click.echo(f"{image} seed {seed}: {rows[-1]['answers']['final']['psnr']:.2f} dB")
    out.write_text(to_json(dict(rows=rows, summary=summarise(rows))), encoding="utf-8")
    click.echo(f"written: {out}")


if __name__ == "__main__":
    main()
