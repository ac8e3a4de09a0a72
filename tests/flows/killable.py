"""Runs whole builds on request, each in a fresh process that may be killed; not a test itself.

The job is the one of `flows.prompt_set`, method by method, without an orchestrator. Reads one JSON request per line;
answers with the process id, a line per step as it begins, and the exit status at the end.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from pathlib import Path

from flows import hand_off
from flows.build import Build
from warehouse import explore
from warehouse.house import Warehouse
from warehouse.stages import Services, StageRun


def say(line: object) -> None:
    """Tell the test something."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def work(recipe: str, root: str) -> None:
    """Build, enter into the books, publish, hand off."""
    build = Build.of(Path(recipe), Path(root))
    done: dict[str, StageRun] = {}
    for step in build.steps:
        say(step.name)
        done[step.name] = step.run(step.tables(done), Services(Warehouse.open(build.root).workspace))
    build = build.with_done(done)
    say("books")
    build.keep_books(Warehouse.open(build.root))
    say("publish")
    published = build.publish(Warehouse.open(build.root))
    say("hand-off")
    warehouse = Warehouse.open(build.root)
    hand_off.release(warehouse, published.version)
    hand_off.export_all(warehouse, published.version, build.recipe.publish.exports)
    explore.write(warehouse)
    say("end")


import_module("great_expectations")  # takes seconds, which every child would spend again
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        try:
            say(os.getpid())
            work(**json.loads(line))
        except BaseException as error:  # noqa: BLE001 - the child must never fall back into the loop
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            os._exit(1)
        os._exit(0)
    say(f"exit {os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}")
