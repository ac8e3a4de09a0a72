"""The invariants of removals, however candidates are found: by prefixes, which miss none, or by MinHash."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dedup.text import documents, minhash, near
from schemas.recipe.dedup import Dedup
from tests.dedup.text import brute
from tests.dedup.text.asked import Triple, asked_of, numbered, triples, written
from tests.strategies import alike_texts, dedup_settings, renumbered_texts
from warehouse.stages import Services

PER_TEST = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
BOTH = pytest.mark.parametrize("candidates", ["exact", "minhash"])
NUMBERS = Dedup(keep_operators=False)
CUTS = (
    (documents, "_ROWS_AT_ONCE"),
    (documents, "_TEXTS_AT_ONCE"),
    (near, "_AT_ONCE"),
    (near, "_MATCHES_AT_ONCE"),
    (minhash, "_AT_ONCE"),
    (minhash, "_VALUES_AT_ONCE"),
)


def _found(texts: list[str], config: Dedup, services: Services, folder: Path) -> list[Triple]:
    return triples(written(folder / "t.parquet", numbered(texts), config, id="id"), services)


@BOTH
@PER_TEST
@given(texts=alike_texts(), config=dedup_settings())
def test_every_removed_document_has_a_kept_witness_at_or_above_the_threshold(
    candidates: str, texts: list[str], config: Dedup, services: Services, tmp_path: Path
) -> None:
    """The witness stays and comes first; the similarity is that of the definitions, to the last digit."""
    config = config.model_copy(update={"candidates": candidates, "common_share": None})
    found = _found(texts, config, services, tmp_path)
    removed = {row[0] for row in found}
    plain = [brute.prepared(text, config) for text in texts]
    for gone, witness, similar in found:
        a, b = plain[int(gone)], plain[int(witness)]
        exact = 1.0 if a == b else brute.jaccard(brute.shingles(a, config), brute.shingles(b, config))
        assert (similar, True, True) == (exact, similar >= config.threshold, witness < gone)
        assert witness not in removed
        assert brute.guard(a, config) == brute.guard(b, config)


@PER_TEST
@given(texts=alike_texts(), config=dedup_settings())
def test_no_two_kept_documents_reach_the_threshold(
    texts: list[str], config: Dedup, services: Services, tmp_path: Path
) -> None:
    """Every pair of what stays is measured by the definitions, one pair at a time."""
    config = config.model_copy(update={"common_share": None})
    gone = {int(row[0]) for row in _found(texts, config, services, tmp_path)}
    kept = [brute.prepared(text, config) for number, text in enumerate(texts) if number not in gone]
    assert len(kept) == len(set(kept))
    sets = [brute.shingles(text, config) for text in kept]
    large = [number for number, one in enumerate(sets) if config.near and len(one) >= config.fewest]
    alike = [
        (a, b)
        for a in large
        for b in large
        if a < b
        and brute.guard(kept[a], config) == brute.guard(kept[b], config)
        and brute.jaccard(sets[a], sets[b]) >= config.threshold
    ]
    assert [] == alike


@BOTH
@PER_TEST
@given(texts=alike_texts(), seed=st.integers(0, 99), cut=st.integers(0, 12), size=st.integers(1, 5))
def test_the_result_does_not_depend_on_input_order_or_partitioning(  # noqa: PLR0913, PLR0917 - all that may differ
    candidates: str, texts: list[str], seed: int, cut: int, size: int, services: Services, tmp_path: Path
) -> None:
    """Shuffled rows in two files, read and compared in batches of any size, give the same triples."""
    config = Dedup(width=2, fewest=2, threshold=0.5, candidates=candidates)
    expected = _found(texts, config, services, tmp_path)
    shuffled = pl.DataFrame(numbered(texts)).sample(fraction=1, shuffle=True, seed=seed)
    for name, part in (("a", shuffled[:cut]), ("b", shuffled[cut:])):
        written(tmp_path / "parts" / f"{name}.parquet", part)
    with pytest.MonkeyPatch.context() as patch:
        for module, name in CUTS:
            patch.setattr(module, name, size)
        assert expected == triples(asked_of(tmp_path / "parts", config, id="id"), services)


@BOTH
@PER_TEST
@given(
    texts=renumbered_texts(), how=st.tuples(st.sampled_from([0.1, 0.5, 0.9]), st.sampled_from(["words", "characters"]))
)
def test_documents_that_differ_in_numbers_are_never_merged(
    candidates: str, texts: list[str], how: tuple[float, str], services: Services, tmp_path: Path
) -> None:
    """However alike they are otherwise: what goes has the numbers of its witness, in the same order."""
    config = Dedup(candidates=candidates, threshold=how[0], unit=how[1], width=2, fewest=1, common_share=None)
    for gone, witness, _ in _found(texts, config, services, tmp_path):
        assert brute.guard(texts[int(gone)], NUMBERS) == brute.guard(texts[int(witness)], NUMBERS)


@BOTH
@PER_TEST
@given(texts=renumbered_texts())
def test_without_the_option_numbers_are_words_like_others(
    candidates: str, texts: list[str], services: Services, tmp_path: Path
) -> None:
    """Documents of one frame with other numbers are alike if nothing forbids it: only the first stays."""
    config = Dedup(candidates=candidates, threshold=0.01, width=1, fewest=1, common_share=None, keep_numbers=False)
    assert len(texts) - 1 == len(_found(texts, config, services, tmp_path))


@BOTH
@PER_TEST
@given(texts=st.lists(st.lists(st.sampled_from("abc"), max_size=6).map(" ".join), min_size=1, max_size=10))
def test_short_documents_are_never_dropped(
    candidates: str, texts: list[str], services: Services, tmp_path: Path
) -> None:
    """What has too few shingles goes only as a copy: of each distinct text one stays, empty ones too."""
    config = Dedup(candidates=candidates, threshold=0.1, width=2, fewest=6)
    found = _found(texts, config, services, tmp_path)
    first = {text: f"{number:03d}" for number, text in reversed(list(enumerate(texts)))}
    expected = [(name, first[text], 1.0) for name, text in zip(*numbered(texts).values(), strict=True)]
    assert [row for row in expected if row[0] != row[1]] == found
