"""The command line `aseqdip`. Heavy imports wait inside the commands, so that --help is quick."""

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


class Commands(click.Group):
    """Turns every input error into one line and exit code 2, an immediate Ctrl-C into exit code 130."""

    def main(self, *args, **kwargs):
        try:
            status = super().main(*args, **kwargs | dict(standalone_mode=False))
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message())
            status = 0
        except (InputError, click.ClickException) as error:
            text = error.format_message() if isinstance(error, click.ClickException) else str(error)
            click.echo(f"aseqdip: {' '.join(text.split())}", err=True)
            status = 2
        except (KeyboardInterrupt, click.Abort):
            click.echo("aseqdip: stopped", err=True)
            status = 130
        sys.exit(status)


class SettingsCommand(click.Command):
    """A command whose options include the settings of all tasks and methods, read off their registries."""

    def get_params(self, context):
        if "settings" not in context.meta:
            context.meta["settings"] = setting_options()
        return super().get_params(context) + context.meta["settings"]


def setting_options():
    """One option per setting name; its help says which tasks and methods have it and with what default."""
    from . import methods, tasks

    owners = {}
    for registry in (tasks.REGISTRY, methods.REGISTRY):
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
        texts.setdefault((field.metadata["help"], field.metadata["choices"]), []).append(f"{owner} {field.default}")
    parts = []
    for (text, choices), defaults in texts.items():
        parts.append(f"{text}{': ' + ' | '.join(choices) if choices else ''} [{', '.join(defaults)}]")
    return "; ".join(parts)


@click.group(cls=Commands, context_settings=dict(help_option_names=["-h", "--help"]))
@click.version_option(package_name="aseqdip-lite")
def main():
    """Untrained image reconstruction: Deep Image Prior, aSeqDIP and their relatives.

    Start with:  aseqdip run mri      then:  aseqdip lab
    """


@main.command(cls=SettingsCommand, epilog=EXAMPLES)
@click.argument("task")
@click.option("--method", default="aseqdip", show_default=True, help="How to reconstruct; see `aseqdip list`.")
@click.option("--image", default=None, help="A shipped image (see `aseqdip list`) or a file: .npy, .npz, .png, .h5.")
@click.option("--slice", "slice_index", type=int, default=None, help="Slice of a volume; the middle one by default.")
@click.option("--steps", type=int, default=None, help="Adam steps in all (N K); solver iterations of classic methods.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the data and of the initial weights.")
@click.option("--data-seed", type=int, default=None, help="Seed of the data alone; --seed by default.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda or cuda:1.")
@click.option("--profile", default="laptop", show_default=True, help="smoke (seconds) | laptop | paper (published).")
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
    from .reconstruct import check_run, reconstruct

    given = {name: value for name, value in settings.items() if value is not None}
    task_settings, method_settings = split_settings(tasks.get(task), methods.get(method), given)
    check_run(seed=seed, steps=steps, patience=patience)
    device = checked_device(device)
    chosen = methods.configure(method, task, profile, steps, **method_settings)
    budget = steps if chosen.budget else None
    case = tasks.load_case(task, image, seed=seed if data_seed is None else data_seed, profile=profile,
                           slice_index=slice_index, **task_settings)
    out = checked_folder(out or Path("out") / f"{task}-{method}")
    result = reconstruct(case.to(device), chosen, seed=seed, steps=budget, out=out, resume=resume, patience=patience,
                         progress=not quiet)
    result.save(out)
    click.echo(result)
    click.echo(f"written to {out}: recon.png recon.npy curve.csv metrics.json")
    if result.metrics["stop_reason"] == "interrupted":
        click.echo("interrupted: the partial result is stored; go on with --resume", err=True)
        return 130
    return 0


def split_settings(task, method, given):
    """Divide given settings among task and method; InputError for one that belongs to neither."""
    of_task = {field.name for field, _, _ in fields_of(task)}
    of_method = {field.name for field, _, _ in fields_of(method)}
    for name in given:
        if name not in of_task | of_method:
            raise InputError(f"--{name.replace('_', '-')} is a setting of neither the task {task.name} "
                             f"nor the method {method.name}: they have {', '.join(sorted(of_task | of_method))}")
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
    """Make the out folder; InputError if it cannot be made or written to."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(f"cannot write to the out folder {path} ({error.strerror}): choose another --out") from None
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
    section("Images", [(name, f"{facts['what']} ({facts['task']}, for {facts['role']}s; {facts['licence']})")
                       for name, facts in images.catalogue().items()])
    click.echo("Origins, licences and citations: data/README.md")


@main.command()
@click.option("--port", type=int, default=8888, show_default=True, help="Port on this machine.")
@click.option("--browser/--no-browser", default=True, help="Open a browser window.")
def lab(port, browser):
    """Open the lessons in JupyterLab, on this machine only and with a token."""
    lessons = Path(__file__).parent.parent / "lessons"
    if not lessons.is_dir():
        raise InputError(f"no lessons at {lessons}: get them with a copy of the whole repository")
    command = [sys.executable, "-m", "jupyterlab", f"--notebook-dir={lessons}", "--ip=127.0.0.1", f"--port={port}"]
    if os.name == "posix" and os.geteuid() == 0:
        command.append("--allow-root")
    return subprocess.call(command if browser else [*command, "--no-browser"])


@main.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("out/demo"), show_default=True, help="Folder.")
@click.option("--profile", default="laptop", show_default=True, help="smoke | laptop | paper.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the data and of the initial weights.")
def demo(out, profile, seed):
    """Reconstruct a brain slice by aSeqDIP, Deep Image Prior and two classic methods, side by side."""
    from .demo import run_demo

    run_demo(checked_folder(out), profile, seed, click.echo)


if __name__ == "__main__":
    main()
