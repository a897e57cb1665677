"""Corrupted copies of a batch: hidden fields and left-out events. Draws come from torch's global generator."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

from pipelines.encoder.fields import NOTHING, UNKNOWN, Field
from pipelines.encoder.tensors import TensorBatch

CONTENT: Final = ("page", "path", "event_type", "query")
"""Columns that say what a visit is about. All other fields but its pace are its context: when, whence, on what. Left in
a view, they tell a session from others by its clock, its campaign or its visitor alone (identity-like fields crowd out
content: dllllb/ptls-experiments)."""
PACE: Final = "elapsed"
"""The kind of field that tells how long each event took: it names nobody, and what a visitor does next hangs on it."""
PACE_HIDDEN: Final = 0.5
"""Least share of a view's events whose pace is hidden: all of them together are all but the session's name."""
HIDDEN_OF_CHOSEN: Final = 0.5
"""Share of the fields hidden in a session of which some are hidden."""


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
        pace = torch.tensor([one.kind == PACE for one in fields])
        context = torch.tensor([one.column not in CONTENT for one in fields]) & ~pace
        buffers = {"owners": owners, "hidden": hidden[owners], "pace": pace, "of_context": context}
        for name, tensor in buffers.items():
            self.register_buffer(name, tensor, persistent=False)

    owners: Tensor  # (C,): the field of each token column
    hidden: Tensor  # (C,): what it holds when hidden
    pace: Tensor  # (F,)
    of_context: Tensor  # (F,)

    def forward(self, tokens: Tensor, share: float) -> Tensor:
        """Returns ``tokens`` (B, T, C) with a ``share`` of the fields hidden, all in a few sessions.

        In these half of the fields are; the others stay as the encoder will read them.
        """
        of_chosen = max(share, HIDDEN_OF_CHOSEN)
        chosen = torch.rand(len(tokens), device=tokens.device) < share / of_chosen
        shares = torch.full((len(self.of_context),), of_chosen, device=tokens.device)
        return torch.where(chosen[:, None, None], self._hide(tokens, shares), tokens)

    def context(self, tokens: Tensor, share: float) -> Tensor:
        """Returns ``tokens`` (B, T, C) with each field of the context hidden throughout a ``share`` of the sessions.

        Hidden in some of its events only, what names a session's visitor would be told by the others.
        """
        fields = torch.zeros((len(tokens), 1, len(self.of_context)), dtype=torch.bool, device=tokens.device)
        fields[..., self.of_context] = torch.rand_like(fields[..., self.of_context], dtype=torch.float) < share
        return self._without(tokens, fields)

    def view(self, batch: TensorBatch, event_dropout: float, field_dropout: float) -> TensorBatch:
        """Returns a view of each session without context: a share of its events left out (never all), fields hidden."""
        kept = leave_out(batch, event_dropout)
        shares = torch.full((len(self.of_context),), field_dropout, device=kept.tokens.device)
        shares = torch.where(self.pace, shares.clamp(min=PACE_HIDDEN), shares).masked_fill(self.of_context, 1)
        return kept._replace(tokens=self._hide(kept.tokens, shares))

    def whole(self, tokens: Tensor, chosen: Tensor) -> Tensor:
        """Returns ``tokens`` with all fields of the events ``chosen`` (B, T) hidden."""
        return torch.where(chosen[..., None] & (tokens != NOTHING), self.hidden, tokens)

    def _hide(self, tokens: Tensor, shares: Tensor) -> Tensor:
        draws = torch.rand((*tokens.shape[:2], len(shares)), device=tokens.device) < shares
        return self._without(tokens, draws)

    def _without(self, tokens: Tensor, fields: Tensor) -> Tensor:  # (B, T, C), bool (B, T or 1, F)
        return torch.where(fields[..., self.owners] & (tokens != NOTHING), self.hidden, tokens)


def leave_out(batch: TensorBatch, share: float) -> TensorBatch:
    """Returns ``batch`` without a random ``share`` of the events; the rest keep their order and close ranks."""
    inside = batch.inside
    draws = torch.rand(inside.shape, device=inside.device).masked_fill(~inside, -1)
    kept = inside & ((draws >= share) | (draws == draws.max(dim=1, keepdim=True).values))
    order = torch.argsort(~kept, dim=1, stable=True)  # kept events first
    tokens = batch.tokens.gather(1, order[..., None].expand_as(batch.tokens))
    left = TensorBatch(tokens, kept.sum(dim=1), batch.texts)
    return left._replace(tokens=tokens * left.inside[..., None])
