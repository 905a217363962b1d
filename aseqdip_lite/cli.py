"""The command line `aseqdip`. Heavy imports wait inside the commands, so that --help is quick."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import click

from .settings import InputError, fields_of

EXAMPLES = """\b
Examples:
  aseqdip run mri                                aSeqDIP on a brain slice, 4x undersampled
  aseqdip run mri --method vanilla --steps 500   Deep Image Prior on the same data
  aseqdip run mri --lam 4 --N 2 --K 500          other settings (N K = 1000 Adam steps)
  aseqdip run mri --image truth.npy --acceleration 8 --out out/mine
  aseqdip run mri --resume                       go on after an interruption
"""

#: Options that several commands share.
DEVICE = click.option("--device", default="cpu", show_default=True, help="cpu, cuda or cuda:1.")
PROFILE = click.option("--profile", default="laptop", show_default=True,
                       help="smoke (seconds) | laptop | paper (published).")


class Commands(click.Group):
    """Turns every error of the user or of the disk into one line and exit code 2, a Ctrl-C into exit code 130."""

    def main(self, *args, **kwargs):
        try:
            status = super().main(*args, **kwargs | dict(standalone_mode=False))
        except (InputError, click.ClickException, OSError, MemoryError) as error:
            text = error.format_message() if isinstance(error, click.ClickException) else str(error)
            click.echo(f"aseqdip: {' '.join(text.split()) or type(error).__name__}", err=True)
            status = 2
        except (KeyboardInterrupt, click.Abort):
            click.echo("aseqdip: stopped", err=True)
            status = 130
        sys.exit(status)


class SettingsCommand(click.Command):
    """A command whose options include the settings of all tasks, and of all methods if asked, off their registries."""

    def __init__(self, *args, of_methods=True, **kwargs):
        super().__init__(*args, **kwargs)
        self.of_methods = of_methods

    def get_params(self, context):
        if "settings" not in context.meta:
            context.meta["settings"] = setting_options(self.of_methods)
        return super().get_params(context) + context.meta["settings"]


def setting_options(of_methods):
    """One option per setting name; its help says which tasks and methods have it and with what default."""
    from . import methods, tasks

    owners = {}
    for registry in (tasks.REGISTRY, methods.REGISTRY if of_methods else {}):
        for owner, cls in registry.items():
            for field, kind, _ in fields_of(cls):
                if field.name != "steps":  # --steps is the budget of every method
                    owners.setdefault(field.name, []).append((owner, field, kind))
    return [click.Option([f"--{name.replace('_', '-')}", name], type=found[0][2], default=None,
                         help=setting_help(found)) for name, found in owners.items()]


def setting_help(found):
    """Help text of a setting from its (owner, field, type) list."""
    texts = {}
    for owner, field, _ in found:
        texts.setdefault((field.metadata["help"], field.metadata["choices"]), []).append(
            owner if field.default is None else f"{owner} {field.default}")
    parts = []
    for (text, choices), defaults in texts.items():
        parts.append(f"{text}{': ' + ' | '.join(choices) if choices else ''} [{', '.join(defaults)}]")
    return "; ".join(parts)


@click.group(cls=Commands, invoke_without_command=True, context_settings=dict(help_option_names=["-h", "--help"]))
@click.version_option(package_name="aseqdip-lite")
@click.pass_context
def main(context):
    """Untrained image reconstruction: Deep Image Prior, aSeqDIP and their relatives.

    Start with:  aseqdip run mri      then:  aseqdip lab
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@main.command(cls=SettingsCommand, epilog=EXAMPLES)
@click.argument("task")
@click.option("--method", default="aseqdip", show_default=True, help="How to reconstruct; see `aseqdip list`.")
@click.option("--image", default=None,
              help="A shipped image (see `aseqdip list`) or a file: .npy, .npz, .png, .jpg, .tif, .h5, .dcm.")
