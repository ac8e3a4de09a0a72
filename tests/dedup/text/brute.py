"""Truth by definition: sets of tuples, all pairs, one document at a time."""

from __future__ import annotations

import unicodedata
from collections import Counter

from schemas.ids import normalise_text
from schemas.recipe.dedup import Dedup


def prepared(text: str, config: Dedup) -> str:
    """Return the normalised text."""
    plain = normalise_text(text)
    return unicodedata.normalize("NFC", plain.casefold()) if config.casefold else plain


def units(text: str, config: Dedup) -> list[str]:
    """Return the words or characters of a normalised text."""
    if config.unit == "characters":
        return list(text)
    wordy = "".join(c if unicodedata.category(c)[0] in "LNM" or c == "_" else " " for c in text)
    return [word for word in wordy.split(" ") if word]


def shingles(text: str, config: Dedup) -> frozenset[tuple[str, ...]]:
    """Return the set of shingles of a normalised text."""
    parts = units(text, config)
    return frozenset(tuple(parts[i : i + config.width]) for i in range(len(parts) - config.width + 1))


def guard(text: str, config: Dedup) -> tuple[str, ...]:
    """Return the numbers and signs of a normalised text, in order."""
    found, word = [], ""
    for c in text + " ":
        category = unicodedata.category(c)
        if category[0] in "LNM" or c == "_":
            word += c
            continue
        if config.keep_numbers and any(unicodedata.category(d)[0] == "N" for d in word):
            found.append(word)
        word = ""
        if config.keep_operators and (category == "Sm" or c in "-*/^%!&"):
            found.append(c)
    return tuple(found)


def jaccard(a: frozenset, b: frozenset) -> float:
    """Return the Jaccard similarity; that of two empty sets is 0."""
    return len(a & b) / len(a | b) if a or b else 0.0


def decide(texts: list[str], config: Dedup, published: int = 0) -> dict[int, tuple[str, int, float]]:
    """Return the reason, witness and similarity for each removed text.

    Texts come in order of preference; the first ``published`` of them stay whatever they repeat.
    """
    normal = [prepared(text, config) for text in texts]
    removed, first = {}, {}
    for number, text in enumerate(normal):
        if first.setdefault(text, number) != number and number >= published:
            removed[number] = ("exact_duplicate", first[text], 1.0)
    if config.near:
        removed |= _near(normal, list(first.values()), config, published)
    for number, (reason, witness, _) in list(removed.items()):
        if reason == "exact_duplicate" and witness in removed:
            removed[number] = removed[witness]
    return removed


def _near(normal: list[str], distinct: list[int], config: Dedup, published: int) -> dict[int, tuple[str, int, float]]:
    sets = {number: shingles(normal[number], config) for number in distinct}
    compared = [number for number in sets if len(sets[number]) >= config.fewest]
    common = boilerplate([sets[number] for number in compared], config)
    own = {number: sets[number] - common for number in compared}
    kept: list[int] = []
    removed = {}
    for number in compared:
        if len(own[number]) < config.fewest:
            continue
        for other in kept if number >= published else ():
            similar = jaccard(own[number], own[other])
            if similar >= config.threshold and guard(normal[number], config) == guard(normal[other], config):
                removed[number] = ("near_duplicate", other, similar)
                break
        else:
            kept.append(number)
    return removed


def boilerplate(sets: list[frozenset], config: Dedup) -> set:
    """Return the shingles that too many documents hold."""
    if config.common_share is None:
        return set()
    limit = max(config.common_least, int(config.common_share * len(sets)))
    documents = Counter(shingle for one in sets for shingle in one)
    return {shingle for shingle, count in documents.items() if count > limit}
