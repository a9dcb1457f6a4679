"""Finds the processes that a run's commands have started, and, as a process of its own, ends what is left of them.

The watcher is a small process that outlives the engine's. It owns what the kernel cannot reach when the engine's
process is killed: processes that have left their command's group. It is run as a file by a fresh interpreter and loads
nothing of asyncflow. It refuses all other work: as long as the engine's process lives it only waits, and what is not of
the run it does not touch. It starts with a first command, so it imports only what it cannot do without: `typing` would
be a third of its start.

Three things tell whose a process is, and all are inherited: a mark in its environment, a badge among its open files,
and its descent. What has cleared its environment still has the badge, what has closed all files still has a parent; and
a process that is just in ``execve``, where it has no environment for a moment, keeps its files. Where commands have
control groups, these tell it, too.
"""

import os
import signal
import sys
import time

WATCHER = "ASYNCFLOW_WATCHER"
"""An environment variable of watchers: if a command runs an engine, its watcher has still to end what that leaves."""
_FIRST_PAUSE = 0.01  # seconds that the kernel gets to end what was killed, before the next look
_LONGEST_PAUSE = 1.0  # one that hangs in the kernel must not keep a processor busy
_NOBODYS = ""
MEMBERS = "cgroup.procs"
"""The file of a control group that lists the processes in it; what is written to it goes in."""

Process = tuple[int, int, int, int]
"""Its number, its parent's, its group's, and when it began, in ticks since the machine did."""


def watch(mark: bytes, badge: str, group: str = "") -> None:
    """Wait until the engine's process has ended, then kill until nothing is left.

    Args:
        mark: how a variable begins that is in the environment of all that is to be killed; a name follows, and its
            last part, after a hyphen, says whose.
        badge: how a link to an open file of theirs begins; the same part follows.
        group: the control group of the run, if it has one.
    """
    os.read(0, 1)  # of a pipe whose writing end only the engine's process holds: it returns at the hang-up
    pause = _FIRST_PAUSE
    quiet = 0
    while quiet < 2:  # one look may miss a child whose parent ended meanwhile
        quiet = 0 if kill_marked(mark, badge, group) else quiet + 1
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
    if group:
        remove_group(group)


def kill_marked(mark: bytes, badge: str, group: str) -> int:
    """Kill all that is of the run, with what descends from it, and tell how many these were."""
    killed = 0
    roots = {pid: "-" for pid in members(group)} if group else None
    for family in look(mark, badge, 0, roots).values():
        for process in family:
            descriptor = send(process, signal.SIGKILL)
            if descriptor is not None:
                killed += 1
                if descriptor >= 0:
                    os.close(descriptor)
    if group:
        kill_group(group)
    return killed


def members(group: str) -> list[int]:
    """The numbers of the processes in a control group and in those below it, which an engine in it may have made."""
    found = []
    for folder, _, _ in os.walk(group):
        try:
            with open(f"{folder}/{MEMBERS}") as file:
                found += [int(line) for line in file if line != "0\n"]  # 0: one that cannot be seen from here
        except OSError:
            pass  # somebody has removed it
    return found


def kill_group(group: str) -> None:
    """Kill all that is in a control group, also what is just being started; before Linux 5.14, nothing."""
    try:
        descriptor = os.open(f"{group}/cgroup.kill", os.O_WRONLY)
    except OSError:
        return
    try:
        os.write(descriptor, b"1")
    except OSError:
        pass  # it is gone
    finally:
        os.close(descriptor)


def remove_group(group: str) -> None:
    """Remove a control group with those below it, as far as there is nothing in them any more."""
    for folder, _, _ in os.walk(group, topdown=False):
        try:
            os.rmdir(folder)
        except OSError:
            pass


def look(
    mark: bytes, badge: str | None, since: int = 0, roots: dict[int, str] | None = None
) -> dict[str, list[Process]]:
    """The processes of a run that live, by whose they are.

    Args:
        mark: as for `watch`.
        badge: the same.
        since: what began before that, in ticks, is of no interest.
        roots: whose some are that surely live or are not yet reaped, by their numbers.
    """
    whose = dict(roots or {})
    living: list[Process] = []
    for name in os.listdir("/proc"):
        if name.isdecimal() and (process := process_of(int(name))) is not None and process[3] >= since:
            living.append(process)
            if (owner := _owner(name, mark, badge)) is not None:
                whose[process[0]] = owner
    found = True
    while found:  # a child has often a higher number than its parent, but not always
        found = False
        for pid, parent, _, _ in living:
            if pid not in whose and whose.get(parent, _NOBODYS) != _NOBODYS:
                whose[pid] = whose[parent]
                found = True
    families: dict[str, list[Process]] = {}
    for process in living:
        owner = whose.get(process[0], _NOBODYS)
        if owner != _NOBODYS:
            families.setdefault(owner, []).append(process)
    return families


def process_of(pid: int) -> Process | None:
    """What the kernel says of a process; None if it has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else (pid, int(fields[1]), int(fields[2]), int(fields[19]))


def _owner(pid: str, mark: bytes, badge: str | None) -> str | None:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            environment = b"\0" + file.read()
        if b"\0" + WATCHER.encode() in environment:
            return _NOBODYS
        _, is_marked, rest = environment.partition(b"\0" + mark)
        if is_marked:
            return os.fsdecode(rest.partition(b"\0")[0].rpartition(b"-")[2]) or "-"
        if badge is not None:
            folder = f"/proc/{pid}/fd"
            for descriptor in os.listdir(folder):
                link = os.readlink(f"{folder}/{descriptor}")
                if link.startswith(badge):
                    return link.removeprefix(badge).partition(" ")[0]
    except OSError:
        pass  # it has ended, or is another user's
    return None


def send(process: Process, number: int) -> int | None:
    """Send a signal to a process that was seen earlier, unless its number belongs to another process by now.

    Returns:
        A descriptor that becomes readable when it has ended; -1 if this process may open no more; None if it has ended
        or may not be sent a signal.
    """
    pid = process[0]
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    except OSError:
        descriptor = -1
    try:
        now = process_of(pid)
        if now is not None and now[3] == process[3]:
            if descriptor >= 0:
                signal.pidfd_send_signal(descriptor, number)
            else:
                os.kill(pid, number)
            return descriptor
    except OSError:
        pass
    if descriptor >= 0:
        os.close(descriptor)
    return None


if __name__ == "__main__":
    watch(os.fsencode(sys.argv[1]), *sys.argv[2:])
