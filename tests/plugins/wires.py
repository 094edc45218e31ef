"""A way to RabbitMQ that can be cut at any frame, or fall silent."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.plugins.rabbitmq import Rabbit


@dataclass
class Wire:
    """A way to the broker that is cut, or falls silent, after a number of frames of ours."""

    port: int
    left: int | None = None
    """How many more of our frames pass; None: all."""
    silent: bool = False
    """Nothing passes any more, in either direction."""
    _sockets: list[socket.socket] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                ours, _ = listener.accept()
                try:
                    theirs = socket.create_connection(("127.0.0.1", self.port))
                except OSError:
                    ours.close()  # nobody is behind it now; later there may be
                    continue
                self._sockets += ours, theirs
                for work in (self._forward, self._backward):
                    threading.Thread(target=work, args=(ours, theirs), daemon=True).start()

    def close(self) -> None:
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _forward(self, ours: socket.socket, theirs: socket.socket) -> None:
        with suppress(OSError):
            theirs.sendall(_exactly(ours, 8))  # "AMQP" and the version
            while True:
                head = _exactly(ours, 7)
                (size,) = struct.unpack(">I", head[3:])
                frame = head + _exactly(ours, size + 1)
                if not self._passes():
                    break
                if not self.silent:
                    theirs.sendall(frame)
        self._cut(ours, theirs)

    def _backward(self, ours: socket.socket, theirs: socket.socket) -> None:
        with suppress(OSError):
            while (some := theirs.recv(65536)) and self.left is None:
                if not self.silent:
                    ours.sendall(some)
        self._cut(ours, theirs)

    def _passes(self) -> bool:
        """Count a frame; once none is left the way back is cut as well."""
        with self._lock:
            if self.left is None:
                return True
            self.left -= 1
            return self.left >= 0

    def _cut(self, *both: socket.socket) -> None:
        for each in both:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def _exactly(source: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        some = source.recv(size - len(found))
        if not some:
            raise OSError("closed")
        found += some
    return found


@contextmanager
def wire_to(rabbit: Rabbit) -> Iterator[tuple[Wire, int]]:
    """A wire, and the port that it listens on."""
    wire = Wire(port=rabbit.port)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=wire.serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield wire, listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            wire.close()