@click.option("--slice", "slice_index", type=int, default=None, help="Slice of an .h5 volume [the middle one].")
@click.option("--steps", type=int, default=None,
              help="Adam steps in all (N K); iterations of classic solvers; direct methods ignore it.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the data and of the initial weights.")
@click.option("--data-seed", type=int, default=None, help="Seed of the data alone; --seed by default.")
@DEVICE
@PROFILE
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Folder of the results [out/TASK-METHOD].")
@click.option("--resume", is_flag=True, help="Go on from checkpoint.pt in --out, or start where there is none.")
@click.option("--patience", type=int, default=None,
              help="Blind early stopping: end when the moving variance has had no new minimum for so many steps.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def run(task, method, image, slice_index, steps, seed, data_seed, device, profile, out, resume, patience, quiet,
        **settings):
    """Reconstruct one image and write recon.png, recon.npy, curve.csv and metrics.json.

    TASK is one of the tasks that `aseqdip list` shows, e.g. mri. Settings that are not given
    take the profile's defaults, found by a recorded search (laptop) or as published (paper).
    The recon.npy of MRI is complex64 (H, W); its magnitude is what recon.png shows.
    """
    from . import methods, tasks
    from .engine import check_run, reconstruct

    given = {name: value for name, value in settings.items() if value is not None}
    task_settings, method_settings = split_settings(tasks.get(task), methods.get(method), given)
    check_run(seed=seed, steps=steps, patience=patience)
    device = checked_device(device)
    chosen = methods.configure(method, task, profile, steps, **method_settings)
    for name, value in method_settings.items():
        if getattr(chosen, name) != value:
            raise InputError(f"--{name} {value} contradicts --steps {steps}: give one of the two")
    out = checked_folder(out or Path("out") / f"{task}-{method}")
    budget = steps if chosen.budget else None
    case = tasks.load_case(task, image, seed=seed if data_seed is None else data_seed, profile=profile,
                           slice_index=slice_index, **task_settings)
    result = reconstruct(case.to(device), chosen, seed=seed, steps=budget, out=out, resume=resume, patience=patience,
                         progress=not quiet)
    result.save(out)
    click.echo(result)
    click.echo(f"written to {out}: recon.png recon.npy curve.csv metrics.json")
    if result.metrics["stop_reason"] == "interrupted":
        click.echo("interrupted: the partial result is stored; go on with --resume", err=True)
        return 130
    return 0


@main.command(cls=SettingsCommand, of_methods=False)
@click.argument("task")
@click.option("--methods", "names", default="all", show_default=True, help="all, or: vanilla,aseqdip.")
@click.option("--image", default=None, help="A shipped image or a file, as for `run`.")
@click.option("--seeds", type=int, default=1, show_default=True, help="Runs of each method, of seeds 0, 1, ...")
@click.option("--steps", type=int, default=None, help="Adam steps of every method; each one's default if not given.")
@DEVICE
@PROFILE
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Folder of the results [out/compare-TASK].")
@click.option("--quiet", is_flag=True, help="No progress bars.")
def compare(task, names, image, seeds, steps, device, profile, out, quiet, **settings):
    """Reconstruct the same measurements by several methods; write compare.json, .md, .csv and .png.

    An interrupted comparison that is started again goes on where it was; finished runs in --out
    are read, not made again.
    """
    from . import methods, tasks
    from .compare import as_markdown
    from .compare import compare as run_comparison
    from .engine import check_run

    given = {name: value for name, value in settings.items() if value is not None}
    split_settings(tasks.get(task), None, given)
    check_run(steps=steps, seeds=seeds)
    names = methods.names(task) if names == "all" else [name.strip() for name in names.split(",")]
    for name in names:
        methods.configure(name, task, profile, steps)
    out = checked_folder(out or Path("out") / f"compare-{task}")
    report = run_comparison(task, names, seeds=seeds, image=image, profile=profile, steps=steps, out=out,
                            device=checked_device(device), progress=not quiet, **given)
    click.echo(as_markdown(report["summary"]))
    click.echo(f"pictures: {out / 'compare.png'} {out / 'curves.png'}\n"
               f"written to {out}: compare.json compare.md compare.csv, and a folder for each run")
    if report["interrupted"]:
        click.echo("interrupted: start the same command again to go on", err=True)
        return 130
    return 0


