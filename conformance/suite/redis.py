"""A real Redis server, and what may stand between it and a client."""

import os
import pathlib
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .process import Process, clean_environment, free_port


class Redis:
    """A Redis server on a port of its own, which keeps nothing on disk."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.port = free_port()
        self._directory = directory
        self._process: Process | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts the server, empty."""
        program = shutil.which("redis-server")
        assert program, "redis-server is missing; conformance/run installs it"
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        command = [program, *options, "--dir", str(self._directory)]
        self._process = Process("redis-server", command, clean_environment(), self._directory)
        self._process.wait_for_port(self.port)

    def kill(self) -> None:
        """Ends the server without a word to its clients."""
        self._signal(signal.SIGKILL)
        self.stop()

    def stop(self) -> None:
        """Ends the server."""
        if self._process:
            self._process.stop()
            self._process = None

    def pause(self) -> None:
        """Stops the server from running; its connections stay open."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets the server run again."""
        self._signal(signal.SIGCONT)

    def command(self, *words: str) -> bytes:
        """The response to one command."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(" ".join(words).encode() + b"\r\n")
            return connection.recv(65536)

    def _signal(self, number: int) -> None:
        assert self._process
        os.kill(self._process.pid, number)


@contextmanager
def started(directory: pathlib.Path) -> Iterator[Redis]:
    """A Redis for the length of the block."""
    server = Redis(directory)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def delayed(port: int, seconds: float) -> Iterator[str]:
    """The URL of a relay to that port, which passes on what the server says so much later."""
    listener = socket.create_server(("127.0.0.1", 0))
    ends = threading.Event()

    def copy(source: socket.socket, target: socket.socket, delay: float) -> None:
        try:
            while data := source.recv(65536):
                time.sleep(delay)
                target.sendall(data)
        except OSError:
            pass
        target.close()

    def accept() -> None:
        while not ends.is_set():
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", port))
            threading.Thread(target=copy, args=(client, server, 0), daemon=True).start()
            threading.Thread(target=copy, args=(server, client, seconds), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        ends.set()
        listener.close()
