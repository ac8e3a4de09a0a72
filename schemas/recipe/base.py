"""The base of every recipe section: unknown keys are refused with the nearest known name."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from schemas.errors import did_you_mean

__all__ = ["UNKNOWN_KEY", "Section"]

UNKNOWN_KEY = "unknown_key"


class Section(BaseModel):
    """A part of a recipe: immutable, strict about its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _known_keys_only(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        known = {field.alias or name for name, field in cls.model_fields.items()}
        for key in given:
            if key not in known:
                allowed = did_you_mean(str(key), known) or f"allowed are {', '.join(sorted(known))}."
                raise PydanticCustomError(
                    UNKNOWN_KEY,
                    "unknown key {key}; {allowed}",
                    {"key": repr(key), "allowed": allowed, "name": str(key)},
                )
        return given
