"""The process that notebooks' processes are forked from, and the walls around them.

It imports once what each of them needs. Where Linux lets a user make namespaces, a notebook then has no network, sees
no other process, may write to its own folder alone, and finds the folders that are hidden from it empty but for Python
and the packages ("all"). Sockets are files that lead out past a missing network: those that the system names, and the
folders `SHARED`, are hidden, too. Where only the network can be cut off, it is ("network"), else nothing is ("none").
Memory and files are bounded everywhere.

It is started by `watch.Server` with a socket as its stdin: a message is a folder and two open files, the answer an id.
"""

import contextlib
import ctypes
import json
import os
import re
import select
import signal
import socket
import sys
import tempfile
from pathlib import Path

#: What processes behind walls of a kind can still reach.
OPEN = dict(network="files of yours and other processes", none="the network, files of yours and other processes")

#: Flags of unshare(2) and an option of prctl(2).
NEWNS, NEWUSER, NEWPID, NEWNET, PDEATHSIG = 0x20000, 0x10000000, 0x20000000, 0x40000000, 1

#: Flags of mount(2), and those that a remount has to repeat, as mountinfo names them.
RDONLY, REMOUNT, BIND, REC, PRIVATE = 1, 32, 4096, 16384, 1 << 18
KEPT = dict(nosuid=2, nodev=4, noexec=8, nosymfollow=256, noatime=1024, nodiratime=2048, relatime=1 << 21)

#: Folders where programs put sockets and temporary files.
SHARED = ("/run", "/var/run", "/tmp", "/var/tmp", "/var/lock")

#: Folders without which no process runs.
SYSTEM = ("/bin", "/dev", "/etc", "/lib", "/lib64", "/proc", "/sbin", "/sys", "/usr")

LIBC = ctypes.CDLL(None, use_errno=True)


def unshare(flags):
    """unshare(2); OSError where it is refused."""
    if LIBC.unshare(flags):
        raise OSError(ctypes.get_errno(), "unshare")


def end_with_parent():
    """Have this process killed when its parent ends."""
    LIBC.prctl(PDEATHSIG, signal.SIGKILL)


def mount(source, place, kind=None, flags=0, options=None):
    """mount(2); OSError where it is refused."""
    source, place, kind, options = (text and os.fsencode(text) for text in (source, place, kind, options))
    if LIBC.mount(source, place, kind, ctypes.c_ulong(flags), options):
        raise OSError(ctypes.get_errno(), "mount", os.fsdecode(place))


def sockets():
    """The paths of the sockets that programs listen at here, as far as the system names them."""
    with open("/proc/net/unix", errors="surrogateescape") as table:
        paths = [line.rstrip("\n").split(maxsplit=7)[7:] for line in table]
    return {path[0] for path in paths if path and path[0].startswith("/")}


def needed():
    """{path: real path} of the folders that Python, its packages and this one lie in."""
    package = Path(__file__).parents[2]
    paths = [path for path in sys.path if not os.path.isdir(os.path.join(path, "lessons"))]  # no clone of the course
    paths += [sys.prefix, sys.base_prefix, package, *SYSTEM, *os.environ.get("LD_LIBRARY_PATH", "").split(":")]
    return {os.path.abspath(path): os.path.realpath(path) for path in paths if path and os.path.isdir(path)}


