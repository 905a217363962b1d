"""What the commands share: errors in one line, options made of the settings, checks of device and folder."""

import functools
import json
import os
import resource
import sys
from contextlib import contextmanager
from pathlib import Path

import click

from ..run.interrupt import raised_interrupt
from ..settings import InputError, check_defined, checked_name, nearest, printable
from .streams import lost, steady

#: All settings, made by `python scripts/check_docs.py --write`: their classes need PyTorch, and --help does not wait.
SETTINGS = Path(__file__).parent / "settings.json"

#: The settings that a recorded search found for each task, network or profile, and method.
SEARCHED = Path(__file__).parents[1] / "methods" / "defaults.json"

#: What the option of a setting takes, by the setting's type.
OPTION_TYPES = {"int": dict(type=int), "float": dict(type=float), "str": dict(type=str),
                "bool": dict(is_flag=True, default=None), "schedule": dict(type=str, metavar="NUMBER|auto|SCHEDULE")}


#: Least address space in bytes. PyTorch and SciPy were seen to map 0.85 GiB; OpenBLAS, in SciPy, never returns from a
#: failed mapping as it is loaded, and takes no signal.
LEAST_MEMORY = 2**30


class Command(click.Command):
    """A command, refused with InputError before it imports PyTorch if a limit (ulimit -v) leaves no room for that."""

    def invoke(self, context):
        if 0 <= resource.getrlimit(resource.RLIMIT_AS)[0] < LEAST_MEMORY:
            raise InputError(f"the limit on memory is below {LEAST_MEMORY // 2**20} MiB, too little to load PyTorch: "
                             "raise it with `ulimit -v`")
        return super().invoke(context)


class Commands(click.Group):
    """Turns errors of the user or of the disk into a line and exit code 2, Ctrl-C, TERM and HUP into exit code 130.

    A command whose output is its result returns 0, as --help does: exit code 1 if a part of it could not be written.
    """

    command_class = Command

    def main(self, *args, **kwargs):
        steady()
        os.environ.pop("MPLBACKEND", None)  # pictures go to files: what was chosen for windows may not be there
        try:
            with raised_interrupt():
                status = super().main(*args, **kwargs | dict(standalone_mode=False))
            if status == 0 and (why := lost()):
                click.echo(f"aseqdip: the output could not be written: {why}", err=True)
                status = 1
        except (InputError, click.ClickException, OSError) as error:
            text = error.format_message() if isinstance(error, click.ClickException) else str(error)
            click.echo(f"aseqdip: {printable(' '.join(text.split())) or type(error).__name__}", err=True)
            status = 2
        except (KeyboardInterrupt, click.Abort):  # an Abort is a RuntimeError
            click.echo("aseqdip: stopped", err=True)
            status = 130
        except (MemoryError, RuntimeError, ImportError) as error:
            if not is_out_of_memory(error):
                raise
            click.echo("aseqdip: out of memory: choose a smaller image or --size, fewer coils, a smaller --network, or "
                       "a machine with more", err=True)
            status = 2
        sys.exit(status)


def is_out_of_memory(error):
    """Whether an error says that no memory is left: of PyTorch, oneDNN, C++, threads and the loader, in this order."""
    words = ("out of memory", "can't allocate memory", "could not create a primitive", "bad_alloc",
             "can't start new thread", "failed to map segment", "cannot allocate memory")
    return isinstance(error, MemoryError) or any(word in str(error).lower() for word in words)


