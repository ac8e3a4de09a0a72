"""Which targets there are: the house's own, and those that other packages bring by entry point."""

from __future__ import annotations

from importlib.metadata import entry_points

from schemas.errors import UsageError, did_you_mean
from warehouse.exports.target import Target
from warehouse.exports.targets import (
    areal,
    axolotl,
    llama_factory,
    mosaic,
    nemo_rl,
    openrlhf,
    plain,
    prime_rl,
    rllm,
    roll,
    skyrl,
    slime,
    trinity,
    trl,
    verifiers,
    verl,
    webdataset,
)

__all__ = ["target", "targets"]

_OWN = (
    areal.RL,
    axolotl.PREFERENCE,
    axolotl.RL,
    axolotl.SFT,
    axolotl.STEPWISE,
    llama_factory.PREFERENCE,
    llama_factory.SFT,
    mosaic.ROWS,
    nemo_rl.GYM,
    nemo_rl.PREFERENCE,
    nemo_rl.RESPONSE,
    openrlhf.PREFERENCE,
    openrlhf.RL,
    openrlhf.SFT,
    plain.DATASETS,
    prime_rl.SFT,
    rllm.RL,
    roll.RL,
    skyrl.RL,
    skyrl.SFT,
    slime.RL,
    trinity.PREFERENCE,
    trinity.RL,
    trinity.SFT,
    trl.MESSAGES_SFT,
    trl.PREFERENCE,
    trl.PROMPT_COMPLETION,
    trl.PROMPT_ONLY,
    trl.STEPWISE,
    trl.UNPAIRED,
    verifiers.ROWS,
    verifiers.TASKSET,
    verl.RL,
    verl.RM,
    verl.SFT,
    webdataset.ROWS,
)
_GROUP = "sluice.exports"


def targets() -> dict[str, Target]:
    """Return every known target by name.

    A package adds one by naming a `Target` in its entry points, group ``sluice.exports``.
    """
    brought = [found for point in entry_points(group=_GROUP) if isinstance(found := point.load(), Target)]
    return {one.name: one for one in sorted((*_OWN, *brought), key=lambda one: one.name)}


def target(name: str) -> Target:
    """Return the target called ``name``.

    Raises
    ------
    UsageError
        If there is none; the nearest known name is suggested.
    """
    known = targets()
    if name not in known:
        raise UsageError(
            f"no export target is called {name!r}; known are {', '.join(known)}.",
            hint=did_you_mean(name, known),
        )
    return known[name]
