"""Predict hidden events from the embedding of the rest of the session."""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipelines.encoder.fields import Field
from pipelines.encoder.poolings import at_last
from pipelines.encoder.shape import Shape
from pipelines.encoder.tensors import TensorBatch
from pipelines.params import Pretrain
from pipelines.pretrain.heads import EventHeads
from pipelines.pretrain.objectives.objective import Objective
from pipelines.pretrain.views import Hiding, Near, Seen

MASKED: Final = 0.15
"""Share of events whose fields are all hidden. Source: BERT (Devlin et al., arXiv 1810.04805)."""


class MaskedEvents(Objective):
    """Several fields of hidden events, told by the whole session's embedding and how far from its end they were.

    Source: masked modelling of event sequences (BERT4Rec, Sun et al., arXiv 1904.06690). Departure: the encoder is
    causal, so its state at a hidden event has not seen what follows; the embedding of the session has, and it is what
    must hold the course. The decoder is an MLP over D numbers and a place: it cannot look the event up.
    """

    def __init__(self, shape: Shape, fields: Sequence[Field], params: Pretrain) -> None:
        super().__init__()
        self.hiding = Hiding(fields)
        self.place = nn.Embedding(params.max_events, shape.hidden_dim)
        self.reader = nn.Linear(shape.embedding_dim, shape.hidden_dim)
        self.heads = EventHeads(shape.hidden_dim, shape.text_dim, fields, params.targets)

    def views(self, batch: TensorBatch, near: Near | None) -> list[TensorBatch]:
        inside = batch.inside
        chosen = inside & (torch.rand(inside.shape, device=inside.device) < MASKED) & (batch.lengths > 1)[:, None]
        return [batch._replace(tokens=self.hiding.whole(batch.tokens, chosen))]

    def readers(self) -> list[Tensor]:
        return [self.reader.weight.detach()]

    def forward(self, seen: Seen) -> Tensor:
        """Returns the mean loss over hidden events; sessions of one event hide nothing."""
        rest, prefixes = seen.views[0]
        hidden = (rest.tokens != seen.batch.tokens).any(dim=-1)
        return self.loss(at_last(prefixes, rest.lengths), seen, hidden)

    def loss(self, embeddings: Tensor, seen: Seen, chosen: Tensor) -> Tensor:
        """Returns the loss of the events ``chosen`` (B, T), given the embeddings (B, D) of the rest."""
        sessions, steps = chosen.nonzero(as_tuple=True)  # (K,) each
        from_end = seen.batch.lengths[sessions] - 1 - steps
        told = functional.gelu(self.reader(embeddings[sessions]) + self.place(from_end))
        loss: Tensor = self.heads(told, seen.batch.tokens[sessions, steps], seen.batch.texts)
        return loss