def split_settings(task, method, given):
    """Divide given settings among task and method (None: only the task); InputError for one of neither."""
    of_task = {field.name for field, _, _ in fields_of(task)}
    of_method = {field.name for field, _, _ in fields_of(method)} if method else set()
    for name in given:
        if name not in of_task | of_method:
            owners = f"neither the task {task.name} nor the method {method.name}: they have" if method else (
                f"no part of the task {task.name}: it has")
            raise InputError(f"--{name.replace('_', '-')} is a setting of {owners} "
                             f"{', '.join(sorted(of_task | of_method))}")
    return ({k: v for k, v in given.items() if k in of_task}, {k: v for k, v in given.items() if k in of_method})


def checked_device(name):
    """torch.device of a name; InputError if it is not one or is not there."""
    import torch

    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"unknown device '{name}': use cpu, cuda or cuda:1") from None
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"unknown device '{name}': use cpu, cuda or cuda:1")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"there is no GPU '{name}' here ({torch.cuda.device_count()} found): use --device cpu")
    return device


def checked_folder(path):
    """The out folder, which the first result makes; InputError if it cannot be made or written to."""
    found = next(folder for folder in (path.absolute(), *path.absolute().parents) if os.path.lexists(folder))
    if not found.is_dir():
        raise InputError(f"cannot write to the out folder {path}: {found} is not a folder, choose another --out")
    if not os.access(found, os.W_OK | os.X_OK):
        raise InputError(f"cannot write to the out folder {path}: no permission in {found}, choose another --out")
    return path


@main.command("list")
def list_():
    """Show tasks, methods, networks and shipped images with their licences."""
    from . import images, methods, networks, tasks

    def section(title, rows):
        click.secho(title, bold=True)
        width = max(len(row[0]) for row in rows)
        for name, text in rows:
            click.echo(f"  {name:<{width}}  {text}")

    section("Tasks", [(name, cls.about) for name, cls in tasks.REGISTRY.items()])
    section("Methods", [(name, f"{cls.about} ({', '.join(cls.tasks or ('all tasks',))})")
                        for name, cls in methods.REGISTRY.items()])
    section("Networks", [(name, "U-Net of widths " + "-".join(map(str, widths)))
                         for name, widths in networks.PRESETS.items()])
    section("Images", [(name, f"{facts['what']} ({facts['task']}, {facts['role']}; {facts['licence']})")
                       for name, facts in images.catalogue().items()])
    click.echo("Origins, licences and citations: data/README.md")


@main.command()
@click.option("--port", type=click.IntRange(1, 65535), default=8888, show_default=True, help="Port on this machine.")
@click.option("--browser/--no-browser", default=True, help="Open a browser window.")
def lab(port, browser):
    """Open the lessons in JupyterLab, on this machine only and with a token."""
    lessons = Path(__file__).parent.parent / "lessons"
    if not lessons.is_dir():
        raise InputError(f"no lessons at {lessons}: get them with a copy of the whole repository")
    if importlib.util.find_spec("jupyterlab") is None:
        raise InputError("JupyterLab is not installed: pip install 'aseqdip-lite[lessons]'")
    command = [sys.executable, "-m", "jupyterlab", f"--notebook-dir={lessons}", "--ip=127.0.0.1", f"--port={port}"]
    if os.name == "posix" and os.geteuid() == 0:
        command.append("--allow-root")
    return subprocess.call(command if browser else [*command, "--no-browser"])


if __name__ == "__main__":
    main()
