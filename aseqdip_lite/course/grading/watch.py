"""The grader's side of a notebook's process: it has it started, reads what it sends, and ends it in time."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from ...files import temporary_folder
from ...settings import InputError

#: Processes at a time, bytes and files in the process's folder, bytes that it sends, at most.
MOST_PROCESSES, MOST_STORED, MOST_FILES, MOST_SENT = 32, 2**29, 10_000, 2**25

#: Seconds between two looks at a process, and those that a step may take beyond its time.
PULSE, GRACE = 0.2, 5.0

#: Why a process is ended that has used up its time.
TIME_IS_UP = "the time for the notebook is up"


class Server:
    """A process of `wall`, from which those of notebooks are forked; with it all of them end, however this one ends.

    Args:
        hidden: real paths of folders and files that no notebook shall see, see `private`.
        profile: in which notebooks run.
    """

    def __init__(self, hidden=(), profile="smoke"):
        self.hidden, self.profile, self.lock = list(hidden), profile, threading.Lock()
        self.open()

    def open(self):
        """Start the process."""
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", f"{__package__}.wall"], stdin=theirs, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, env=environment() | dict(ASEQDIP_PROFILE=self.profile),
                start_new_session=True)
        self.walls = None

    def close(self):
        """End the process, and with it all that were forked from it."""
        self.socket.close()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def ready(self):
        """Wait until it is ready; returns how well it keeps notebooks in, see `wall`: "all", "network" or "none"."""
        self.walls = self.walls or self.socket.recv(100).decode()
        if not self.walls:
            raise InputError("no process for notebooks can be started: free memory, or install aseqdip-lite again")
        return self.walls

    def start(self, folder, stdin, stdout):
        """The id of a new process behind walls, with a folder of its own and two open files."""
        message = json.dumps(dict(folder=folder, hidden=self.hidden)).encode()
        with self.lock:
            if self.process.poll() is not None:  # killed, perhaps for want of memory
                self.close()
                self.open()
            self.ready()
            socket.send_fds(self.socket, [message], [stdin, stdout])
            return int(self.socket.recv(100))

    def run(self, task, take, *, seconds, step_seconds, memory, stopped):
        """Give a process `task` as JSON on its stdin, and follow it until it ends or is ended.

        Args:
            task: plain JSON.
            take: function of each event, a dictionary, that the process sends as a line of JSON.
            seconds: how long it may last; step_seconds: and a step, which an event with the key "step" begins.
            memory: MiB of memory of all its processes together.
            stopped: function that says whether to end it now.

        Returns:
            Why it was ended, in words; None if it ended by itself.
        """
        with own_folder() as folder, tempfile.TemporaryFile() as stdin:
            stdin.write(json.dumps(task).encode())
            stdin.seek(0)
            ours, theirs = os.pipe()
            try:
                pid = self.start(folder, stdin.fileno(), theirs)
            finally:
                os.close(theirs)
            began, seen = birth(pid), set()
            try:
                return watch(pid, ours, take, seen, folder, seconds, step_seconds, memory * 2**20, stopped)
            finally:
                os.close(ours)
                end(pid, began, seen)


def environment():
    """The variables of a process: what Python needs, and proxies that nobody answers at."""
    here = str(Path(__file__).resolve().parents[3])
    proxies = {name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")}
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH") if name in os.environ}
    return proxies | kept | dict(LANG="C.UTF-8", PYTHONPATH=here, PYTHONDONTWRITEBYTECODE="1", MPLBACKEND="agg",
                                 OMP_NUM_THREADS="1", CUDA_VISIBLE_DEVICES="")


def private(*places):
    """Real paths of places that no notebook shall see: those given, the home folder, clones of the course around them.

    "/" is not among them: it cannot be hidden.
    """
    places = {Path(os.path.realpath(place)) for place in (*places, os.path.expanduser("~"))}
    around = {place.parent for place in places} | {Path(__file__).parents[3]}
    places |= {folder for folder in around if (folder / "lessons").is_dir() and (folder / "aseqdip_lite").is_dir()}
    return sorted(map(str, places - {Path("/")}))


@contextlib.contextmanager
def own_folder():
    """A new folder for a process; it is removed afterwards, whatever has become of its permissions."""
    with temporary_folder(tempfile.gettempdir()) as folder:
        try:
            yield os.path.realpath(folder)
        finally:
            subprocess.run(["chmod", "-R", "u+rwX", folder], stderr=subprocess.DEVNULL)
            subprocess.run(["rm", "-rf", folder], stderr=subprocess.DEVNULL)  # at any depth
            os.makedirs(folder, exist_ok=True)  # what the context removes


def watch(pid, pipe, take, seen, folder, seconds, step_seconds, memory, stopped):
    """Take the events of a process until it ends; the reason to end it, or None. `seen` gets all that it starts."""
    begun = step = look = time.monotonic()
    rest, sent = b"", 0
    while True:
        data = b""
        if select.select([pipe], [], [], PULSE)[0]:
            data = os.read(pipe, 2**16)
            sent += len(data)
            *lines, rest = (rest + data).split(b"\n")
            for event in filter(None, map(read_event, lines)):
                step = time.monotonic() if "step" in event else step
                take(event)
                if "end" in event:
                    return None
            if not data:
                return None
        elif birth(pid) is None:
            return None
        now = time.monotonic()
        if stopped():
            return "stopped"
        if now - begun > seconds:
            return TIME_IS_UP
        if now - step > step_seconds + GRACE:
            return f"it took more than {step_seconds:g} s"
        if sent > MOST_SENT:
            return "its answers are too large"
        if now - look > PULSE:
            look = now
            family = descendants(pid)
            seen |= family
            if len(family) > MOST_PROCESSES:
                return f"it started more than {MOST_PROCESSES} processes"
            if sum(resident(pid) for pid, _ in family) > memory:
                return f"it took more than {memory // 2**20} MiB of memory"
            if is_overfull(folder):
                return f"it wrote more than {MOST_STORED // 2**20} MiB or {MOST_FILES} files"


def read_event(line):
    """The dictionary of a line of JSON, or None."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def end(pid, began, seen):
    """Kill a process with all that it has started; where it has a namespace of its own, nothing escapes that.

    Args:
        pid, began: its id and its `birth`.
        seen: (id, birth) of others that it has started, who may have left it.
    """
    deadline = time.monotonic() + GRACE
    whole = {(pid, began)} | seen
    while (alive := {one for one in whole if one[1] and birth(one[0]) == one[1]}) and time.monotonic() < deadline:
        alive |= descendants(pid) if (pid, began) in alive else set()
        whole |= alive  # a killed process goes on until the system has time for its end: each is waited for
        for one, _ in alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(one, signal.SIGKILL)
        time.sleep(0.01)


