"""What the stand-ins share: an HTTP server on this machine that may kill who talks to it in the middle of an upload."""

from __future__ import annotations

import json
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

__all__ = ["Request", "StandIn"]

_HALF = 2


class Request(BaseHTTPRequestHandler):
    """One request: its path, query and body, and ways to answer."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def setup(self) -> None:
        """Read the request's address once."""
        super().setup()
        self.stand_in: Any = self.server.stand_in  # type: ignore[attr-defined]

    @property
    def place(self) -> str:
        """The path, unquoted."""
        return unquote(urlsplit(self.path).path)

    @property
    def query(self) -> dict[str, str]:
        """The query."""
        return dict(parse_qsl(urlsplit(self.path).query))

    def body(self, *, uploads: bool = False) -> bytes:
        """Return the body; of an upload that is to be cut, only half is read before its sender is killed."""
        length = int(self.headers.get("Content-Length", 0))
        if uploads and length and self.stand_in.strikes():
            self.rfile.read(length // _HALF)
            self.stand_in.kill()
            raise ConnectionResetError
        return self.rfile.read(length)

    def say(self, status: int, answer: Any = None, **headers: str) -> None:
        """Answer with JSON, or with bytes as they are."""
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """Say nothing on the terminal; the stand-in remembers what was asked."""

    def handle_one_request(self) -> None:
        """Remember what was asked; forget clients that were killed."""
        try:
            super().handle_one_request()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True


class StandIn:
    """A server on a port of its own, while the context lasts."""

    handler: type[Request]

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler)
        self._server.stand_in = self  # type: ignore[attr-defined]
        self.lock = threading.RLock()
        self.victim: int | None = None
        self.spared = 0
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.server_address[1]

    def kill_during(self, upload: int, victim: int) -> None:
        """Kill process ``victim`` in the middle of its upload of this number, counted from 0."""
        with self.lock:
            self.victim, self.spared = victim, upload

    def strikes(self) -> bool:
        """Tell whether the upload that begins is the one to be cut."""
        with self.lock:
            self.spared -= 1
            return self.victim is not None and self.spared < 0

    def kill(self) -> None:
        """Kill the victim, once."""
        with self.lock:
            victim, self.victim = self.victim, None
        if victim is not None:
            os.kill(victim, signal.SIGKILL)
