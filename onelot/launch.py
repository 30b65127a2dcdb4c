"""Become one server: take up its identity, die with the parent, exec. Run as a file by a bare interpreter, so it imports nothing of ours.

Arguments: the parent's process id, the signal to get when the parent dies, an identity, then the program and its arguments.
A program of its own and not a `preexec_fn`, because Python code between fork and exec can hang when the parent has threads.
"""

import ctypes
import os
import pwd
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def main(parent: int, farewell: int, identity: str, program: list[str]) -> None:
    if identity == "nobody":
        become_nobody()
    elif identity == "namespace":
        enter_namespace()
    _libc.prctl(PR_SET_PDEATHSIG, farewell, 0, 0, 0)  # After the change of identity: that clears it.
    if os.getppid() != parent:  # It died before we could ask to be told.
        sys.exit("the parent is gone")
    os.execv(program[0], program)  # noqa: S606 - no shell is the point.


def become_nobody() -> None:
    """PostgreSQL refuses to run as root, and initdb wants a user with a passwd entry: nobody exists everywhere."""
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)


def enter_namespace() -> None:
    """Look like nobody to ourselves while files are still reached as root: for data under a home that only root may enter."""
    nobody, user, group = pwd.getpwnam("nobody"), os.geteuid(), os.getegid()
    if _libc.unshare(CLONE_NEWUSER):
        sys.exit(f"user namespaces are not allowed here: {os.strerror(ctypes.get_errno())}")
    Path("/proc/self/setgroups").write_text("deny")  # The kernel takes a group map of an unprivileged process only after this.
    Path("/proc/self/uid_map").write_text(f"{nobody.pw_uid} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{nobody.pw_gid} {group} 1")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
