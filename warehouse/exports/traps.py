"""Traps that several trainers share: messages without content, roles that no template knows, ids met twice."""

from __future__ import annotations

import polars as pl

from warehouse.exports.target import Trap

__all__ = [
    "CONVERSATION",
    "ONE_TURN",
    "blank",
    "blank_messages",
    "no_messages",
    "roles",
    "stepwise",
    "unknown_roles",
    "with_text",
]

_PROMPT = "(system )?user( assistant user)*"
"""What chat templates take as a prompt: turns that alternate and end with the user."""

CONVERSATION = "(system )?user assistant( user assistant)*"
"""What chat templates take as a whole conversation."""

ONE_TURN = "user"
"""A single message, for readers that know no roles."""

_FIX = "drop the row with a filter, or mend its prompt at the source."


def roles(column: str) -> pl.Expr:
    """Return the roles of a list of messages as one string."""
    return pl.col(column).list.eval(pl.element().struct.field("role").fill_null("null")).list.join(" ")


def no_messages(column: str, harm: str) -> Trap:
    """Find rows without any message."""
    return Trap("no_messages", pl.col(column).is_null() | (pl.col(column).list.len() == 0), harm, _FIX)


def blank_messages(column: str, harm: str) -> Trap:
    """Find rows with a message whose content is null or white space."""
    content = pl.element().struct.field("content")
    finds = pl.col(column).list.eval(content.is_null() | (content.str.strip_chars() == "")).list.any()
    return Trap("blank_message", finds, harm, _FIX)


def unknown_roles(column: str, harm: str, grammar: str = _PROMPT) -> Trap:
    """Find rows whose roles, in order, do not follow ``grammar``."""
    finds = (pl.col(column).list.len() > 0) & ~roles(column).str.contains(f"^{grammar}$")
    return Trap("role_order", finds, harm, f"roles must follow {grammar!r}; {_FIX}")


def with_text(column: str, pattern: str, reason: str, harm: str) -> Trap:
    """Find rows with a message whose content matches ``pattern``."""
    content = pl.element().struct.field("content")
    return Trap(reason, pl.col(column).list.eval(content.str.contains(pattern)).list.any(), harm, _FIX)


def blank(column: str, harm: str) -> Trap:
    """Find rows whose text column is null or white space."""
    return Trap(f"blank_{column}", pl.col(column).is_null() | (pl.col(column).str.strip_chars() == ""), harm, _FIX)


def stepwise() -> tuple[Trap, ...]:
    """Find, over internal rows, roles that a stepwise trainer would lose, steps and labels it would cut or round."""
    steps, labels = pl.col("steps"), pl.col("step_labels")
    soft = pl.element().is_null() | ~pl.element().is_in([0.0, 1.0])
    empty = pl.element().str.strip_chars() == ""
    return (
        unknown_roles("prompt", "its reader takes plain text: roles would be lost", ONE_TURN),
        Trap("no_steps", steps.list.len() == 0, "there is no step to judge", "drop the row."),
        Trap(
            "step_count",
            steps.list.len() != labels.list.len(),
            "TRL stops at this row; axolotl cuts steps or labels to the shorter in silence",
            "give each step one label.",
        ),
        Trap(
            "soft_label",
            labels.list.eval(soft).list.any(),
            "a label that is not 0 or 1 is cut to a whole number, null stops the run",
            "decide each step: right (true, 1) or wrong (false, 0).",
        ),
        Trap("blank_step", steps.list.eval(empty).list.any(), "an empty step is judged", "drop the empty step."),
    )
