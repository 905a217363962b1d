"""The process that notebooks' processes are forked from, and the walls around them.

It imports once what each of them needs. Where Linux lets a user make namespaces, a notebook then has no network, sees
no other process, may write to its own folder alone, and finds the folders that are hidden from it empty ("all"). Where
only the network can be cut off, it is ("network"), else nothing is ("none"). Memory and files are bounded everywhere.

It is started by `watch.Server` with a socket as its stdin: a message is a folder and two open files, the answer an id.
"""

import ctypes
import json
import os
import signal
import socket
import subprocess
import tempfile

#: What processes behind walls of a kind can still reach.
OPEN = dict(network="files of yours and other processes", none="the network, files of yours and other processes")

#: Flags of unshare(2) and an option of prctl(2).
NEWNS, NEWUSER, NEWPID, NEWNET, PDEATHSIG = 0x20000, 0x10000000, 0x20000000, 0x40000000, 1

#: Makes all mounts read-only but the folder $1 and /dev/shm, and hides the folders and files that follow.
SCRIPT = r"""
set -e
folder=$1; shift
mount --make-rprivate /
mount --bind "$folder" "$folder"
for hidden; do
    if [ -d "$hidden" ]; then mount -t tmpfs -o size=4k none "$hidden"; else mount --bind /dev/null "$hidden"; fi
done
mount -t proc proc /proc
cat /proc/self/mountinfo > "$folder/.mounts"
while read -r _ _ _ _ place flags _; do
    place=$(printf %b "$place")
    [ "$place" = "$folder" ] || mount -o "remount,bind,ro,${flags#r?,}" "$place"
done < "$folder/.mounts"
rm "$folder/.mounts"
[ ! -d /dev/shm ] || mount -t tmpfs -o size=256m none /dev/shm
"""


LIBC = ctypes.CDLL(None, use_errno=True)


def unshare(flags):
    """unshare(2); OSError where it is refused."""
    if LIBC.unshare(flags):
        raise OSError(ctypes.get_errno(), "unshare")


def end_with_parent():
    """Have this process killed when its parent ends."""
    LIBC.prctl(PDEATHSIG, signal.SIGKILL)


def confine(kind, folder, hidden):
    """Put this process behind walls of a kind, see the module, and into its folder; OSError where it cannot be.

    With "all" the process that goes on is a child of the one that called, which only waits for it.
    """
    user, group = os.getuid(), os.getgid()
    if kind != "none":
        unshare(NEWUSER | NEWNET | (NEWNS | NEWPID if kind == "all" else 0))
        for name, content in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(content)
    end_with_parent()
    if kind == "all":
        if child := os.fork():
            for stream in (0, 1, 2):
                os.close(stream)
            os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 255)
        if subprocess.run(["sh", "-c", SCRIPT, "sh", folder, *hidden], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
            raise OSError("mount")
        unshare(NEWUSER)  # the mounts are then not this process's to change
        end_with_parent()
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
