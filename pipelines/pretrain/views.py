"""Corrupted copies of a batch: hidden fields and left-out events. Draws come from torch's global generator."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from pipelines.encoder import arrays
from pipelines.encoder.arrays import PaddedBatch

HIDDEN_TIMES = 0.5
"""Share of events of a view whose times are hidden: left in, they would tell a session from others by its clock alone
(identity-like fields crowd out content: ptls-experiments)."""


class Seen(NamedTuple):
    """A batch as every objective gets it: encoded once, and what it takes to encode another view."""

    batch: PaddedBatch
    prefixes: Tensor  # (B, T, D), of the batch with some of its pages hidden
    encode: Callable[[Tensor], Tensor]  # tokens (B, T, F) -> prefixes (B, T, D)


def hide_pages(tokens: Tensor, share: float) -> Tensor:
    """Returns ``tokens`` (B, T, F) with the page token of a random ``share`` of events made unknown; its text stays."""
    hidden = (torch.rand(tokens.shape[:2], device=tokens.device) < share) & (tokens[..., arrays.PAGE] != arrays.PADDING)
    pages = tokens[..., arrays.PAGE].masked_fill(hidden, arrays.UNKNOWN)
    return torch.cat([pages[..., None], tokens[..., 1:]], dim=-1)


def view(batch: PaddedBatch, event_dropout: float, field_dropout: float) -> PaddedBatch:
    """Returns a view of each session: a share of its events left out (never all), pages and times hidden."""
    kept = leave_out(batch, event_dropout)
    tokens = hide_pages(kept.tokens, field_dropout).clone()
    for field in (arrays.ELAPSED, arrays.HOUR, arrays.WEEKDAY):
        tokens[..., field].masked_fill_(torch.rand(tokens.shape[:2], device=tokens.device) < HIDDEN_TIMES, 0)
    return PaddedBatch(tokens, kept.lengths)


def leave_out(batch: PaddedBatch, share: float) -> PaddedBatch:
    """Returns ``batch`` without a random ``share`` of the events; the rest keep their order and close ranks."""
    steps = torch.arange(batch.tokens.shape[1], device=batch.tokens.device)
    inside = steps < batch.lengths[:, None]
    draws = torch.rand(inside.shape, device=steps.device).masked_fill(~inside, -1)
    kept = inside & ((draws >= share) | (draws == draws.max(dim=1, keepdim=True).values))
    order = torch.argsort(~kept, dim=1, stable=True)  # kept events first
    tokens = batch.tokens.gather(1, order[..., None].expand_as(batch.tokens))
    lengths = kept.sum(dim=1)
    tokens = tokens * (steps < lengths[:, None])[..., None]
    return PaddedBatch(tokens, lengths)