def build(folder, hidden, needed):
    """Hide places, bring back what is `needed` of them, and make all read-only but the folder and /dev/shm."""
    mount(None, "/", flags=REC | PRIVATE)
    held = {place: os.open(place, os.O_PATH) for place in {folder, *needed.values()}}
    for place in sorted({*hidden, *held}):  # a folder comes before what lies in it
        with contextlib.suppress(FileNotFoundError):  # it has gone meanwhile, or with the folder that it was in
            if place in held:
                if place == folder or not os.path.exists(place):
                    os.makedirs(place, exist_ok=True)
                    mount(f"/proc/self/fd/{held[place]}", place, flags=BIND | REC)
            elif os.path.isdir(place):
                mount("none", place, "tmpfs", options="size=64k")
            elif os.path.exists(place):
                mount("/dev/null", place, flags=BIND)
    for descriptor in held.values():
        os.close(descriptor)
    for path, real in sorted(needed.items()):
        if not os.path.exists(path):  # a link that was hidden, as that to an environment in a home folder
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.symlink(real, path)
    mount("proc", "/proc", "proc")
    with open("/proc/self/mountinfo", errors="surrogateescape") as table:
        mounts = [line.split()[:6] for line in table]
    for number, _, _, _, place, options in mounts:
        place = re.sub(r"\\(\d{3})", lambda match: chr(int(match[1], 8)), place)
        if place != folder and is_on_top(number, place):
            kept = sum(KEPT.get(option, 0) for option in options.split(","))
            mount(None, place, flags=REMOUNT | BIND | RDONLY | kept)
    if os.path.isdir("/dev/shm"):
        mount("none", "/dev/shm", "tmpfs", options="size=256m")


def is_on_top(number, place):
    """Whether the mount of this number is what one finds at a place: others are covered, and out of reach."""
    try:
        descriptor = os.open(place, os.O_PATH)
    except OSError:
        return False
    with open(f"/proc/self/fdinfo/{descriptor}") as facts:
        found = f"mnt_id:\t{number}\n" in facts.read()
    os.close(descriptor)
    return found


def confine(kind, folder, hidden):
    """Put this process behind walls of a kind, see the module, and into its folder; OSError where it cannot be.

    With "all" the process that goes on is a child of the one that called, which only waits for it.
    """
    user, group, shared = os.getuid(), os.getgid(), {os.path.realpath(place) for place in SHARED} | sockets()
    if kind != "none":
        unshare(NEWUSER | NEWNET | (NEWNS | NEWPID if kind == "all" else 0))
        for name, content in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(content)
    end_with_parent()
    if kind == "all":
        lifeline, held = os.pipe()  # its end tells the child that the parent had ended before `end_with_parent`
        if child := os.fork():
            for stream in (0, 1, 2):
                os.close(stream)
            os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 255)
        os.close(held)
        build(folder, {*hidden, *shared}, needed())
        unshare(NEWUSER)  # the mounts are then not this process's to change
        end_with_parent()
        if select.select([lifeline], [], [], 0)[0]:
            os._exit(1)
        os.close(lifeline)
    os.chdir(folder)


def best(hidden=()):
    """The best kind of walls to be had here."""
    for kind in ("all", "network"):
        with tempfile.TemporaryDirectory() as folder:
            if not (child := os.fork()):
                try:
                    confine(kind, os.path.realpath(folder), hidden)
                    os._exit(0)
                finally:
                    os._exit(1)
            if os.waitpid(child, 0)[1] == 0:
                return kind
    return "none"


def serve():
    """Fork a process for each message until the socket is closed."""
    link = socket.socket(fileno=os.dup(0))
    kind = best()
    preload()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # ended ones need not be waited for
    link.send(kind.encode())
    while True:
        message, streams, _, _ = socket.recv_fds(link, 2**16, 2)
        if not message:
            return
        if not (child := os.fork()):
            try:
                link.close()
                begin(kind, json.loads(message), streams)
            finally:
                os._exit(1)
        for stream in streams:
            os.close(stream)
        link.send(str(child).encode())


def begin(kind, message, streams):
    """Run a notebook in this new process; does not return."""
    from . import pupil

    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    folder = message["folder"]
    os.environ.update(HOME=folder, TMPDIR=folder, IPYTHONDIR=f"{folder}/.ipython")
    tempfile.tempdir = None
    confine(kind, folder, message["hidden"])
    pupil.main()


def preload():
    """Import what lessons import. Nothing is computed here: PyTorch's gradients do not outlive a fork."""
    import ipywidgets  # noqa: F401
    import matplotlib.pyplot  # noqa: F401
    from IPython.core import interactiveshell  # noqa: F401

    from ... import methods, study, tasks  # noqa: F401
    from ...run import plots  # noqa: F401
    from . import exchange  # noqa: F401


if __name__ == "__main__":
    serve()
