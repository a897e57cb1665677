"""From the states of a session to its embedding, at every prefix: what `pretrain.pooling` names.

A pooling of prefix t reads states 1 to t only, so one pass gives the embedding of every prefix, padding cannot enter,
and the next event can be predicted from the embedding of what came before it. Axis legend: B, T, D as in model.py; H is
a state and its event, side by side.
"""

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor, nn

_BOUND: Final = 10.0  # of attention scores: their exponentials are summed in float32
_GRID: Final = 2.0**16  # steps in 1 of a folded weight: the last digits, by which kernels of BLAS differ, are lost


class Last(nn.Module):
    """The state itself: where the session stands."""

    def __init__(self, hidden: int, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(hidden, width)

    def forward(self, states: Tensor) -> Tensor:  # (B, T, H) -> (B, T, D)
        pooled: Tensor = self.project(self.read(states))
        return pooled

    def narrow(self, matrix: Tensor, centre: Tensor) -> None:
        """Makes (embedding - ``centre`` (D,)) @ ``matrix`` (D, K) the embedding from now on; of float64, to fold it."""
        wide = self.project
        self.project = nn.Linear(wide.in_features, matrix.shape[1])
        with torch.no_grad():
            self.project.weight.copy_(_on_grid(matrix.T @ wide.weight.double()))
            self.project.bias.copy_(_on_grid((wide.bias.double() - centre) @ matrix))

    def read(self, states: Tensor) -> Tensor:
        """Returns what of the ``states`` (B, T, H) is projected at each prefix, (B, T, R)."""
        return states

    def at_end(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Returns the last row of ``forward`` of each session, (B, D), without the others."""
        pooled: Tensor = self.project(self.read_at_end(states, lengths))
        return pooled

    def read_at_end(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Returns the last row of ``read`` of each session, (B, R)."""
        return at_last(self.read(states), lengths)


class Mean(Last):
    """The mean of all states so far: the course of the session."""

    def read(self, states: Tensor) -> Tensor:
        return running_mean(states)

    def read_at_end(self, states: Tensor, lengths: Tensor) -> Tensor:
        return mean(states, lengths)


class Attention(Last):
    """The mean of all states so far, weighted by a learned score (Yang et al. 2016, N16-1174)."""

    def __init__(self, hidden: int, width: int) -> None:
        super().__init__(hidden, width)
        self.score = nn.Sequential(nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, 1))

    def read(self, states: Tensor) -> Tensor:
        weights = (_BOUND * torch.tanh(self.score(states) / _BOUND)).exp()  # (B, T, 1)
        return (weights * states).cumsum(dim=1) / weights.cumsum(dim=1)


class Mix(Last):
    """A learned mix of the state itself and the mean of all so far: where it stands, and how it came there."""

    def __init__(self, hidden: int, width: int) -> None:
        super().__init__(2 * hidden, width)

    def read(self, states: Tensor) -> Tensor:
        return torch.cat([states, running_mean(states)], dim=-1)

    def read_at_end(self, states: Tensor, lengths: Tensor) -> Tensor:
        return torch.cat([at_last(states, lengths), mean(states, lengths)], dim=-1)


POOLINGS: Final[dict[str, Callable[[int, int], Last]]] = {
    "last": Last,
    "mean": Mean,
    "attention": Attention,
    "mix": Mix,
}


def running_mean(states: Tensor) -> Tensor:
    """Returns the mean of the states so far, (B, T, H)."""
    steps = torch.arange(1, states.shape[1] + 1, device=states.device, dtype=states.dtype)
    return states.cumsum(dim=1) / steps[None, :, None]


def mean(states: Tensor, lengths: Tensor) -> Tensor:
    """Returns the mean of the states of each session, (B, H)."""
    inside = torch.arange(states.shape[1], device=states.device) < lengths[:, None]  # (B, T)
    shares = inside.to(states.dtype) / lengths[:, None]
    return torch.bmm(shares[:, None], states).squeeze(1)


def at_last(prefixes: Tensor, lengths: Tensor) -> Tensor:
    """Returns what each session has at its last event, (B, D), out of what it has at every one, (B, T, D)."""
    places = (lengths - 1)[:, None, None].expand(-1, 1, prefixes.shape[2])
    return prefixes.gather(1, places).squeeze(1)


def _on_grid(folded: Tensor) -> Tensor:
    return (folded * _GRID).round() / _GRID
