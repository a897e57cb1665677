"""The student's training: two networks on the frozen embedding, one loss, the better by validation is kept.

Source: soft targets, hard ones mixed in, by binary cross-entropy, after Hinton, Vinyals & Dean 2015 (1503.02531); the
teacher's scores are probabilities already, so there is no temperature.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import torch
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from torch import nn
from torch.nn import functional

from pipelines.cores import side_by_side
from pipelines.distill.examples import Examples
from pipelines.params import Distill
from pipelines.student import logistic
from pipelines.student.graph import Affine, Layers
from pipelines.threads import one_thread

_LEAST_VARIANCE: Final = 1e-8  # below it an axis is rounding
_PRECISION: Final = 1e-6  # of the loss: networks differ by much more
RIDGES: Final = (0.1, 1.0, 10.0, 100.0)  # of logistic regression, from the weakest on, while validation gains


@dataclass(frozen=True)
class Trained:
    """Layers for raw embeddings, uncalibrated, and how they came about."""

    layers: Layers
    valid_logits: np.ndarray  # float32 (N, C), of the validation part
    valid_loss: float  # mean over sessions and labels
    found: Mapping[str, Any]  # what validation chose within the network


def candidates(train: Examples, valid: Examples, params: Distill, seed: int) -> dict[str, Trained]:
    """Returns every network that could become the student, trained."""
    found = side_by_side([partial(network, train, valid, params, seed) for network in NETWORKS.values()])
    return dict(zip(NETWORKS, found, strict=True))


def perceptron(train: Examples, valid: Examples, params: Distill, seed: int) -> Trained:
    """Returns one hidden layer of relus, as it was after the epoch with the least validation loss."""
    scale = _Scale.of(train)
    with reproducible(seed):
        inputs, targets = scale.tensors(train, params.hard_share)
        valid_inputs, valid_targets = scale.tensors(valid, params.hard_share)
        network = untrained(inputs.shape[1], params.hidden_dim, params.dropout, targets.mean(dim=0))
        optimizer = torch.optim.AdamW(network.parameters(), lr=params.learning_rate, weight_decay=params.weight_decay)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, params.max_epochs)
        best_loss, best_epoch, best_state = float("inf"), 0, network.state_dict()
        for epoch in range(1, params.max_epochs + 1):
            train_epoch(network.train(), optimizer, inputs, targets, params.batch_size)
            schedule.step()
            network.eval()
            with torch.no_grad():
                valid_loss = float(functional.binary_cross_entropy_with_logits(network(valid_inputs), valid_targets))
            if valid_loss < best_loss:
                best_loss, best_epoch, best_state = valid_loss, epoch, copy.deepcopy(network.state_dict())
        network.load_state_dict(best_state)
        with torch.no_grad():
            valid_logits = network(valid_inputs).numpy()
    layers = scale.folded(Layers((_affine(network[0]),), _affine(network[-1])))
    return Trained(layers, valid_logits, best_loss, {"epoch": best_epoch, "hidden_dim": params.hidden_dim})


def logistic_regression(train: Examples, valid: Examples, params: Distill, seed: int) -> Trained:
    """Returns one ridge logistic regression a label, with the penalty of the least validation loss."""
    del seed  # it has nothing to draw
    scale = _Scale.of(train)
    inputs, valid_inputs = (scale.apply(part).astype(np.float64) for part in (train, valid))
    targets, valid_targets = (part.targets(params.hard_share) for part in (train, valid))
    best: tuple[float, float, logistic.Heads] | None = None
    found: logistic.Heads | None = None
    with threadpool_limits(1):  # sums in one order: the same bytes on one core or many
        axes, deviations = _principal_axes(inputs)
        spread = inputs @ axes / deviations
        for ridge in RIDGES:
            found = logistic.fit(spread, targets, ridge / deviations**2, _PRECISION, found)
            heads = logistic.Heads(axes @ (found.weights / deviations[:, None]), found.intercepts)
            loss = heads.log_loss(valid_inputs, valid_targets)
            if best is not None and loss >= best[0]:
                break
            best = (loss, ridge, heads)
    assert best is not None
    loss, ridge, heads = best
    layers = Layers((), Affine(heads.weights.astype(np.float32), heads.intercepts.astype(np.float32)))
    valid_logits = (valid_inputs @ heads.weights + heads.intercepts).astype(np.float32)
    return Trained(scale.folded(layers), valid_logits, loss, {"ridge": ridge})


NETWORKS: Final[Mapping[str, Callable[[Examples, Examples, Distill, int], Trained]]] = {
    "perceptron": perceptron,
    "logistic_regression": logistic_regression,
}


def _principal_axes(inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the principal axes (D, D) of centred ``inputs`` (N, D) and the deviation along each, (D,).

    Along them, in units of the deviation, the logistic loss bends alike in all directions and is soon at its least.
    """
    variances, axes = np.linalg.eigh(inputs.T @ inputs / len(inputs))
    return axes, np.sqrt(np.maximum(variances, _LEAST_VARIANCE))


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """One thread and a seed of its own for torch; both are as before afterwards."""
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def untrained(n_inputs: int, n_hidden: int, dropout: float, base_rates: torch.Tensor) -> nn.Sequential:
    """Returns a network whose first answers are near the base rates (C,)."""
    output = nn.Linear(n_hidden, len(base_rates))
    with torch.no_grad():
        output.bias.copy_(torch.logit(base_rates.clamp(1e-3, 1 - 1e-3)))
    return nn.Sequential(nn.Linear(n_inputs, n_hidden), nn.ReLU(), nn.Dropout(dropout), output)


def train_epoch(
    network: nn.Sequential,
    optimizer: torch.optim.Optimizer,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    batch_size: int,
) -> None:
    """Takes one pass over the sessions in an order drawn from torch's seed."""
    order = torch.randperm(len(inputs))
    for start in range(0, len(inputs), batch_size):
        rows = order[start : start + batch_size]
        loss = functional.binary_cross_entropy_with_logits(network(inputs[rows]), targets[rows])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()


@dataclass(frozen=True)
class _Scale:
    """Mean and deviation of the embedding in the training part."""

    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, train: Examples) -> "_Scale":
        return cls(train.embeddings.mean(axis=0), np.maximum(train.embeddings.std(axis=0), 1e-6))

    def apply(self, examples: Examples) -> np.ndarray:
        return np.asarray((examples.embeddings - self.mean) / self.deviation)

    def tensors(self, examples: Examples, hard_share: float) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.from_numpy(self.apply(examples)), torch.from_numpy(examples.targets(hard_share))

    def folded(self, layers: Layers) -> Layers:
        return layers.standardized(self.mean, self.deviation)


def _affine(linear: nn.Module) -> Affine:
    assert isinstance(linear, nn.Linear)
    return Affine(linear.weight.detach().numpy().T, linear.bias.detach().numpy())
