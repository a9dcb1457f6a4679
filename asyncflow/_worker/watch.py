"""The watcher: a small process that outlives the engine's, to kill what is left of a run's commands.

It owns what the kernel cannot reach when the engine's process is killed: processes that have left their command's group
and still carry the run's mark. It is run as a file by a fresh interpreter and loads nothing of asyncflow. It refuses
all other work: as long as the engine's process lives it only waits, and what carries no mark it does not touch. It
starts with a first command, so it imports only what it cannot do without: `typing` would be a third of its start.
"""

import os
import signal
import sys
import time

_FIRST_PAUSE = 0.01  # seconds that the kernel gets to end what was killed, before the next look
_LONGEST_PAUSE = 1.0  # one that hangs in the kernel must not keep a processor busy


def watch(mark: bytes) -> None:
    """Wait until the engine's process has ended, then kill until nothing is left.

    Args:
        mark: how a variable begins that is in the environment of all that is to be killed.
    """
    os.read(0, 1)  # of a pipe whose writing end only the engine's process holds: it returns at the hang-up
    pause = _FIRST_PAUSE
    quiet = 0
    while quiet < 2:  # one look may miss a child whose parent ended meanwhile, or that was just being started
        quiet = 0 if kill_marked(mark) else quiet + 1
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def kill_marked(mark: bytes) -> int:
    """Kill all that carries the mark, and tell how many these were.

    Args:
        mark: as for `watch`.
    """
    return sum(_killed(int(name), mark) for name in os.listdir("/proc") if name.isdecimal())


def _killed(pid: int, mark: bytes) -> bool:
    try:
        process = os.pidfd_open(pid)  # first of all: the number may be another's a moment later
    except OSError:
        return False  # it has ended
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            if b"\0" + mark not in b"\0" + file.read():
                return False
        signal.pidfd_send_signal(process, signal.SIGKILL)
        return True
    except OSError:
        return False  # it has ended, or is another user's
    finally:
        os.close(process)


if __name__ == "__main__":
    watch(os.fsencode(sys.argv[1]))
