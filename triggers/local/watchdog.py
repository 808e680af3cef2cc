"""Ends every process of a local cloud whose supervisor is gone, however it went (``kill -9`` included).

The supervisor starts this file as a process of its own and keeps the other end of its standard input open. Lines
``+<group>`` and ``-<group>`` add and remove process groups; the end of the input means that the supervisor is gone.
Only the standard library, and no import of this project: it must start in milliseconds and stay small.
"""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

RUN_VARIABLE = "XYNERGY_LOCAL_RUN"
GRACE = 3.0


def _signal(groups: set[int], number: signal.Signals) -> None:
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)


def _alive(groups: set[int]) -> set[int]:
    alive = set()
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, 0)
            alive.add(group)
    return alive


def _strays(run: str) -> list[int]:
    """Find processes of the run that were started but not registered yet (where /proc tells)."""
    mark = f"{RUN_VARIABLE}={run}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int(entry.name) != os.getpid() and mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found


def main(run: str) -> None:
    """Keep the list of groups until the input ends, then end them: politely, then for certain."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line[0] == "+":
            groups.add(group)
        else:
            groups.discard(group)
    _signal(groups, signal.SIGTERM)
    end = time.monotonic() + GRACE
    while _alive(groups) and time.monotonic() < end:
        time.sleep(0.05)
    _signal(groups, signal.SIGKILL)
    for process in _strays(run):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1])
