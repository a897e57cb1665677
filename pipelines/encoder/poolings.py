"""From the states of a session to its embedding, at every prefix: what `pretrain.pooling` names.

A pooling of prefix t reads states 1 to t only, so one pass gives the embedding of every prefix, padding cannot enter,
and the next event can be predicted from the embedding of what came before it. Axis legend: B, T, H, D as in model.py.
"""

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor, nn

_BOUND: Final = 10.0  # of attention scores: their exponentials are summed in float32


class Last(nn.Module):
    """The state itself: where the session stands."""

    def __init__(self, hidden: int, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(hidden, width)

    def forward(self, states: Tensor) -> Tensor:  # (B, T, H) -> (B, T, D)
        pooled: Tensor = self.project(self.read(states))
        return pooled

    def read(self, states: Tensor) -> Tensor:
        """Returns what of the ``states`` (B, T, H) is projected at each prefix, (B, T, R)."""
        return states


class Mean(Last):
    """The mean of all states so far: the course of the session."""

    def read(self, states: Tensor) -> Tensor:
        return running_mean(states)


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
