"""Events to states to the session embedding: the network, whatever its fields, architecture and pooling.

Axis legend: B sessions, T events, K distinct events, C token columns, E event, H state, D embedding, U pages in a
batch.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipelines.encoder.architectures import ARCHITECTURES
from pipelines.encoder.dropout import Dropout
from pipelines.encoder.fields import NOTHING, Field, columns_of
from pipelines.encoder.poolings import POOLINGS
from pipelines.encoder.shape import Shape


class SessionEncoder(nn.Module):
    """Encodes each prefix of a session into D numbers; the prefix that is the whole session is its embedding.

    What is pooled is each state and, beside it, the event itself: a state tells the course and blurs the event that it
    was made of, yet the last one alone tells most of what comes next, and all of them what a session was about.

    Nothing before an event can depend on it; padding on the right, and the other sessions of a batch, cannot reach a
    session's states at all.
    """

    def __init__(self, shape: Shape, fields: Sequence[Field], seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.events = _Events(shape, fields)
        self.dropout = Dropout(shape.dropout)  # of events: the layers and the pooling lack the same numbers
        self.states = ARCHITECTURES[shape.architecture](shape)
        self.pool = POOLINGS[shape.pooling](shape.hidden_dim + shape.event_dim, shape.embedding_dim)

    def forward(self, events: Tensor, places: Tensor, lengths: Tensor, texts: Tensor) -> Tensor:
        """Returns the embedding of each session, (B, D), as a trained encoder is used: nothing is dropped.

        Args:
            events: (K, C), the tokens of each distinct event, as arrays.DistinctBatch has them.
            places: (B, T), which of them each event is.
            lengths: (B,), each >= 1.
            texts: frozen text vectors (U + 1, text_dim) that the tokens name.
        """
        vectors = self.events(events, texts)
        states = self.states.of_distinct(vectors, places)
        embeddings: Tensor = self.pool.at_end(torch.cat([states, vectors[places]], dim=-1), lengths)
        return embeddings

    def prefixes(self, tokens: Tensor, texts: Tensor) -> Tensor:
        """Returns the embedding of every prefix, (B, T, D), of ``tokens`` (B, T, C), as arrays.PaddedBatch has them."""
        vectors = self.dropout(self.events(tokens, texts))
        pooled: Tensor = self.pool(torch.cat([self.states(vectors), vectors], dim=-1))
        return pooled


class _Events(nn.Module):
    """The fields of each event summed, and fused by an MLP."""

    def __init__(self, shape: Shape, fields: Sequence[Field]) -> None:
        super().__init__()
        width = shape.event_dim
        self.columns = columns_of(fields)
        self.kinds = {one.name: one.kind for one in fields}
        self.tables = nn.ModuleDict(
            {
                one.name: nn.Linear(shape.text_dim, width, bias=False)
                if one.kind == "text"
                else nn.Embedding(one.n_tokens, width, padding_idx=None if one.kind == "elapsed" else NOTHING)
                for one in fields
            }
        )
        self.fuse = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )
        for table in self.tables.values():
            if isinstance(table, nn.Embedding):
                nn.init.normal_(table.weight, std=0.1)
                if table.padding_idx is not None:
                    nn.init.zeros_(table.weight[table.padding_idx])

    def forward(self, tokens: Tensor, texts: Tensor) -> Tensor:  # (..., C), (U + 1, text_dim) -> (..., E)
        first, *others = (self._read(name, tokens[..., columns], texts) for name, columns in self.columns.items())
        summed = sum(others, start=first)
        fused: Tensor = summed + self.fuse(summed)
        return fused

    def _read(self, name: str, numbers: Tensor, texts: Tensor) -> Tensor:  # (..., width) -> (..., E)
        table = self.tables[name]
        if self.kinds[name] == "text":
            return functional.embedding(numbers.squeeze(-1), table(texts))
        return _summed(table, numbers)


def _summed(table: nn.Module, numbers: Tensor) -> Tensor:
    """Returns the sum of the rows of ``table`` that each event names, (..., width) -> (..., E).

    Of several rows the sum is taken as they are read: side by side, mostly empty words would fill the memory. A graph
    that is exported knows no such operation.
    """
    assert isinstance(table, nn.Embedding)
    summed: Tensor
    if numbers.shape[-1] == 1 or torch.onnx.is_in_onnx_export():
        summed = table(numbers).sum(dim=-2)
    else:
        rows = numbers.flatten(end_dim=-2)
        bags = functional.embedding_bag(rows, table.weight, mode="sum", padding_idx=table.padding_idx)
        summed = bags.view(*numbers.shape[:-1], -1)
    return summed
