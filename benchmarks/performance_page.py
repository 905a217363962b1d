"""docs/PERFORMANCE.md and aseqdip_lite/results/bench.json from what the benchmarks have stored, bench_PART.json.

    python benchmarks/performance_page.py
"""

from pathlib import Path

from common import load, save

from aseqdip_lite.study.tables import markdown_table

PAGE = Path(__file__).parent.parent / "docs" / "PERFORMANCE.md"

HEAD = """# Performance

Made by `python benchmarks/performance_page.py` from `aseqdip_lite/results/bench_PART.json`. `make bench` measures
speed, sweep, precision and growth in about a quarter of an hour, `make bench PARTS="quality means"` time to quality
and what shortens it in some hours; both make this page. Every number was measured on one machine by the script that
its section names, unless the section says otherwise. "Reached" and "missed" are said of the numbers that have a
target; "never" is a PSNR that a run does not come to.
"""

GPU = """\
`python benchmarks/gpu.py`: eight minutes; it needs a CUDA GPU. aSeqDIP on MRI, N = 2. The plain loop launches the
kernels of a step one by one; `graphs` is what `--device cuda` does: after the first step the passes forward and back
are recorded, and further steps replay them (`aseqdip_lite/methods/cuda_graphs.py`). The steps are the same: in
PyTorch's deterministic mode `tests/test_cuda.py` finds them equal bit for bit on every method and task. Self-Guided and
Rethinking-DIP, whose steps draw on the host, and runs with a schedule of lam, which read each stage, are not replayed.

As PyTorch comes, convolutions are TF32 and all else float32; "exact float32" switches TF32 off. Nothing waits for the
GPU but recording: `--record-every n` records every n-th step, and the blind pick is then one of those. Runs on streams
are several runs in one process, each replayed on a stream of its own, stepped in turn.

On a GPU a bias before a BatchNorm, which takes its effect away, is left out, and upsampling is made of matrix products,
whose order of additions is fixed (`aseqdip_lite/networks/layers.py`); the plain loop has PyTorch's layers in their
place.

* Graphs are worth most where the network is small: the plain loop is bound by the launches of the host, the graphs by
  the GPU. The plain loop's time therefore moves with the host, as "again" shows, and the ratios with it. In seven
  sittings on machines of this kind the plain loop of `paper-medium` took 6.92 to 13.1 ms. Against the quickest of them
  the graphs come to 1.63 times its speed in float32, which misses the target, and to 2.31 times with bfloat16.
* What the layers bring does not move with the host. Biases cost a tenth of a step, in additions and in sums for
  gradients that are nothing but rounding; products cost as much as PyTorch's upsampling, and less with bfloat16. In
  PyTorch's deterministic mode a step had cost three times as much, since its upsampling has a slow form there; now the
  mode costs nothing, so `--deterministic` is free on a GPU.
* What remains of `paper-medium` is what cuDNN and PyTorch have for its layers: letting cuDNN try all its algorithms
  (`torch.backends.cudnn.benchmark`) changed nothing in the 4.71 ms of before, PyTorch's own BatchNorm in place of
  cuDNN's adds 0.2 ms, and with channels first they were 6.02; these are single readings, not part of the script.
* `torch.compile`, measured with the layers of before, made a step of `lite` quicker by a quarter (1.02 ms) and one of
  `paper-medium` with bfloat16 by a sixth (3.26 ms), and needs 12 to 20 seconds before it begins; a whole run of any
  task takes one to two. It is not used.
* Whole runs, streams and PSNR were measured with the layers of before. Without the deterministic mode the end of a run
  was ragged: two runs of the same seed differed in the order of additions, and Adam turned that into whole steps. The
  plain loop was 0.20 and 0.32 dB from itself in the mean of three seeds, a seed by up to 1.3 dB, so three seeds could
  not tell 0.1 dB: an earlier reading had the graphs at 0.03 dB from the plain loop on `lite` where the table has 0.91.
  In the deterministic mode, whose rows of `lite` are from another machine of the same kind, they give the plain loop's
  PSNR to the last digit. With the layers of today they gave its bits in the default mode too, wherever it was tried on
  MRI: `lite` at 128 pixels after 200 steps, `paper-medium` at 320 after 150.
"""

