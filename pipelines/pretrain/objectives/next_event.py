"""Predict the next event from the embedding of what came before it."""

from collections.abc import Sequence

from torch import Tensor

from pipelines.encoder.fields import Field
from pipelines.encoder.shape import Shape
from pipelines.params import Pretrain
from pipelines.pretrain.heads import EventHeads
from pipelines.pretrain.objectives.objective import Objective
from pipelines.pretrain.views import Seen


class NextEvent(Objective):
    """Several fields of the next event, read off the embedding of every prefix.

    Source: autoregressive pre-training (GPT); that it sees no more than the D numbers of the embedding is ours, so that
    what predicts the next step must be in them.
    """

    def __init__(self, shape: Shape, fields: Sequence[Field], params: Pretrain) -> None:
        super().__init__()
        self.heads = EventHeads(shape.embedding_dim, shape.text_dim, fields, params.targets)

    def readers(self) -> list[Tensor]:
        return self.heads.readers()

    def forward(self, seen: Seen) -> Tensor:
        """Returns the mean loss over all events that have a predecessor."""
        inside = seen.batch.inside[:, 1:]  # (B, T - 1): the target is an event, not padding
        loss: Tensor = self.heads(seen.prefixes[:, :-1][inside], seen.batch.tokens[:, 1:][inside], seen.batch.texts)
        return loss