class SettingsCommand(Command):
    """A command on a TASK whose options include the settings of that task and, if it has --method, of that method.

    Once the task is known, `context.obj` holds what `settings_of` returns. InputError for an unknown task or method, a
    method not defined for the task, a setting that neither has.
    """

    def parse_args(self, context, args):
        given, _, _ = self.make_parser(context).parse_args(list(args))
        if isinstance(task := given.get("task"), str):  # else click reports that TASK is missing
            own = {option.name: option for option in super().get_params(context)}
            method = given.get("method", own["method"].default) if "method" in own else None
            context.obj = settings_of(task, method)
            check_owners(given.keys() - own.keys(), task, method, context.obj)
        return super().parse_args(context, args)

    def get_params(self, context):
        """Own options, then those of the settings; before the task is known, those of all tasks and methods."""
        own, sections = self.own_and_settings(context)
        if not sections:
            every = {name: facts for kind in catalogue().values() for owner in kind.values()
                     for name, facts in owner["settings"].items() if name not in {option.name for option in own}}
            sections = {"": setting_options(every)}
        return own + [option for options in sections.values() for option in options]

    def own_and_settings(self, context):
        """(own options, {owner: options of its settings}); a setting replaces an own option of its name, as --steps."""
        sections = {owner: setting_options(settings) for owner, settings in (context.obj or {}).items()}
        names = {option.name for options in sections.values() for option in options}
        return [option for option in super().get_params(context) if option.name not in names], sections

    def format_options(self, context, formatter):
        """The options in sections, then where to read on."""
        own, sections = self.own_and_settings(context)
        sections = {f"{self.name.capitalize()} options": own} | {f"Settings of {owner}": options
                                                                 for owner, options in sections.items()}
        rows = {heading: [option.get_help_record(context) for option in options if isinstance(option, click.Option)]
                for heading, options in sections.items()}
        if not context.obj:
            rows["Tasks"] = [(name, facts["about"]) for name, facts in catalogue()["tasks"].items()]
        for heading, records in rows.items():
            with formatter.section(heading):
                formatter.write_dl(records or [("none", "")])
        formatter.write_paragraph()
        formatter.write_text(self.next_step(context))

    def next_step(self, context):
        """Where to read on, in a line: the settings of a task, or the other methods for the task."""
        if not context.obj:
            return f"The settings of a task:  {context.command_path} TASK --help"
        task, *method = context.obj
        more = f" Settings of one of them:  {context.command_path} {task} --method NAME --help" if method else ""
        return f"Methods for {task}: {', '.join(methods_of(task))}.{more}"


@functools.cache
def catalogue():
    """{"tasks" or "methods": {name: {"about", "settings", ...}}}, what `SETTINGS` holds."""
    return json.loads(SETTINGS.read_text(encoding="utf-8"))


def methods_of(task):
    """Names of the methods that are defined for a task."""
    return [name for name, facts in catalogue()["methods"].items() if facts["tasks"] is None or task in facts["tasks"]]


def settings_of(task, method=None):
    """{task: its settings, method: its settings}, each {name: facts}, with the defaults of the profile laptop.

    A setting that both have is the task's: "noise" of denoising and of SGLD-DIP.
    """
    tasks, methods = catalogue()["tasks"], catalogue()["methods"]
    sections = {task: tasks[nearest(task, tasks, "task")]["settings"]}
    if method is not None:
        facts = methods[nearest(method, methods if method in methods else methods_of(task), "method")]
        check_defined(method, task, methods_of(task), facts["limit"])
        searched = json.loads(SEARCHED.read_text(encoding="utf-8")).get(task, {}).get("laptop", {}).get(method, {})
        sections[method] = {name: setting | dict(default=searched.get(name, setting["default"]))
                            for name, setting in facts["settings"].items() if name not in sections[task]}
    return sections


def setting_options(settings):
    """The click options of settings {name: facts}; a setting with choices takes one of them alone."""
    def check(context, option, value):
        choices = settings[option.name]["choices"]
        return value if choices is None or value is None else nearest(value, choices, option.name)

    options = []
    for name, facts in settings.items():
        choices = f": {' | '.join(facts['choices'])}" if facts["choices"] else ""
        default = "" if facts["default"] is None or facts["default"] is False else f"  [default: {facts['default']}]"
        options.append(click.Option([f"--{name.replace('_', '-')}", name], callback=check,
                                    help=f"{facts['help']}{choices}{default}", **OPTION_TYPES[facts["type"]]))
    return options


def check_owners(given, task, method, sections):
    """InputError if one of the given settings is neither the task's nor the method's."""
    known = {name for section in sections.values() for name in section}
    for name in sorted(given - known):
        owners = f"is a setting of neither the task {task} nor the method {method}: they have" if method else (
            f"belongs to a method, or to another task than {task}: compare takes only settings of the task,")
        raise InputError(f"--{name.replace('_', '-')} {owners} {', '.join(sorted(known))}")


def split_settings(task, settings):
    """The settings that have a value, as two dictionaries: those of the task, and the others, of the method."""
    of_task, of_method = {}, {}
    for name, value in settings.items():
        if value is not None:
            (of_task if name in catalogue()["tasks"][task]["settings"] else of_method)[name] = value
    return of_task, of_method


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


def checked_folder(name):
    """The path of the out folder, which the first result makes; InputError if it cannot be made or written to."""
    if not name:
        raise InputError("--out is empty: name a folder, or . for the current one")
    path = Path(checked_name(name, "the out folder"))
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
        raise InputError(f"--deterministic is not available here: {str(error).split('. ')[0]}") from None
    finally:
        torch.use_deterministic_algorithms(False)
