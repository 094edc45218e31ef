"""Ends sessions of processes: for whoever started them, and, as a program, in their place.

As a program it reads from its standard input which sessions there are, `+` and the number for one
that began, `-` for one that ended, and ends those that are left when that pipe ends, however its
writer did. It needs nothing but the standard library: it is started without our packages.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

PROC = Path("/proc")


def end_session(session: int) -> None:
    """Kill every process of a session, in whatever groups, and what they begin meanwhile."""
    ended: set[int] = set()
    while left := _members(session) - ended:
        for process in left:
            _kill(process)
        ended |= left


def _members(session: int) -> set[int]:
    return {
        process
        for process in map(int, filter(str.isdecimal, (entry.name for entry in PROC.iterdir())))
        if _session_of(process) == session
    }


def _session_of(process: int) -> int | None:
    try:
        return os.getsid(process)
    except ProcessLookupError:
        return None


def _kill(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return


def main() -> None:
    """Wait for the end of the pipe, then end what is left."""
    sessions: set[int] = set()
    for line in sys.stdin:
        number = int(line[1:])
        if line[0] == "+":
            sessions.add(number)
        else:
            sessions.discard(number)
    for session in sessions:
        end_session(session)


if __name__ == "__main__":
    main()