#: {part: (heading, text)} in the order of the page.
PARTS = {
    "quality": ("Time to quality", """\
`python benchmarks/quality.py`: hours, and resumable. One image a task at 128 x 128 pixels, one arm at a time on two
threads. Hours lie between the arms, in which a machine's speed moves by a quarter; so seconds are steps times what a
step costs, measured in one sitting in which the arms of a task take turns, a second each, and nothing is recorded.

* **aseqdip, published**: Algorithm 1 with the paper's network and settings. It is the reference: its seconds are those
  to its own peak, the others' those to that peak less 0.3 dB.
* **vanilla, as in the paper**: Deep Image Prior with the same network, learning rate and number of steps as aSeqDIP.
* **vanilla, original**: Deep Image Prior as its authors set it up for denoising, a skip network of five scales and 128
  channels with jitter and averaging (`benchmarks/skip_network.py`).
* **deepinv**: the Deep Image Prior of the library DeepInverse with its own defaults, a decoder of 7 layers and 256
  channels (`benchmarks/deepinv_peer.py`); its steps, made one by one, give the image of one call bit for bit.
* **aseqdip**: our defaults. It is Algorithm 1 too, with a narrower network and settings found by a recorded search.
* **aseqdip, bfloat16**: the same with `precision` bfloat16.
* **aseqdip, lite-half**: the same with `--network lite-half`, most of which works on an image of half the size (see
  `HalfUNet` in `aseqdip_lite/networks/unet.py`), and with the settings of a search of its own.
* **aseqdip, 4000 steps**: our defaults with the published number of steps, to see what the shorter budget costs.

Our arms, with `lite-half` and without, end at their own budget, the others at 4000 steps or their own budget, or 500
steps after their peak. They have three seeds of the network, as has the published configuration, the others one.
Numbers are means over the seeds, and what all arms are to reach is the mean of the published peaks, less 0.3 dB; of
several seeds "never" means that one does not come there. Three answers need no truth: "last step" is what a user gets
who does nothing, "blind pick" what the moving variance of the outputs picks, and "blend" the mean of that, of the pick
of its exponential form and of the last step, which a run leaves as `blend.png`. "Below the peak" compares with the best
of all steps, which only the truth can tell; less than 0 is above it.

* One image a task, and few seeds: the published configuration peaks at 20.0, 20.7 and 24.4 dB on deblurring and from
  15.1 to 16.5 on in-painting, our default within 0.6 dB of itself there and within 1.3 on CT.
* `lite-half` comes to the goal with every seed on every task, in a tenth of the published time but for denoising in
  float32, and sooner than `lite` in the same precision. In float32 a step costs 0.64 to 0.71 of one with `lite`. Its
  peak is 0.7 dB above the default's on CT, and 0.2 above the published one's; 0.4 above the default's on MRI, 0.1 below
  it on denoising and in-painting, and 0.2 below it on deblurring.
* The blend is the blind answer that holds on all five tasks with the network `lite`: in none of its 30 runs is it more
  than 0.25 dB below the peak, where the pick loses up to 0.73, and the last step up to 0.80. On denoising it is above
  the peak. It was chosen among several such answers on tuning images. On one of them, rocket with a hole, it failed, as
  all of them did: the peak was early there, and the outputs quiet long after it.
* With `lite-half` it does not hold: 5 of 30 runs lose more than 0.3 dB by it, up to 0.65 on CT, where PSNR rises to the
  end and the outputs are quietest long before. The last step holds there: in 29 runs it is within 0.21 dB of the peak,
  in one, of denoising in bfloat16, 0.37 below it.
* The settings of `lite-half` are of a second search, with three seeds a trial and, for denoising, in-painting and CT,
  each image at two levels. Those of the first, with one seed, took 0.12 of the published time on denoising, too, and
  missed the goal there with one seed in bfloat16; on in-painting two runs of six fell back by 2.3 and 2.6 dB.
* CT is the task where the default's short budget costs: two seeds of three come within 0.3 dB of the published peak, in
  a seventeenth of its time; the third stays 1.2 dB below it. With 4000 steps it passes that peak, and is within 0.3 dB
  of it in a tenth of its time.
* On denoising the published settings are themselves quick to their peak, and 2 dB below it 500 steps later. The default
  takes 0.17 of their time, `lite-half` 0.12, and in bfloat16 they take 0.13 and 0.09.
* On deblurring and in-painting their peak is 2.8 and 0.9 dB below the default's, which passes it in seconds.
* A step in bfloat16 is cheaper on every task; that its peaks are higher on some is not a finding.
* With the paper's network and settings aSeqDIP's peak is above Deep Image Prior's on every task: by 6.8 dB on
  deblurring, 2.6 on denoising, 2.3 on CT, 1.5 on MRI and 0.6 on in-painting, where one of its three seeds is below.
* DeepInverse's defaults, which were not tuned for these tasks, peak 0.4 dB below the published settings on denoising,
  3.4 on in-painting, 4.1 on MRI and 5.8 on CT, and 0.9 above their mean on deblurring, after 9 to 15 minutes; on the
  last three PSNR still rises when its 2500 steps end. Our default's peak is above DeepInverse's on all five tasks, by
  0.5 dB on denoising and up to 5.2 on CT.
* The costs are the least of seven turns, in a sitting after the runs, on the machine named below. PSNR against steps
  was recorded on two: the arms with `lite-half` and the third seed of the published one there, the others on an Intel
  Xeon with AMX, where the default's time on denoising was 0.26 of the published one's and in bfloat16 0.18.
* On MRI the arms with one seed, and the first seed of the published one, are of measurements that differ from today's
  by rounding.

![PSNR against seconds, one panel for each task, one line for each seed](../aseqdip_lite/results/bench_quality.png)
"""),
    "means": ("What would be quicker", """\
`python benchmarks/means.py`: an hour and a half, and resumable. Each mean alone against the default of aSeqDIP, on
tuning images at 128 x 128 pixels, two for denoising and three for MRI: geometric means over them, less than 1 is
quicker. A mean pays if it is quicker on every image and no peak is lower. All are Algorithm 1 with other settings, but
for three: the stale input is the released code's variant, and the problem of half the size and the classic start change
where z begins.

Steps are exact. A step's cost is the median over nine turns, in each of which every mean makes the next twenty of its
first 200 steps; two readings of the default then agree to a hundredth. Seconds, as read along the runs, move with the
machine: those of "default, again" are by 3 % fewer on MRI and by 30 % more on denoising, where half an hour lay
between. All were measured before freed memory stayed with the process (see "A step"). Nor is a difference of peaks
beyond chance: bfloat16, Adam without fusion and the other layout of the memory change roundings alone, and move peaks
by -0.20 to 0.29 dB and steps by up to three tenths.

* **bfloat16** is the one mean that pays beyond that: as many steps or fewer, which cost 0.66 and 0.75 of the default's,
  and no peak is lower. Not every processor has it (see "Precision"), so it stays a setting, `--precision bfloat16`.
* **channels_last**, which the default has, is worth a tenth of a step on MRI and a fifth on denoising; that Adam is
  fused does not show.
* **The classic start**, z from total variation (MRI) or non-local means (denoising), raises every peak, and is quicker
  on four images of five. It is not Algorithm 1, and brings in another method's image, so it is not the default.
* **Twice the rate** needs a third fewer steps on denoising, after which PSNR falls the faster, and a fifth more on MRI.
* **A rate that falls to 0** undoes aSeqDIP on denoising: PSNR ends at 21 to 24 dB, 6 to 8 below its own peak. On MRI,
  where z changes five times less often, it costs 0.6 to 1.0 dB of the peak, twice the rate 0.8 to 1.4, and the end
  stays there.
* **Coarse to fine**: a step of half the size costs less than half. On denoising the same network comes as far in more
  steps; a new one loses 1.0 dB. On MRI they lose 1.7 to 2.4 and 0.4 to 1.2 dB.
* **A narrow network** costs 0.7 of a step, and its peak is 1.1 to 2.0 dB lower on four images of five; one with a scale
  less is a tenth cheaper, and clearly quicker on one image of five.
* **Another N for half of the steps**: on MRI N 2 in the second half costs 0.6 to 1.1 dB, in the first half up to 0.8.
  On denoising N 2 first is the default's course, and N 10 first takes longer.
* **The stale input** saves a pass where N is 2, and loses 0.1 to 0.4 dB on MRI, where N is 10.

None of them brings denoising to a tenth of the published time to the peak. The network `lite-half`, with settings of
its own, came after these and is measured above; in bfloat16 it does.

![Each mean beside the default: how long it takes and how high it comes](../aseqdip_lite/results/bench_means.png)
"""),
    "speed": ("A step", """\
`python benchmarks/speed.py`, aSeqDIP on MRI with 8 coils, N = 2. The reference rate is that of a product of two
2048 x 2048 matrices in float32, measured before and after each row. The second table has what a step costs in other
modes, with fresh processes taking turns: PyTorch's deterministic mode, in which the number of threads changes nothing
(see [RELIABILITY.md](RELIABILITY.md)), and memory that goes back to the system when it is freed, as glibc has it
without `aseqdip_lite/run/memory.py`. What that costs moves with the machine: an earlier reading had 1.15.

How near a step is to the machine's limit, the share cannot say everywhere. On an AMD EPYC, where the same product comes
to some 210 GFLOP/s, `paper-shallow` has 1.6 of its rate and `lite` 0.75 to 0.80 (three readings that are not stored);
there 6 % of a step of `lite` lie outside network, operator and optimiser, and the deterministic mode, without PyTorch's
filling of new memory, costs 1.42 times as much.
"""),
    "precision": ("Precision", """\
`python benchmarks/precision.py`. `precision` is a setting of every method with a network. With `bfloat16` the network
alone computes in it, by torch's autocast; weights, gradients, moments of Adam, operators, losses, z and images stay
float32. An image then comes out of the network with 8 significant bits, rounded by at most 0.4 % of each pixel's value.

Fresh processes of one thread make the same steps while oneDNN, which computes the convolutions, is confined to the
instructions of older processors. On this one it is quicker with AMX alone. An AMD EPYC without AMX has an AVX512-BF16
that is enough: there a step of `lite` takes 0.73 of one in float32, one of `paper-shallow` 0.56, and 2.3 and 2.8
without it (one reading of the same script that is not stored). It depends on the processor, so the default is float32.
"""),
    "growth": ("How the cost grows", """\
`python benchmarks/growth.py`: minutes. A stage of aSeqDIP with the network `lite` against one size at a time; the
exponent is the slope of log seconds against log size. The operator is also timed alone, since at 128 x 128 pixels the
network hides it. A batch is several runs in one process, their weights stacked and the network mapped over them by
`torch.func.vmap`: it is worth its while where a stage of n members takes less than n stages of one run.

![Milliseconds against what grows](../aseqdip_lite/results/bench_growth.png)
"""),
    "sweep": ("Many runs", """\
`python benchmarks/sweep.py`: processes of one thread each, against one process with all threads. On an AMD EPYC, whose
two threads share a run better, two readings that are not stored have 1.52 and 1.28 for MRI, and 1.27 for denoising.

A single small run gets one thread, too (`aseqdip_lite/run/threads.py`), since waiting threads work at full load.
Beside three to ten other busy processes on two cores of an AMD EPYC, a step of denoising with two threads took this
many times the processor time of one, in single readings that are not stored: 8.7 at 64 x 64 pixels, 4.3 at 96, 12 at
128, 8.7 at 192, 5.7 at 256 and 3.2 at 320. From 131,072 real numbers in an image on, 256 x 256 complex pixels, a run
has all threads.
"""),
    "gpu": ("On a GPU", GPU),
}

