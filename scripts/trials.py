"""Trials that are recorded as they are finished, so that an interrupted search or study goes on where it was."""

import json

from aseqdip_lite.checkpoint import write_atomically
from aseqdip_lite.sweep import sweep


def stored(file):
    """The rows of a JSON file; none if it is not there."""
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else []


def record(run, trials, rows, file, key, *, label, workers=None):
    """Run the trials that are not among the rows; each result joins `rows` and is on the disk as soon as it is there.

    Args:
        run: run(trial, watch) returns a row of plain JSON, see `sweep`. trials: dictionaries with a "budget" of
            steps, which is not stored. rows: list of what is stored, added to. file: where.
        key: key(trial) and key(row) are what identifies a trial.

    Raises:
        SystemExit: it was interrupted.
    """
    done = {key(row) for row in rows}
    left = {key(trial): trial for trial in trials if key(trial) not in done}
    print(f"{label}: {len(left)} trials to run, {len(trials) - len(left)} done before", flush=True)

    def finished(_, row):
        rows.append({name: value for name, value in row.items() if name != "budget"})
        write_atomically(file, lambda stream: stream.write(json.dumps(rows, indent=1).encode() + b"\n"))

    if left and len(sweep(run, left, workers=workers, finished=finished, label=label)) < len(left):
        raise SystemExit("interrupted: started again, it goes on here")
