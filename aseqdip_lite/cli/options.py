"""What the commands of `cli` share: errors in one line, options read off the settings, checks of device and folder."""

import os
import sys
from contextlib import contextmanager

import click

from ..settings import InputError, fields_of


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
    from .. import methods, tasks

    owners = {}
    for registry in (tasks.REGISTRY, methods.REGISTRY if of_methods else {}):
        for owner, cls in registry.items():
            for field, kind, _ in fields_of(cls):
                if field.name != "steps":  # --steps is the budget of every method
                    owners.setdefault(field.name, []).append((owner, field, kind))
    return [click.Option([f"--{name.replace('_', '-')}", name], default=None, help=setting_help(found),
                         **taken(found[0])) for name, found in owners.items()]


def taken(owner):
    """What the option of an (owner, field, type) takes: text where the setting may also be a schedule."""
    _, field, kind = owner
    return dict(type=str, metavar="NUMBER|auto|SCHEDULE") if field.metadata["parse"] else dict(type=kind)


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


@contextmanager
def determinism(wanted):
    """Run the body in PyTorch's deterministic mode, if wanted; InputError where an operation has no such form."""
    import torch

    if not wanted:
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # older versions of PyTorch ask for it on a GPU
    torch.utils.deterministic.fill_uninitialized_memory = False  # what is new is written to before it is read
    torch.use_deterministic_algorithms(True)
    try:
        yield
    except RuntimeError as error:
        if "determinis" not in str(error).lower():
            raise
        raise InputError(f"--deterministic cannot be had here: {str(error).split('. ')[0]}") from None
    finally:
        torch.use_deterministic_algorithms(False)
