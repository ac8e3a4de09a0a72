"""Wrong answers to problems whose answer is a text: numbers slightly off, another letter, a word cut."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator

__all__ = ["steps", "wrong", "wrong_answers"]

_NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?")
_LETTER = re.compile(r"\b[A-J]\b")
_CHOICES = "ABCDE"


def steps(answer: str) -> int:
    """Return how many numbers a worked answer goes through: each is a chance to go wrong."""
    return max(1, len(_NUMBER.findall(answer)))


def wrong_answers(kind: str, answer: str) -> Iterator[str]:
    r"""Yield different wrong versions of ``answer``, nearest first.

    Parameters
    ----------
    kind
        Verifier kind. A choice gets another letter; everything else has its last number changed, or, without a
        number, its letters.

    Examples
    --------
    >>> list(wrong_answers("math", "6 * 7 = 42\n#### 42"))[0]
    '6 * 7 = 42\n#### 43'
    >>> list(wrong_answers("choice", "(B)"))
    ['(A)', '(C)', '(D)', '(E)']
    """
    if kind == "choice" and (found := _last(_LETTER, answer)):
        news: Iterator[str] = (letter for letter in _CHOICES if letter != found[0])
    elif found := _last(_NUMBER, answer):
        news = _other_numbers(found[0])
    else:
        found, news = re.search(r"[\s\S]*", answer), _other_words(answer)
    yield from dict.fromkeys(answer[: found.start()] + new + answer[found.end() :] for new in news)


def wrong(kind: str, answer: str, rng: random.Random) -> str:
    """Return one wrong version of ``answer``; the answer itself if it has none."""
    return rng.choice(list(wrong_answers(kind, answer)) or [answer])


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    return max(pattern.finditer(text), key=lambda match: match.start(), default=None)


def _other_numbers(number: str) -> Iterator[str]:
    digits = number.replace(",", "")
    places = len(digits.partition(".")[2])
    step = 10**-places
    changes: tuple[Callable[[float], float], ...] = (
        lambda value: value + step,
        lambda value: abs(value - step),
        lambda value: value * 10,
        lambda value: value * 2,
        lambda value: value + 10 * step,
    )
    value = float(digits) if places else int(digits)
    for change in changes:
        new = f"{change(value):.{places}f}" if places else str(change(value))
        if float(new) != value:
            yield new


def _other_words(text: str) -> Iterator[str]:
    for new in (text.swapcase(), text[:-1], text[1:], text[::-1], f"{text}{text[-1:]}", f"not {text}"):
        if new.strip() not in ("", text.strip()):
            yield new
