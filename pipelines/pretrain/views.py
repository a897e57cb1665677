"""Corrupted copies of a batch: hidden fields and left-out events. Draws come from torch's global generator."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

from pipelines.encoder.fields import NOTHING, UNKNOWN, Field
from pipelines.encoder.tensors import TensorBatch

HIDDEN_IN_VIEWS: Final = 0.5
"""Least share of a view's events whose times and referrer are hidden: left in, they would tell a session from others by
its clock or its campaign alone (identity-like fields crowd out content: dllllb/ptls-experiments)."""
HIDDEN_OF_CHOSEN: Final = 0.5
"""Share of the fields hidden in a session of which some are hidden."""
_IDENTITY_LIKE: Final = ("ts", "referrer")


class View(NamedTuple):
    """A view of a batch, or of a part of it, encoded."""

    batch: TensorBatch
    prefixes: Tensor  # (B, T, D)


class Seen(NamedTuple):
    """A batch as an objective gets it: encoded, and beside it the views that the objective asked for."""

    batch: TensorBatch
    prefixes: Tensor  # (B, T, D), of the batch with some of its fields hidden
    near: "Near | None" = None
    views: Sequence[View] = ()


class Near(NamedTuple):
    """Sessions near some of the batch's: the next of the same visitor."""

    rows: Tensor  # (R,) int64: whose, in the batch
    batch: TensorBatch  # R sessions


class Hiding(nn.Module):
    """Hides fields of events: a token or word becomes unknown, a text or a time nothing."""

    def __init__(self, fields: Sequence[Field]) -> None:
        super().__init__()
        owners = torch.tensor([place for place, one in enumerate(fields) for _ in range(one.width)])
        hidden = torch.tensor([UNKNOWN if one.kind in ("token", "words") else NOTHING for one in fields])
        times = torch.tensor([one.column in _IDENTITY_LIKE for one in fields])
        for name, tensor in (("owners", owners), ("hidden", hidden[owners]), ("identity_like", times)):
            self.register_buffer(name, tensor, persistent=False)

    owners: Tensor  # (C,): the field of each token column
    hidden: Tensor  # (C,): what it holds when hidden
    identity_like: Tensor  # (F,)

    def forward(self, tokens: Tensor, share: float) -> Tensor:
        """Returns ``tokens`` (B, T, C) with a ``share`` of the fields hidden, all in a few sessions.

        In these half of the fields are; the others stay as the encoder will read them.
        """
        of_chosen = max(share, HIDDEN_OF_CHOSEN)
        chosen = torch.rand(len(tokens), device=tokens.device) < share / of_chosen
        shares = torch.full((len(self.identity_like),), of_chosen, device=tokens.device)
        return torch.where(chosen[:, None, None], self._hide(tokens, shares), tokens)

    def view(self, batch: TensorBatch, event_dropout: float, field_dropout: float) -> TensorBatch:
        """Returns a view of each session: a share of its events left out (never all), fields hidden."""
        kept = leave_out(batch, event_dropout)
        shares = torch.full((len(self.identity_like),), field_dropout, device=kept.tokens.device)
        shares = torch.where(self.identity_like, shares.clamp(min=HIDDEN_IN_VIEWS), shares)
        return kept._replace(tokens=self._hide(kept.tokens, shares))

    def whole(self, tokens: Tensor, chosen: Tensor) -> Tensor:
        """Returns ``tokens`` with all fields of the events ``chosen`` (B, T) hidden."""
        return torch.where(chosen[..., None] & (tokens != NOTHING), self.hidden, tokens)

    def _hide(self, tokens: Tensor, shares: Tensor) -> Tensor:
        draws = torch.rand((*tokens.shape[:2], len(shares)), device=tokens.device) < shares  # (B, T, F)
        return torch.where(draws[..., self.owners] & (tokens != NOTHING), self.hidden, tokens)


def leave_out(batch: TensorBatch, share: float) -> TensorBatch:
    """Returns ``batch`` without a random ``share`` of the events; the rest keep their order and close ranks."""
    inside = batch.inside
    draws = torch.rand(inside.shape, device=inside.device).masked_fill(~inside, -1)
    kept = inside & ((draws >= share) | (draws == draws.max(dim=1, keepdim=True).values))
    order = torch.argsort(~kept, dim=1, stable=True)  # kept events first
    tokens = batch.tokens.gather(1, order[..., None].expand_as(batch.tokens))
    left = TensorBatch(tokens, kept.sum(dim=1), batch.texts)
    return left._replace(tokens=tokens * left.inside[..., None])
