"""What a person asks of `sluice minimize fit`: a file, options in place of its keys, and the sample."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from privacy.minimize.free_text import refuse_free_text
from privacy.minimize.tables import scan
from schemas.minimize import Fit, Sweep
from schemas.recipe.load import load_section, parse_section

__all__ = ["asked", "sample"]

_HINT = "`sluice minimize fit --help` lists the options, `sluice schema fit` every key of the file."


def asked(config: Path | None, options: Mapping[str, Any], sweeping: Mapping[str, Any]) -> Sweep:
    """Return the sweep that a file and options ask for; an option takes the place of the file's key.

    Parameters
    ----------
    options, sweeping
        Keys of `Fit` and of `Sweep`; None where an option was not given.

    Raises
    ------
    InputError, RecipeError
        If the file cannot be read or is not valid, or the options are not.
    """
    given: dict[str, Any] = {}
    if config is not None:
        given = load_section(config, Sweep, what="fit", hint=_HINT).model_dump(mode="json", exclude_unset=True)
    merged = {**given, **_given(sweeping), "fit": {**given.get("fit", {}), **_given(options)}}
    return parse_section(yaml.safe_dump(merged, sort_keys=False), "options", Sweep, what="fit", hint=_HINT)


def sample(source: Path, fit: Fit, missing: tuple[str, ...]) -> pl.LazyFrame:
    """Return the records to learn from, without free text.

    Raises
    ------
    InputError
        If the file cannot be read.
    FreeTextRefused
        If a column that would be learned from holds free text that cannot be shown to be free of personal data.
    """
    frame = scan(source, missing)
    roles = {*fit.targets, *fit.passthrough, *fit.never, fit.client, fit.weight}
    learned = [name for name in frame.collect_schema().names() if name not in roles]
    refuse_free_text(frame.select(learned))
    return frame


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in options.items() if value not in (None, ())}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in found.items()}
