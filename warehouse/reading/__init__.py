"""Reading releases while training: an order fixed by seed and epoch, resumed exactly from a few numbers."""

from warehouse.reading.reader import Reader, ReaderState
from warehouse.reading.weights import Weight

__all__ = ["Reader", "ReaderState", "Weight"]