TAIL = """## What was not measured

Several GPUs, other kinds than the one above, and on a GPU: the projector torch-radon and batches by stacked parameters.
The projector rotation and KernelWizard's blur were tested there, and not timed.
"""


def number(value):
    """Three significant digits, without powers of ten."""
    return "never" if value is None else f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def tables(rows):
    """Rows named "where: what" as Markdown tables, a line for each place; another first column begins a new table."""
    grids = []
    for entry in rows:
        where, what = entry["name"].rsplit(": ", 1)
        if not grids or (where not in grids[-1] and what not in next(iter(grids[-1].values()))):
            grids.append({})
        verdict = {None: "", True: " (reached)", False: " (missed)"}[entry["ok"]]
        grids[-1].setdefault(where, {})[what] = number(entry["value"]) + verdict
    return "\n".join(map(table, grids))


def table(grid):
    """{line: {column: cell}} in Markdown; a missing cell is a dash."""
    columns = list(dict.fromkeys(column for cells in grid.values() for column in cells))
    return markdown_table([[where, *(cells.get(column, "-") for column in columns)] for where, cells in grid.items()],
                          ["", *(f"{column}:" for column in columns)])


def merged():
    """All parts that are stored as one report: rows, and the provenance of each part."""
    reports = {part: report for part in PARTS if (report := load(f"bench_{part}"))}
    return dict(rows=[entry for report in reports.values() for entry in report["rows"]],
                provenance={part: report["provenance"] for part, report in reports.items()})


