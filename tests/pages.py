"""HTML pages as a browser would take them."""

from __future__ import annotations

from html.parser import HTMLParser

__all__ = ["Page", "outside"]

_VOID = {"meta", "br", "link", "img", "line", "rect"}
_OUTSIDE = ("src", "href", "action", "poster", "data", "srcset", "xlink:href")


class Page(HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.references: list[str] = []
        self.handlers: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag, what it refers to, and what it would run."""
        self.tags.append(tag)
        self.references += [value or "" for name, value in attrs if name in _OUTSIDE]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag that closes itself."""
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Check that what is closed was opened last."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note text."""
        self.text += data


def outside(text: str) -> list[str]:
    """Return all that would make a browser run or fetch something."""
    found = Page(text)
    active = {"script", "iframe", "img", "link", "object", "embed", "form", "base"} & set(found.tags)
    links = [link for link in found.references if "//" in link or ":" in link]
    return [*active, *found.handlers, *links, *(word for word in ("@import", "url(", "javascript:") if word in text)]
