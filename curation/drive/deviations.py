"""What the DRIVE paper leaves open or says twice, and what a recipe chose: one note per setting.

The notes go into the manifest of every set built with DRIVE.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from pydantic import BaseModel

from schemas.recipe.curricula import Drive, DriveStage1, DriveStage2

__all__ = ["Deviation", "deviations"]

Kind = Literal["unstated", "contradictory", "changed"]


@dataclass(frozen=True)
class Deviation:
    """One point on which the data is not given by the paper alone.

    Parameters
    ----------
    setting
        Place in the recipe, such as ``drive.stage2.retention``.
    section
        Section of arXiv 2511.06307.
    kind
        ``unstated``: the paper is silent; ``contradictory``: it says two things; ``changed``: the recipe departs
        from what it says.
    paper
        What the paper says.
    chosen
        The setting's value, as JSON.
    """

    setting: str
    section: str
    kind: Kind
    paper: str
    chosen: Any

    def to_json(self) -> dict[str, Any]:
        """Return the note as a JSON object."""
        return asdict(self)


_OPEN: tuple[tuple[str, str, Kind, str], ...] = (
    ("measure", "3", "unstated", "which checkpoint and sampler measured the difficulty of stage 1 is not given"),
    ("medium", "3.2", "unstated", "prompts are of medium difficulty; no edges are given"),
    ("reward", "3.2", "unstated", "an executable, test-case-driven reward; all tests or a share is not said"),
    ("sft.labels", "3.1", "unstated", "a small trained classifier; no architecture, features, thresholds or accuracy"),
    (
        "sft.arena",
        "3.1",
        "unstated",
        "1.27M prompts become 470K in five rounds; neither the split nor the models are given",
    ),
    ("sft.arena.keep_first_fold", "3.1", "unstated", "whether fold 1 stays whole is not said"),
    ("sft.arena.fail_by", "3.1", "unstated", "who decides that a model fails is not said"),
    ("sft.arena.fail_at_most", "3.1", "unstated", "how many failures make a failed prompt is not said"),
    (
        "sft.arena.training",
        "3.1",
        "unstated",
        "whether a fold's model goes on from the last or starts anew is not said",
    ),
    ("sft.arena.unpredicted", "3.1", "unstated", "prompts without a prediction are not spoken of"),
    (
        "sft.hard_by",
        "3.1, 4.3",
        "contradictory",
        "hard is what the classifier says in 3.1 and what the arena says in 4.3",
    ),
    ("sft.copies", "3.1, 4.3", "contradictory", "duplicated twice in 3.1, exposure doubled in 4.3"),
    ("stage1.difficulty_bins", "3.2", "unstated", "uniformly distributed; over what is not said"),
    ("stage1.by_source", "3.2", "unstated", "uniformly distributed; over what is not said"),
    ("stage1.by_tag", "3.2", "unstated", "uniformly distributed; over what is not said"),
    ("stage1.sources", "3.2", "unstated", "open-source repositories; no list, no counts, no exclusions"),
    ("stage2.sources", "3.2", "unstated", "the pool is LiveCodeBench v6; another pool makes another set"),
    ("stage2.min_tests", "3.2", "unstated", "comprehensive test cases; no number is given"),
    (
        "stage2.measure",
        "3.2",
        "unstated",
        "whether the starting checkpoint or the phase's own rollouts rank is not said",
    ),
    (
        "stage2.rank_by",
        "3.2",
        "unstated",
        "pass rate of all tests or of each is not said; ties are not spoken of, here by id",
    ),
    ("stage2.unsolved", "3.2", "unstated", "problems never solved are not said to be removed"),
    ("stage2.remeasured", "3.2", "unstated", "when a phase is ranked anew is not said"),
    ("stage2.rollouts", "3.2, 4.1", "contradictory", "80 rollouts in 3.2, 64 in the abstract and 4.1"),
)

_STATED: tuple[tuple[str, str, type[BaseModel], str], ...] = (
    ("stage1.size", "3.2", DriveStage1, "about 9,000 prompts"),
    ("stage1.rollouts", "3.2", DriveStage1, "8 rollouts per prompt (16 for the mixture-of-experts model)"),
    ("stage1.max_total_tokens", "3.2", DriveStage1, "24k tokens, prompt and answer together"),
    ("stage1.steps", "3.2", DriveStage1, "32 steps (30 for the mixture-of-experts model)"),
    ("stage2.pool_size", "3.2", DriveStage2, "175 problems"),
    ("stage2.sizes", "3.2", DriveStage2, "72, 50 and 25 problems"),
    ("stage2.steps", "3.2", DriveStage2, "64, 32 and 32 steps (20, 20 and 10 for the mixture-of-experts model)"),
    ("stage2.max_total_tokens", "3.2", DriveStage2, "32k tokens, prompt and answer together"),
    ("stage2.retention", "3.2", DriveStage2, "absolute numbers of problems; shares of them on a smaller pool are ours"),
)


def deviations(settings: Drive) -> list[Deviation]:
    """Return every point on which a DRIVE recipe had to choose, or chose otherwise than the paper.

    Parts that the recipe leaves out give one note of their own.

    Examples
    --------
    >>> [note.setting for note in deviations(Drive(sft=None, stage2=None)) if note.kind == "changed"]
    ['drive.sft', 'drive.stage2']
    """
    notes = [
        Deviation(f"drive.{part}", section, "changed", "the paper has this stage", None)
        for part, section in (("sft", "3.1"), ("stage1", "3.2"), ("stage2", "3.2"))
        if getattr(settings, part) is None
    ]
    chosen = settings.model_dump(mode="json")
    for path, section, kind, paper in _OPEN:
        value, present = _value(chosen, path)
        if present:
            notes.append(Deviation(f"drive.{path}", section, kind, paper, value))
    for path, section, part, paper in _STATED:
        value, present = _value(chosen, path)
        if present and value != _default(part, path):
            notes.append(Deviation(f"drive.{path}", section, "changed", paper, value))
    return notes


def _value(chosen: dict[str, Any], path: str) -> tuple[Any, bool]:
    """Return the value at a dotted path, and whether every part on the way is there."""
    *way, last = path.split(".")
    here: Any = chosen
    for part in way:
        here = here.get(part)
        if here is None:
            return None, False
    return here[last], True


def _default(part: type[BaseModel], path: str) -> Any:
    return part().model_dump(mode="json")[path.rsplit(".", 1)[1]]
