"""Whose a serial port is: the programs that have it open, and the group whose members may open it.

Linux tells by /proc; elsewhere nothing is known, and that is said.
"""

import os
from pathlib import Path

from microtill.device.texts import t

_PROC = Path("/proc")
_PTS_MAJOR = 136  # Linux's /dev/pts


def program_of(path: str) -> str:
    """The programs that hold the port, as "name (process ID)"; "another program" when nobody can tell."""
    return ", ".join(f"{name} ({pid})" for pid, name in holders(path)) or t("program.unknown")


def holders(path: str) -> list[tuple[int, str]]:
    """(process ID, name) of those that locked the port, else of those that have it open; never this process."""
    try:
        port = os.stat(path)
    except OSError:
        return []
    pids = _lockers(port) or _openers(port)
    return [(pid, name) for pid in sorted(pids - {os.getpid()}) if (name := _name(pid))]


def group_of(path: str) -> str:
    """The group to join for the right to open `path`; empty when its members have none, or there are no groups."""
    try:
        import grp

        found = os.stat(path)
        return grp.getgrgid(found.st_gid).gr_name if found.st_mode & 0o060 == 0o060 else ""
    except (ImportError, OSError, KeyError):
        return ""


def is_virtual(path: str) -> bool:
    """Whether the port is a Linux pseudo-terminal, which its maker holds open."""
    try:
        return os.major(os.stat(path).st_rdev) == _PTS_MAJOR
    except (OSError, AttributeError):
        return False


def _lockers(port: os.stat_result) -> set[int]:
    """By /proc/locks: `1: FLOCK ADVISORY WRITE <pid> <major>:<minor>:<inode> 0 EOF` (proc(5)), numbers in hex."""
    where = f"{os.major(port.st_dev):02x}:{os.minor(port.st_dev):02x}:{port.st_ino}"
    found = set()
    for line in _read(_PROC / "locks").splitlines():
        words = line.split()
        if len(words) >= 6 and words[1] == "FLOCK" and words[5] == where and words[4].isdigit():
            found.add(int(words[4]))
    return found


def _openers(port: os.stat_result) -> set[int]:
    found = set()
    for folder in _PROC.glob("[0-9]*"):
        try:
            for descriptor in (folder / "fd").iterdir():
                if _same(descriptor, port):
                    found.add(int(folder.name))
                    break
        except OSError:
            continue  # another user's process, or one that has just ended
    return found


def _same(descriptor: Path, port: os.stat_result) -> bool:
    try:
        found = descriptor.stat()
    except OSError:
        return False
    return found.st_rdev == port.st_rdev and found.st_ino == port.st_ino and found.st_rdev != 0


def _name(pid: int) -> str:
    return _read(_PROC / str(pid) / "comm").strip()


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
