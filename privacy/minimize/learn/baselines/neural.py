"""Baselines that train encoders by gradients: adversarial training, and a bound on mutual information."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from privacy.minimize.learn.baselines.simple import compressed, positions
from privacy.minimize.learn.binning import Binning
from privacy.minimize.learn.columns import Named, Ordered
from privacy.minimize.learn.generalize import Generalization
from privacy.minimize.learn.sample import Sample
from schemas.errors import MissingExtra

if TYPE_CHECKING:
    import torch

__all__ = ["adversarial", "mutual_information"]

_EPOCHS, _BATCH, _RATE = 20, 256, 0.01
_DECAY_EVERY, _DECAY = 5, 0.1
_HOT, _COLD = 2.0, 0.5
_WARM_STEPS = 2_000


def adversarial(binning: Binning, sample: Sample, weight: float, buckets: int = 5, seed: int = 0) -> Generalization:
    """Train encoders against attackers of the personal attributes: (1 - w) CE_y - w mean_j CE_j.

    Each step trains the attackers once, then encoders and classifier.

    Parameters
    ----------
    weight
        w, in [0, 1].
    buckets
        Buckets of each attribute, at most.

    Raises
    ------
    MissingExtra
        If torch is not installed.
    """
    training = _Training(binning, sample, buckets, seed)
    return training.run(training.against_attackers(weight))


def mutual_information(
    binning: Binning, sample: Sample, weight: float, buckets: int = 5, seed: int = 0
) -> Generalization:
    """Train encoders under a contrastive upper bound on what buckets tell of values.

    The loss is (1 - w) CE_y + w sum_f [log q(b|x) - log q(b|x')], with x' the value of another row.

    Parameters
    ----------
    weight
        w, in [0, 1].
    buckets
        Buckets of each attribute, at most.

    Raises
    ------
    MissingExtra
        If torch is not installed.
    """
    training = _Training(binning, sample, buckets, seed)
    return training.run(training.against_information(weight))


class _Training:
    """Encoders of all attributes, and a classifier of their codes."""

    def __init__(self, binning: Binning, sample: Sample, buckets: int, seed: int) -> None:
        try:
            import torch
        except ImportError as error:
            raise MissingExtra("torch", "llm") from error
        self._torch = torch
        torch.manual_seed(seed)
        self._layout = binning.layout
        codings = binning.layout.codings
        self._encoders = [
            _Groups(coding, buckets) if isinstance(coding, Named) else _Intervals(coding, buckets) for coding in codings
        ]
        self._rows = torch.tensor(np.column_stack(sample.columns).astype(np.int64))
        self._target = torch.tensor(sample.targets[0].astype(np.int64))
        numbers = range(len(binning.layout.personal))
        self._personal = [torch.tensor(sample.personal(number)) for number in numbers]
        width = buckets * len(codings)
        self._classifier = _perceptron(width, sample.layout.targets[0])
        self._attackers = torch.nn.ModuleList(_perceptron(width, one.size) for one in binning.layout.personal)
        self._loss = torch.nn.CrossEntropyLoss()

    def against_attackers(self, weight: float) -> Callable[[torch.Tensor, float], torch.Tensor]:
        """Return the loss of a batch; it trains the attackers on the way."""
        optimizer = self._torch.optim.Adam(self._attackers.parameters(), lr=_RATE)

        def attacked(codes: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
            losses = [
                self._loss(attacker(codes), personal[rows])
                for attacker, personal in zip(self._attackers, self._personal, strict=True)
            ]
            return self._torch.stack(losses).mean()

        def loss(rows: torch.Tensor, heat: float) -> torch.Tensor:
            codes = self._torch.cat(self._codes(rows, heat), dim=1)
            optimizer.zero_grad()
            attacked(codes.detach(), rows).backward()
            optimizer.step()
            return (1 - weight) * self._loss(self._classifier(codes), self._target[rows]) - weight * attacked(
                codes, rows
            )

        return loss

    def against_information(self, weight: float) -> Callable[[torch.Tensor, float], torch.Tensor]:
        """Return the loss of a batch."""

        def loss(rows: torch.Tensor, heat: float) -> torch.Tensor:
            soft = self._codes(rows, heat)
            others = self._codes(rows[self._torch.randperm(len(rows))], heat)
            hard = [_straight_through(codes) for codes in soft]
            told = sum(
                (bucket * ((codes + 1e-9).log() - (other + 1e-9).log())).sum(dim=1).mean()
                for bucket, codes, other in zip(hard, soft, others, strict=True)
            )
            predicted = self._classifier(self._torch.cat(hard, dim=1))
            return (1 - weight) * self._loss(predicted, self._target[rows]) + weight * told

        return loss

    def run(self, loss: Callable[[torch.Tensor, float], torch.Tensor]) -> Generalization:
        """Train encoders and classifier, and return the likeliest bucket of each bin."""
        torch = self._torch
        trained = [*self._classifier.parameters(), *(part for encoder in self._encoders for part in encoder.parameters)]
        optimizer = torch.optim.Adam(trained, lr=_RATE)
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, _DECAY_EVERY, _DECAY)
        for epoch in range(_EPOCHS):
            heat = _HOT + (_COLD - _HOT) * epoch / (_EPOCHS - 1)
            for rows in torch.randperm(len(self._rows)).split(_BATCH):
                optimizer.zero_grad()
                loss(rows, heat).backward()
                optimizer.step()
            schedule.step()
        with torch.no_grad():
            codes = [encoder(_COLD).argmax(dim=1).numpy() for encoder in self._encoders]
        return Generalization(self._layout, tuple(compressed(code) for code in codes))

    def _codes(self, rows: torch.Tensor, heat: float) -> Sequence[torch.Tensor]:
        return [encoder(heat)[self._rows[rows, column]] for column, encoder in enumerate(self._encoders)]


class _Groups:
    """Maps a temperature to the bucket probabilities of each name."""

    def __init__(self, coding: Named, buckets: int) -> None:
        import torch

        self._names = torch.eye(coding.bins)
        self._net = _perceptron(coding.bins, buckets, layers=2)
        self.parameters = list(self._net.parameters())

    def __call__(self, heat: float) -> torch.Tensor:
        return (self._net(self._names) / heat).softmax(dim=1)


class _Intervals:
    """Maps a temperature to the bucket probabilities of each ordered bin.

    A monotone net into (0, 1), begun at the ranks of the bins and softly rounded to the centres of buckets.
    """

    def __init__(self, coding: Ordered, buckets: int) -> None:
        import torch

        sizes = (1, 100, 100, 1)
        self._weights = [(torch.randn(one, two) / one**0.5).requires_grad_() for one, two in pairwise(sizes)]
        self._shifts = [torch.zeros(size).requires_grad_() for size in sizes[1:]]
        self.parameters = [*self._weights, *self._shifts]
        places = positions(coding)
        places = np.append(places, 1.0) if coding.missing else places
        self._places = torch.tensor(places, dtype=torch.float32)[:, None]
        self._centres = (torch.arange(buckets) + 0.5) / buckets
        self._warm(np.array(coding.weights, dtype=np.float64))

    def __call__(self, heat: float) -> torch.Tensor:
        sharpness = len(self._centres) ** 2 / heat
        return (-((self._centres - self._level()[:, None]) ** 2) * sharpness).softmax(dim=1)

    def _warm(self, weights: npt.NDArray[np.float64]) -> None:
        import torch

        ranks = torch.tensor((np.cumsum(weights) - weights / 2) / weights.sum(), dtype=torch.float32)
        optimizer = torch.optim.Adam(self.parameters, lr=_RATE)
        for _ in range(_WARM_STEPS):
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(self._level(), ranks).backward()
            optimizer.step()

    def _level(self) -> torch.Tensor:
        value = self._places
        for number, (weight, shift) in enumerate(zip(self._weights, self._shifts, strict=True)):
            value = value @ weight.square() + shift
            value = value.tanh() if number < len(self._weights) - 1 else value
        spread = value.std().clamp_min(1e-6) if len(value) > 1 else 1.0
        return ((value - value.mean()) / spread).sigmoid()[:, 0]


def _perceptron(width: int, classes: int, layers: int = 1) -> Any:
    from torch import nn

    inner = [part for _ in range(layers - 1) for part in (nn.Linear(50, 50), nn.ReLU())]
    return nn.Sequential(nn.Linear(width, 50), nn.ReLU(), *inner, nn.Linear(50, classes))


def _straight_through(codes: torch.Tensor) -> torch.Tensor:
    from torch.nn.functional import one_hot

    hard = one_hot(codes.argmax(dim=1), codes.shape[1]).to(codes.dtype)
    return hard + codes - codes.detach()
