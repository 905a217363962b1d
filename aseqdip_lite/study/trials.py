"""Runs that are recorded as they are finished, so that an interrupted search, study or table goes on where it was."""

import json

from ..files import to_json, write_atomically
from ..settings import InputError
from .sweep import sweep


def stored(file):
    """The rows of a JSON file; none if it is not there.

    Raises:
        InputError: the file is damaged.
    """
    if not file.exists():
        return []
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        raise InputError(f"{file} is damaged: remove it to begin anew, or put it back as it was") from None


def record(run, trials, rows, file, key, *, label, workers=None, progress=True):
    """Run the trials that are not among the rows; each result joins `rows` and is on the disk as soon as it is there.

    Args:
        run: run(trial, watch) returns a row of plain JSON, see `sweep`. trials: dictionaries with a "budget" of
            steps, which is not stored. rows: list of what is stored, added to. file: where; None stores nothing.
        key: key(trial) and key(row) are what identifies a trial.
        label, workers, progress: see `sweep`.

    Raises:
        KeyboardInterrupt: it was interrupted; started again, it goes on there.
    """
    done = {key(row) for row in rows}
    left = {key(trial): trial for trial in trials if key(trial) not in done}
    if progress:
        print(f"{label}: {len(left)} trials to run, {len(trials) - len(left)} done before", flush=True)

    def finished(_, row):
        rows.append({name: value for name, value in row.items() if name != "budget"})
        if file is not None:
            write_atomically(file, lambda stream: stream.write(to_json(rows).encode()))

    if left and len(sweep(run, left, workers=workers, finished=finished, progress=progress, label=label)) < len(left):
        raise KeyboardInterrupt
