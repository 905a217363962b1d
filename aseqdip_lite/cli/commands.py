"""The command line `aseqdip`, to which the course adds its own. Heavy imports wait in the commands: --help is quick."""

import shutil
import textwrap

import click

from ..settings import InputError, checked_name, nearest, printable
from .inventory import PARTS
from .options import Commands, SettingsCommand, checked_device, checked_folder, determinism, split_settings

EXAMPLES = """\b
Examples:
  aseqdip run mri                                aSeqDIP on a brain slice
  aseqdip run mri --method vanilla --steps 500   Deep Image Prior, same data
  aseqdip run mri --lam 4 --N 2 --K 500          N K = 1000 Adam steps
  aseqdip run mri --image truth.npy --acceleration 8 --out out/mine
  aseqdip run mri --resume                       go on after an interruption
"""

#: Options that several commands share.
DEVICE = click.option("--device", default="cpu", show_default=True, help="cpu, cuda or cuda:1.")
PROFILE = click.option("--profile", default="laptop", show_default=True,
                       help="smoke (seconds) | laptop | paper (published).")


@click.group(cls=Commands, invoke_without_command=True, context_settings=dict(help_option_names=["-h", "--help"]))
@click.version_option(package_name="aseqdip-lite")
@click.pass_context
def main(context):
    """Untrained image reconstruction: Deep Image Prior, aSeqDIP and their relatives.

    Start with:  aseqdip run mri      then:  aseqdip lab

    Exit codes: 0 done; 1 a run diverged, its network died, its process was killed each time, or the printed result
    could not be written; 2 refused, for the reason that the line gives; 130 ended by Ctrl-C, TERM or HUP, with the
    partial result stored.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
        return 0


@main.command(cls=SettingsCommand, epilog=EXAMPLES)
@click.argument("task")
@click.option("--method", default="aseqdip", show_default=True, help="How to reconstruct; see `aseqdip list`.")
@click.option("--image", default=None,
              help="A name shown by `aseqdip list images`, a file (.npy, .npz, .png, .jpg, .tif, .h5, .dcm), or a "
              "folder of DICOM files.")
@click.option("--slice", "slice_index", type=int, default=None,
              help="Slice of a volume [the middle one]; page of a .tif, which has no default.")
@click.option("--steps", type=int, default=None,
              help="Adam steps in total (N K); iterations of classic solvers; direct methods have none. If not given, "
              "aseqdip takes more for a large image: in denoising and deblurring above 128 pixels a side, in mri 192.")
@click.option("--seed", type=int, help="Seed of the data and of the initial weights, or of a sampler's noise.  "
              "[default: 0]")
@click.option("--data-seed", type=int, default=None, help="Seed of the data alone; --seed by default.")
@DEVICE
@PROFILE
@click.option("--out", default=None, help="Folder of the results [out/TASK-METHOD]; a finished run there is replaced.")
@click.option("--resume", is_flag=True, help="Continue from checkpoint.pt in --out, or start if there is none.")
@click.option("--overwrite", is_flag=True, help="Start anew even if --out has an interrupted run, which is lost.")
@click.option("--patience", type=int, default=None,
              help="Blind early stopping: end when the moving variance has had no new minimum for this many steps.")
@click.option("--record-every", type=int, default=1, show_default=True,
              help="Steps between two rows of the curve; a GPU waits for each. Must divide --steps.")
@click.option("--deterministic", is_flag=True,
              help="The same bits in every run, on a CPU also with 1, 2 or 4 threads (U-Nets in float32), but slower.")
@click.option("--gif", is_flag=True, help="Also write iterates.gif, which shows the answer develop.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def run(task, method, image, slice_index, steps, seed, data_seed, device, profile, out, resume, overwrite, patience,
        record_every, deterministic, gif, quiet, **settings):
    """Reconstruct one image.

    Writes recon.png, recon.npy, curve.csv, metrics.json, and overview.png with errors and PSNR; for MRI recon.npy is
    complex64 (H, W) and recon.png its magnitude. From 100 steps on it adds blend.png and blend.npy, the mean of the
    last image and the picks of two rules without a truth: it errs less than the three do on average.
    Settings that are not given take the profile's defaults, found by a recorded search (laptop, shown by `aseqdip run
    TASK --help`) or as published (paper).
    """
    from .. import methods, tasks
    from ..files import check_free, hold
    from ..run import checkpoint
    from ..run.engine import check_run, reconstruct
    from ..run.interrupt import deferred_interrupt
    from ..run.plots import to_gif, to_png
    from ..run.recorder import first_value
    from ..run.result import FILES
    from ..run.stopping import StopReason

    task_settings, method_settings = split_settings(task, settings)
    check_run(seed=seed or 0, steps=steps, patience=patience, record_every=record_every)
    if resume and overwrite:
        raise InputError("--resume continues the run in --out and --overwrite starts anew: give only one of the two")
    device = checked_device(device)
    chosen = methods.configure(method, task, profile, steps, **method_settings)
    asked = methods.configure(method, task, profile, **method_settings)
    for name, value in method_settings.items():
        if getattr(chosen, name) != getattr(asked, name):
            raise InputError(f"--{name} {value} contradicts --steps {steps}: give only one of the two")
    for option, given in (("steps", steps is not None), ("deterministic", deterministic)):
        if given and not (chosen.budget or hasattr(chosen, "iterations")):
            raise InputError(f"--{option} does nothing here, leave it out: {method} has no steps")
    for option, idle in (("patience", patience is None), ("record-every", record_every == 1), ("gif", not gif)):
        if not (chosen.budget or idle):
            raise InputError(f"--{option} does nothing here, leave it out: {method} takes no Adam steps")
    if seed is not None and not chosen.budget:  # a classic method draws nothing: the seed can only be the data's
        if data_seed is not None:
            raise InputError(f"--seed does nothing here, leave it out: {method} draws nothing itself")
        data_seed = seed
    seed = seed or 0
    out = checked_folder(f"out/{task}-{method}" if out is None else out)
    case = tasks.load_case(task, image, seed=seed, data_seed=data_seed, profile=profile, slice_index=slice_index,
                           **task_settings)
    checked_name(case.image, "the image")
    chosen = methods.configure(method, task, profile, steps, max(case.observation.start.shape[2:]), **method_settings)
    if patience is not None and patience + (first := first_value(record_every)) > chosen.steps:
        raise InputError(f"--patience {patience} does nothing here, leave it out or give more steps: the moving "
                         f"variance begins at step {first} of {chosen.steps}")
    with deferred_interrupt(), hold(out), determinism(deterministic):  # what the run has made is saved
        check_free(out, (*FILES, checkpoint.FILE))
        if not (resume or overwrite) and (done := checkpoint.interrupted_at(out)) is not None:
            raise InputError(f"{out} has a run that was interrupted at step {done}: add --resume to continue it, "
                             "--overwrite to start anew, or choose another --out")
        frames, every = [case.observation.start], -(-chosen.steps // 35) if gif else 0  # under 2 MB
        result = reconstruct(case.to(device), chosen, seed=seed, steps=steps if chosen.budget else None, out=out,
                             resume=resume, patience=patience, record_every=record_every, progress=not quiet,
                             seen=(lambda state: state.step % every or frames.append(state.estimate)) if gif else None)
        pictures = {"overview.png": to_png(result.plot())}
        if gif:
            pictures["iterates.gif"] = to_gif(map(case.display, [*frames, result.answer]), case.window)
        written = result.save(out, pictures)
    click.echo(result)
    for note in result.metrics["notes"]:
        click.echo(f"note: {note}")
    if chosen.budget and not chosen.trained and result.images["blind"] is None:
        click.echo(f"note: {result.metrics['steps']} steps are too few for an answer; the blind pick needs "
                   f"{first_value(record_every)}")
    click.echo(f"written to {printable(out)}: {' '.join(written)}")
    if result.stop_reason is StopReason.INTERRUPTED:
        click.echo("interrupted: the partial result is stored; continue with --resume", err=True)
        return 130
    if result.stop_reason.is_fault:
        click.echo(f"{result.stop_reason}: the last good image is stored, the answer is not to be trusted", err=True)
        return 1


@main.command(cls=SettingsCommand)
@click.argument("task")
@click.option("--methods", "names", default="all", show_default=True,
              help="all (except those trained on other images), or e.g. vanilla,aseqdip,dps.")
@click.option("--image", "images", multiple=True, help="A name or a file, as for `run`; may be given more than once.")
@click.option("--seeds", type=int, default=1, show_default=True, help="Runs of each method, with seeds 0, 1, ...")
@click.option("--workers", type=int, default=None, help="Runs at a time [one for each core; 1 on a GPU].")
@click.option("--scheduler", default=None, metavar="ADDRESS",
              help="Dask scheduler whose workers do the runs, e.g. tcp://10.0.0.5:8786; they must see --out.")
@click.option("--steps", type=int, default=None,
              help="Adam steps of every method that takes them [its default]; classic ones keep their iterations.")
@DEVICE
@PROFILE
@click.option("--out", default=None, help="Folder of the results [out/compare-TASK].")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def compare(task, names, images, seeds, workers, scheduler, steps, device, profile, out, quiet, **settings):
    """Reconstruct the same measurements by several methods.

    Writes compare.json, compare.md, compare.csv and pictures. Of several images and seeds the table shows means, the
    spread over the seeds and the paired difference to aSeqDIP with its noise floor, of six images on with an interval.

    Started again after an interruption it goes on where it was; finished runs in --out are not made again.
    """
    from .. import methods
    from ..run.engine import check_run
    from ..run.stopping import StopReason
    from ..study.compare import compare as run_comparison
    from ..study.tables import as_markdown, text_table

    task_settings, _ = split_settings(task, settings)
    check_run(steps=steps, seeds=seeds, workers=workers)
    if workers is not None and scheduler is not None:
        raise InputError("--workers does nothing here, leave it out: the scheduler has its own workers")
    everything = names == "all"
    names = methods.untrained(task) if everything else [name.strip() for name in names.split(",") if name.strip()]
    if not names:
        raise InputError("no method is named: give --methods all, or names as in --methods vanilla,aseqdip")
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"{twice[0]} is named twice in --methods: name each method once")
    for name in names:
        methods.configure(name, task, profile)
    if steps is not None and not any(methods.get(name).budget for name in names):
        raise InputError(f"--steps does nothing here, leave it out: no Adam steps are taken by {' or '.join(names)}")
    out = checked_folder(f"out/compare-{task}" if out is None else out)
    report = run_comparison(task, names, seeds=seeds, images=images or (None,), profile=profile, steps=steps, out=out,
                            device=checked_device(device), workers=workers, scheduler=scheduler, progress=not quiet,
                            **task_settings)
    click.echo(as_markdown(report["summary"], text_table))
    for note in dict.fromkeys(note for row in report["rows"] for note in row["notes"]):
        click.echo(f"note: {note}")
    for entry in report["left_out"]:
        click.echo(f"left out: {entry['method']} on {entry['image']}, {entry['why']}")
    for row in report["rows"]:
        if StopReason(row["stop_reason"]).is_fault:
            click.echo(f"{row['stop_reason']}: {row['method']} on {row['image']}, seed {row['seed']}, after "
                       f"{row['steps']} steps", err=True)
    if everything:
        others = [name for name in methods.names() if name not in names]
        trained = [name for name in others if name in methods.names(task)]
        click.echo(f"trained on other images, run if they are named: {', '.join(trained)}")
        click.echo(f"not defined for {task}: {', '.join(name for name in others if name not in trained)}")
    if report["pictures"]:
        click.echo(f"pictures: {' '.join(map(printable, report['pictures']))}")
    click.echo(f"written to {printable(out)}: compare.json compare.md compare.csv, and a folder for each run")
    if report["interrupted"]:
        click.echo("interrupted: start the same command again to continue", err=True)
        return 130
    return 1 if report["failed"] else None


@main.command("list")
@click.argument("what", required=False)
def list_(what):
    """Show what there is: tasks, methods, images, ...

    Also schedules, networks, projectors, the images' licences, and optional parts. WHAT shows one of these alone, e.g.
    images. An image "to fetch" or "to bring" does not ship: see aseqdip fetch NAME.
    """
    for part in PARTS if what is None else [nearest(what, PARTS, "part of the list")]:
        for heading, rows in PARTS[part]().items():
            click.secho(heading, bold=True)
            click.echo(columns(rows))
        if part == "images":
            click.echo("  To fetch or to bring: aseqdip fetch NAME. Origins and citations: data/README.md")
    return 0


def columns(rows):
    """Rows of text in columns; the last one is wrapped at the terminal's width or at 100, whichever is less."""
    widths = [max(map(len, cells)) for cells in list(zip(*rows, strict=True))[:-1]]
    lines = []
    for *first, text in rows:
        head = "  " + "".join(f"{cell:<{width}}  " for cell, width in zip(first, widths, strict=True))
        for line in text.splitlines():
            lines += textwrap.wrap(line, min(shutil.get_terminal_size((100, 24)).columns, 100), initial_indent=head,
                                   subsequent_indent=" " * len(head), break_long_words=False, break_on_hyphens=False)
            head = " " * len(head)
    return "\n".join(lines)


@main.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def fetch(name, yes):
    """Fetch a data set, after showing its facts and asking.

    NAME is one of those that `aseqdip list images` shows, e.g. tooth.
    """
    from ..images import fetch as data

    click.echo(columns(data.describe(name)))
    path = data.find(name)
    if path is None:
        if data.registry()[name]["url"] is not None and not yes:
            click.confirm(f"Fetch it into {data.cache_folder() or 'the cache'}?", abort=True)
        path = data.fetch(name)
    click.echo(f"here: {path}\nnext: aseqdip run {data.registry()[name]['task']} --image {name}")