def verdict(rows):
    """How many targets are reached, and which are missed."""
    aimed = [entry for entry in rows if entry["target"] is not None]
    missed = [f"* {entry['name']}: {number(entry['value'])}, target {entry['target']:g}\n"
              for entry in aimed if not entry["ok"]]
    return (f"{len(aimed) - len(missed)} of {len(aimed)} targets are reached"
            + (f"; missed:\n\n{''.join(missed)}" if missed else ".\n"))


def machine_of(provenance):
    """One line on where a part was measured."""
    where = f"{provenance['versions']['torch']}, {provenance.get('cpu') or provenance['hardware']}"
    if provenance["device"] != "cpu":
        return f"Measured with torch {where}.\n"
    kinds = ", ".join(provenance.get("bfloat16", [])) or "not recorded"
    return f"Measured with {provenance['threads']} threads, torch {where}; bfloat16 in hardware: {kinds}.\n"


def page():
    """The page's text."""
    text = [HEAD, verdict(merged()["rows"])]
    for part, (heading, about) in PARTS.items():
        if report := load(f"bench_{part}"):
            text += [f"## {heading}\n", about, machine_of(report["provenance"]), tables(report["rows"])]
    return "\n".join([*text, TAIL])


def main():
    report = merged()
    save("bench", report)
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{tables(report['rows'])}\n{verdict(report['rows'])}\nwritten: {PAGE.name}, bench.json")


if __name__ == "__main__":
    main()
