"""Languages of whole programs: what their source is called, how it is compiled, how it is run."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass

from curation.verify.problems import InvalidProblemError

__all__ = ["LANGUAGES", "Language", "language"]


@dataclass(frozen=True)
class Language:
    """One language.

    Parameters
    ----------
    source_name
        Name of the source file; None for Python, which the sandbox runs without one.
    compiler, interpreter
        Command whose first word is looked up here; the other is empty.
    check
        What makes the interpreter read a program without running it.
    dialects
        Options of the compiler, one set after the other until one takes the program.
    """

    name: str
    source_name: str | None = None
    compiler: tuple[str, ...] = ()
    interpreter: tuple[str, ...] = ()
    check: str = ""
    dialects: tuple[tuple[str, ...], ...] = ((),)

    def command(self) -> list[str]:
        """Return the compiler's or interpreter's command with its full path.

        Raises
        ------
        InvalidProblemError
            If it is not installed here.
        """
        words = self.compiler or self.interpreter
        found = shutil.which(words[0])
        if found is None:
            raise InvalidProblemError(f"{self.name} needs {words[0]}, which is not installed here")
        return [os.path.realpath(found), *words[1:]]

    def check_command(self) -> list[str]:
        """Return the command that reads the program without running it."""
        return [self.command()[0], self.check, str(self.source_name)]


LANGUAGES = {
    "python": Language("python"),
    "cpp": Language(
        "cpp",
        "main.cpp",
        compiler=("g++", "-O2", "-o", "program", "main.cpp"),
        dialects=(("-std=gnu++17",), ("-std=gnu++20",), ("-std=gnu++14",)),
    ),
    "javascript": Language(
        "javascript", "main.js", interpreter=("node", "--stack-size=4000", "main.js"), check="--check"
    ),
}


def language(name: str) -> Language:
    """Return the language called ``name``.

    Raises
    ------
    InvalidProblemError
        If it is none of `LANGUAGES`.
    """
    if name not in LANGUAGES:
        raise InvalidProblemError(f"language {name!r} is not one of {', '.join(LANGUAGES)}")
    return LANGUAGES[name]
