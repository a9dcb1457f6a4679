"""A module that is on no search path."""

# ruff: noqa: PLW0603
import enum
import threading

LIMIT = 3
lock = threading.Lock()
count = 0


class Thing:
    def __init__(self, x):
        self.x = x

    def get(self):
        return self.x + LIMIT


class Color(enum.Enum):
    RED = 1


def run(x):
    return Thing(x)


def bump():
    global count
    with lock:
        count += 1
    return count
