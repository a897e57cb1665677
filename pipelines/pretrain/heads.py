"""What of an event is predicted, whoever predicts it: linear heads over the fields that `pretrain.targets` weights."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn
from torch.nn import functional

from pipelines.encoder.fields import NOTHING, UNKNOWN, Field, columns_of

NO_TARGET = -100  # cross_entropy leaves it out


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

    def forward(self, vectors: Tensor, events: Tensor, texts: Tensor, shares: Tensor | None = None) -> Tensor:
        """Returns the loss, a weighted sum over fields of means over events.

        Args:
            vectors: (K, W), what predicts.
            events: (K, C), the tokens of the events to be predicted; what training has no token for is left out.
            texts: (U + 1, text_dim), that the tokens name.
            shares: (K,), of each event in the means; without them all are alike.
        """
        total = vectors.new_zeros(())
        if shares is None:
            shares = vectors.new_full((len(events),), 1 / max(1, len(events)))
        for name, head in self.heads.items():
            predicted, target = head(vectors), events[:, self.columns[name]]
            if self.fields[name].kind == "text":
                lost = 1 - functional.cosine_similarity(predicted, texts[target], dim=-1)
                lost = lost.masked_fill(target == NOTHING, 0)
            else:
                lost = functional.cross_entropy(predicted, self._known(name, target), reduction="none")
            total = total + self.weights[name] * (lost @ shares)
        return total

    def _known(self, name: str, target: Tensor) -> Tensor:
        least = UNKNOWN if self.fields[name].kind == "token" else NOTHING
        return target.masked_fill(target <= least, NO_TARGET)
