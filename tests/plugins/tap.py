"""A wire between a program and a system, for tests: it can be listened to, held, and cut.

What is sent first on it, whole chunk by whole chunk, is passed on both ways. A *hold* keeps the
first chunk that matches, or the answer to it, until it is let go; a *cut* lets everything be stuck
(the bytes are kept and go on when it is healed, as packets do) or breaks every connection.
"""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from sqlalchemy import make_url

Target: TypeAlias = tuple[str, int] | str
"""Host and port, or the path of a Unix socket."""

Heard: TypeAlias = Callable[[bytes], None]

_CHUNK = 1 << 16
_LOOK_AGAIN = 0.05
_PATIENCE = 120.0


@dataclass
class Hold:
    """Something that is to be held: a request that matches, or (`answer`) what is said to it."""

    wanted: re.Pattern[bytes]
    answer: bool
    taken: bool = False
    reached: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def let_go(self) -> None:
        """Pass it on."""
        self.released.set()


class Tap:
    """One port that leads to another. `heard` is told every chunk that a client sends."""

    def __init__(self, target: Target, heard: Heard = lambda _: None) -> None:
        self._target = target
        self._heard = heard
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_LOOK_AGAIN)
        self._ending = threading.Event()
        self._open = threading.Event()
        self._open.set()
        self._broken = threading.Event()
        self._lock = threading.Lock()
        self._holds: list[Hold] = []
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        return int(self._listener.getsockname()[1])

    # ---- levers ----------------------------------------------------------------------------------

    def hold(self, wanted: bytes, *, answer: bool = False) -> Hold:
        """Hold the next chunk of a client that holds this expression, or what is answered to it."""
        held = Hold(re.compile(wanted), answer)
        with self._lock:
            self._holds.append(held)
        return held

    def silence(self) -> None:
        """Let nothing through any more, and say nothing of it."""
        self._open.clear()

    def reset(self) -> None:
        """Break every connection and each new one."""
        self._broken.set()
        self._end_connections()

    def heal(self) -> None:
        """Let through what was kept, and all that comes."""
        self._broken.clear()
        self._open.set()

    def close(self) -> None:
        """End every connection and thread."""
        self._ending.set()
        self._open.set()
        with self._lock:
            for held in self._holds:
                held.let_go()
        self._end_connections()
        for thread in self._threads:
            thread.join(_PATIENCE)
        self._listener.close()

    # ---- inside ----------------------------------------------------------------------------------

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, name="tap", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._ending.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            if self._broken.is_set():
                _break(client)
                continue
            self._start(self._connect, client)

    def _connect(self, client: socket.socket) -> None:
        self._open.wait()
        try:
            server = _dial(self._target)
        except OSError:
            _break(client)
            return
        client.settimeout(None)
        with self._lock:
            self._sockets |= {client, server}
        awaited: list[Hold] = []
        self._start(self._pass_on, server, client, lambda _: self._answered(awaited))
        self._pass_on(client, server, lambda chunk: self._asked(chunk, awaited))

    def _pass_on(
        self, source: socket.socket, sink: socket.socket, look: Callable[[bytes], None]
    ) -> None:
        """Copy one way until either end is gone, then end the other way, too."""
        try:
            while chunk := source.recv(_CHUNK):
                look(chunk)
                self._open.wait()
                sink.sendall(chunk)
        except OSError:
            pass
        finally:
            for each in (source, sink):
                _shut(each)
            with self._lock:
                self._sockets -= {source, sink}

    def _asked(self, chunk: bytes, awaited: list[Hold]) -> None:
        self._heard(chunk)
        with self._lock:
            held = next((h for h in self._holds if not h.taken and h.wanted.search(chunk)), None)
            if held is not None:
                held.taken = True
        if held is not None and held.answer:
            awaited.append(held)
        elif held is not None:
            _wait(held)

    def _answered(self, awaited: list[Hold]) -> None:
        while awaited:
            _wait(awaited.pop())

    def _end_connections(self) -> None:
        with self._lock:
            connections = list(self._sockets)
        for each in connections:
            _break(each)


def _wait(held: Hold) -> None:
    held.reached.set()
    held.released.wait()


def _break(connection: socket.socket) -> None:
    """End a connection as a machine does that knows nothing of it: by a reset."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    finally:
        connection.close()


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    finally:
        connection.close()


def _dial(target: Target) -> socket.socket:
    if isinstance(target, tuple):
        server = socket.create_connection(target, timeout=_PATIENCE)
        server.settimeout(None)
        return server
    server = socket.socket(socket.AF_UNIX)
    server.connect(target)
    return server


@contextmanager
def tapped_postgres(url: str) -> Iterator[tuple[Tap, str]]:
    """A tap before the embedded PostgreSQL of an address, and the address through it."""
    address = make_url(url)
    with tapped(f"{address.query['host']}/.s.PGSQL.{address.query['port']}") as tap:
        through = address.set(host="127.0.0.1", port=tap.port, query={})
        yield tap, through.render_as_string(hide_password=False)


@contextmanager
def tapped(target: Target, heard: Heard = lambda _: None) -> Iterator[Tap]:
    """A tap for the length of a block."""
    tap = Tap(target, heard)
    try:
        yield tap
    finally:
        tap.close()