def descendants(pid):
    """(id, `birth`) of the processes that a process has started, and of those that these have."""
    found, waiting = set(), [pid]
    while waiting and len(found) <= 10 * MOST_PROCESSES:
        for task in tasks(waiting.pop()):
            with contextlib.suppress(OSError):
                children = {(int(child), birth(child)) for child in task.read_text().split()}
                children = {child for child in children if child[1]} - found
                found |= children
                waiting += [child for child, _ in children]
    return found


def tasks(pid):
    """The files that name the children of each thread of a process; [] if it has gone."""
    with contextlib.suppress(OSError):
        return list(Path(f"/proc/{pid}/task").glob("*/children"))
    return []


def birth(pid):
    """When a process began, which tells it from a later one of the same id; None if it is gone or a zombie."""
    with contextlib.suppress(OSError):
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if state in "ZX" else fields[18]
    return None


def resident(pid):
    """Bytes of a process's own memory."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith(("RssAnon", "RssShmem")))


def is_overfull(folder):
    """Whether more lies in a folder than a notebook may write."""
    stored, count, waiting = 0, 0, [folder]
    while waiting and stored <= MOST_STORED and count <= MOST_FILES:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                count += 1
                stored += entry.stat(follow_symlinks=False).st_size
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
    return stored > MOST_STORED or count > MOST_FILES
