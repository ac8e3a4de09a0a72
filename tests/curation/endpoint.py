"""A real endpoint of the OpenAI protocol on loopback, which can be told to misbehave."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from schemas.ids import canonical_json, digest

__all__ = ["Endpoint", "digits"]


def digits(body: dict[str, Any]) -> list[str]:
    """Answer with numbers that follow from the request alone."""
    shown = body.get("messages") or body["prompt"]
    return [f"#### {int(digest([shown, body['seed'], i])[:4], 16) % 3}" for i in range(body["n"])]


class Endpoint:
    """Serves answers until it is told otherwise.

    Parameters
    ----------
    answer
        From a request's body to its answers.
    faults
        What to do instead, one per request, first come first served: an HTTP status, ``close`` (drop the
        connection), ``hang`` (never answer), ``html``, ``short`` (too few answers), ``cut`` (half a JSON text),
        ``null``, or ``fine``.
    dies_after
        Number of answers after which every connection is dropped.
    """

    def __init__(
        self,
        answer: Callable[[dict[str, Any]], list[str]] = digits,
        faults: Iterable[int | str] = (),
        dies_after: int | None = None,
    ) -> None:
        self.answer = answer
        self.faults = iter(faults)
        self.dies_after = dies_after
        self.answered: Counter[str] = Counter()
        self.keys: set[str | None] = set()
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """Its address, up to the version."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with endpoint._lock:
                    endpoint._at_once += 1
                    endpoint.most_at_once = max(endpoint.most_at_once, endpoint._at_once)
                    endpoint.keys.add(self.headers["Authorization"])
                try:
                    endpoint._serve(self, body)
                finally:
                    with endpoint._lock:
                        endpoint._at_once -= 1

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def _serve(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        with self._lock:
            fault = next(self.faults, "fine")
            if self.dies_after is not None and self.answered.total() >= self.dies_after:
                fault = "close"
        match fault:
            case "close":
                handler.close_connection = True
            case "hang":
                self._closing.wait(30)
            case "html":
                self._send(handler, 200, b"<html>Bad gateway</html>")
            case "null":
                self._send(handler, 200, b'{"choices":null}')
            case "cut":
                self._send(handler, 200, self._completion(body, self.answer(body))[:20])
            case "short":
                self._send(handler, 200, self._completion(body, self.answer(body)[1:]))
            case "fine":
                with self._lock:
                    self.answered[canonical_json(body)] += 1
                self._send(handler, 200, self._completion(body, self.answer(body)))
            case status:
                told = json.dumps({"error": {"message": f"no, {handler.headers['Authorization']}"}})
                self._send(handler, int(status), told.encode(), {"Retry-After": "0.01"})

    def _send(
        self,
        handler: BaseHTTPRequestHandler,
        status: int,
        content: bytes,
        headers: dict[str, str] | None = None,
    ) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    def _completion(self, body: dict[str, Any], texts: list[str]) -> bytes:
        choices = [
            {
                "index": index,
                "finish_reason": "length" if "cut short" in text else "stop",
                **({"message": {"role": "assistant", "content": text}} if "messages" in body else {"text": text}),
            }
            for index, text in enumerate(texts)
        ]
        usage = {"completion_tokens": sum(map(len, texts))}
        return json.dumps({"choices": choices[::-1], "usage": usage}).encode()
