"""Dropout whose draws come from a generator of the caller's, so that threads do not draw from the same one."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

import torch
from torch import Tensor, nn

_GENERATOR: Final[ContextVar[torch.Generator | None]] = ContextVar("generator", default=None)


class Dropout(nn.Module):
    """Leaves out a share of the numbers in training and scales the rest up; otherwise nothing.

    Source: Srivastava et al. 2014 (JMLR 15). PyTorch's own draws from one generator of the whole process.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, numbers: Tensor) -> Tensor:
        if not self.training or not self.share:
            return numbers
        kept = torch.empty_like(numbers).bernoulli_(1 - self.share, generator=_GENERATOR.get())
        return numbers * kept.div_(1 - self.share)


@contextmanager
def drawing_from(generator: torch.Generator) -> Iterator[None]:
    """Lets the Dropouts of this thread draw from ``generator``."""
    token = _GENERATOR.set(generator)
    try:
        yield
    finally:
        _GENERATOR.reset(token)
