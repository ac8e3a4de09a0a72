"""What learns: models of scikit-learn, an extra, imported where they are used and held to one thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import TYPE_CHECKING

from schemas.errors import MissingExtra

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import ThreadpoolController

__all__ = ["gradient_boosting", "one_thread", "scikit_learn"]


@contextmanager
def scikit_learn() -> Iterator[None]:
    """Surround an import of scikit-learn.

    Raises
    ------
    MissingExtra
        If it is not installed.
    """
    try:
        yield
    except ImportError as error:
        raise MissingExtra("sklearn", "privacy") from error


def gradient_boosting() -> type[HistGradientBoostingClassifier]:
    """Return the classifier.

    Raises
    ------
    MissingExtra
        If scikit-learn is not installed.
    """
    with scikit_learn():
        from sklearn.ensemble import HistGradientBoostingClassifier
    return HistGradientBoostingClassifier


def one_thread() -> AbstractContextManager[object]:
    """Hold what runs inside to one thread.

    On samples of this size the threads of OpenMP mostly wait for each other, and they wait busily: on a machine with
    other work, ten times the CPU time is spent.
    """
    return _pools().limit(limits=1)


@cache
def _pools() -> ThreadpoolController:
    gradient_boosting()  # its libraries are looked up once they are loaded
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
