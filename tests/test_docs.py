"""What README and docs say of the tree and of the command line holds: links, commands, exit codes, files named."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from flows.cli import sluice
from schemas.errors import SluiceError

_ROOT = Path(__file__).resolve().parent.parent
_PAGES = sorted([*_ROOT.glob("*.md"), *_ROOT.glob("docs/*.md"), *_ROOT.glob("examples/*.md")])
_LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s#]*)(#[^)\s]*)?\)")
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def _links(page: Path) -> Iterator[tuple[Path, str]]:
    """Yield the files of the checkout that a page links to, each with its anchor."""
    for path, anchor in _LINK.findall(_FENCE.sub("", page.read_text())):
        yield (page.parent / path).resolve() if path else page, anchor.removeprefix("#")


def _anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub names them."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(_ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """Relative links name files that exist, and headings that these have."""
    for target, anchor in _links(page):
        assert target.exists(), target
        assert not anchor or anchor in _anchors(target), (target, anchor)


def test_every_page_is_reached_from_the_readme() -> None:
    """Whoever starts at the README finds each page of docs/."""
    waiting, reached = {_ROOT / "README.md"}, set()
    while waiting:
        page = waiting.pop()
        reached.add(page)
        waiting |= {target for target, _ in _links(page) if target.suffix == ".md"} - reached

    assert set() == {*_ROOT.glob("docs/*.md")} - reached


def _commands(page: Path) -> Iterator[list[str]]:
    """Yield the arguments of each `sluice` command that a page shows as a line of its own, continued lines joined."""
    for line in page.read_text().replace("\\\n", " ").splitlines():
        if shown := re.match(r"\s*(?:\$ )?(?:\.venv/bin/)?sluice (.+)", line):
            first = re.split(r" && | \| ", shown[1], maxsplit=1)[0]
            yield shlex.split(first, comments=True)


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(_ROOT)))
def test_every_command_shown_is_one_that_there_is(page: Path) -> None:
    """Commands, options and numbers of arguments are those of the command line."""
    for arguments in _commands(page):
        command, context = sluice, click.Context(sluice, info_name="sluice")
        rest = arguments
        while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
            name, *rest = rest
            found = command.get_command(context, name)
            assert found is not None, arguments
            command, context = found, click.Context(found, parent=context, info_name=name, resilient_parsing=True)
        _, left, _ = command.make_parser(context).parse_args(rest)
        assert not left, arguments


def test_every_make_target_shown_is_one_that_there_is() -> None:
    """What pages tell to `make` is a target, and `make` alone lists each target."""
    makefile = (_ROOT / "Makefile").read_text()
    known = set(re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)[0].split())
    shown = {
        name
        for page in _PAGES
        for name in re.findall(r"^ *make ([a-z-]+)|`make ([a-z-]+)`", page.read_text(), re.MULTILINE)
    }
    listed = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))

    assert {"demo", "test", "lint"} <= {one or other for one, other in shown} <= known
    assert known == listed | {"help"}


def test_the_readme_lists_the_exit_codes() -> None:
    """Each class of error has its code in the README, and no code there is without one."""

    def codes(of: type[SluiceError]) -> set[int]:
        return {of.exit_code}.union(*map(codes, of.__subclasses__()))

    listed = re.search(r"^Exit codes: (.+?)\. ", (_ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)

    assert {0, 130, 141} | codes(SluiceError) == {int(code) for code in re.findall(r"(\d+) ", listed[1])}


def test_benchmarks_and_pages_know_each_other() -> None:
    """Each benchmark that a page names exists, and each is named by a page, or used by another benchmark."""
    programs = {path.stem: path.read_text() for path in (_ROOT / "benchmarks").glob("*.py")}
    pages = "\n".join(page.read_text() for page in _PAGES)
    named = set(re.findall(r"benchmarks[/.](\w+)", pages))
    used = {name for name in programs for other, text in programs.items() if other != name and name in text}

    assert set() == named - set(programs)
    assert set() == set(programs) - named - used


def test_the_architecture_page_names_what_there_is() -> None:
    """Modules and packages that the architecture page names in the table of the house exist."""
    rows = re.findall(r"^\| `(\w+)/` \| (.+) \|$", (_ROOT / "docs" / "architecture.md").read_text(), re.MULTILINE)
    assert {"schemas", "warehouse", "curation", "dedup", "privacy", "flows"} == {folder for folder, _ in rows}
    for folder, told in rows:
        for name in re.findall(r"`([\w/]+(?:\.py|/))`", told):
            assert [*(_ROOT / folder).rglob(name.rstrip("/"))], (folder, name)
