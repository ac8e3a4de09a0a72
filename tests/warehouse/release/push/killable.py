"""Pushes on request, each time in a fresh process that may be killed; not a test itself.

Reads one JSON request per line, answers with the process id, pushes after another line, and answers with the status.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from warehouse.release.push import push

for line in sys.stdin:
    if line == "go\n":  # its process was killed before it read this
        continue
    asked = json.loads(line)
    child = os.fork()
    if child == 0:
        sys.stdin.readline()
        try:
            push(Path(asked["folder"]), asked["to"])
        except BaseException as error:  # noqa: BLE001 - the child must never fall back into the loop
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            os._exit(1)
        os._exit(0)
    sys.stdout.write(f"{child}\n")
    sys.stdout.flush()
    sys.stdout.write(f"{os.waitpid(child, 0)[1]}\n")
    sys.stdout.flush()
