"""A Prefect API server for one run: ``python -m flows.server FD``, where FD is a listening socket.

It ends when its standard input does, which a run holds open for as long as it lives, however it dies.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time

import uvicorn

_GRACE_S = 5.0


def _end_with_the_run() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_S)
    os._exit(0)


def main() -> None:
    """Serve until the run is over."""
    os.environ |= {"PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}
    threading.Thread(target=_end_with_the_run, daemon=True).start()
    app = "prefect.server.api.server:create_app"
    config = uvicorn.Config(app, factory=True, log_level="error", lifespan="on")
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])


if __name__ == "__main__":
    main()
