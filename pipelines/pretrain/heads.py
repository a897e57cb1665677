"""What of an event is predicted, whoever predicts it: linear heads over the fields that `pretrain.targets` weights."""

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipelines.encoder.fields import NOTHING, UNKNOWN, Field, columns_of


class EventHeads(nn.Module):
    """Predicts several fields of an event from a vector: tokens and times as classes, a text as a direction.

    Heads are linear, so what predicts an event must lie open in the vector: a frozen linear probe finds it there.
    """

    def __init__(self, width: int, text_dim: int, fields: Sequence[Field], targets: Mapping[str, float]) -> None:
        super().__init__()
        columns = columns_of(fields)
        self.fields = {one.name: one for one in fields if targets.get(one.name)}
        self.columns = {name: columns[name].start for name in self.fields}
        self.weights = {name: targets[name] for name in self.fields}
        self.heads = nn.ModuleDict(
            {name: nn.Linear(width, one.n_tokens or text_dim) for name, one in self.fields.items()}
        )

    def forward(
        self,
        vectors: Tensor,
        events: Tensor,
        texts: Tensor,
        owners: Tensor | None = None,
        shares: Tensor | None = None,
    ) -> Tensor:
        """Returns the loss, a weighted sum over fields of means over events.

        Args:
            vectors: (V, W), what predicts.
            events: (K, C), the tokens of the events to be predicted; what training has no token for is left out.
            texts: (U + 1, text_dim), that the tokens name.
            owners: (K,), the vector that predicts each event; without them V is K, each event has its own.
            shares: (K,), of each event in the means; without them all are alike.
        """
        total = vectors.new_zeros(())
        if owners is None:
            owners = torch.arange(len(vectors), device=vectors.device)
        if shares is None:
            shares = vectors.new_full((len(events),), 1 / max(1, len(events)))
        for name, head in self.heads.items():
            predicted, target = head(vectors), events[:, self.columns[name]]
            if self.fields[name].kind == "text":
                lost = 1 - functional.cosine_similarity(predicted[owners], texts[target], dim=-1)
                lost = lost.masked_fill(target == NOTHING, 0)
            else:
                said = functional.log_softmax(predicted, dim=-1)[owners, target]
                lost = -said.masked_fill(target <= self._least(name), 0)
            total = total + self.weights[name] * (lost @ shares)
        return total

    def readers(self) -> list[Tensor]:
        """Returns the directions (C, W) that each head reads, times the root of its weight."""
        found = []
        for name, head in self.heads.items():
            rows = cast(nn.Linear, head).weight.detach()
            if self.fields[name].kind != "text":
                rows = rows[self._least(name) + 1 :]
                rows = rows - rows.mean(dim=0)  # a softmax reads differences of logits
            found.append(self.weights[name] ** 0.5 * rows)
        return found

    def _least(self, name: str) -> int:
        """The last token that is no target."""
        return UNKNOWN if self.fields[name].kind == "token" else NOTHING
