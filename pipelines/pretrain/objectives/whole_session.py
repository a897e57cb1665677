"""Tell what a session was made of from its embedding."""

from collections.abc import Sequence

from torch import Tensor

from pipelines.encoder.fields import Field
from pipelines.encoder.poolings import at_last
from pipelines.encoder.shape import Shape
from pipelines.params import Pretrain
from pipelines.pretrain.heads import EventHeads
from pipelines.pretrain.objectives.objective import Objective
from pipelines.pretrain.views import Seen


class WholeSession(Objective):
    """Several fields of all events of a session, whatever their order, read off the embedding of its end.

    The next event lets the embedding forget what led to its present place, and two views of a session need tell it from
    others only; what labels the whole session needs all of it, where a linear probe finds it.
    """

    def __init__(self, shape: Shape, fields: Sequence[Field], params: Pretrain) -> None:
        super().__init__()
        self.heads = EventHeads(shape.embedding_dim, shape.text_dim, fields, params.targets)

    def readers(self) -> list[Tensor]:
        return self.heads.readers()

    def forward(self, seen: Seen) -> Tensor:
        """Returns the mean over sessions of their events' mean loss."""
        lengths, inside = seen.batch.lengths, seen.batch.inside
        owners = inside.nonzero()[:, 0]  # (K,), of all events
        shares = 1 / (lengths[owners] * len(lengths))
        ends = at_last(seen.prefixes, lengths)  # (B, D)
        loss: Tensor = self.heads(ends, seen.batch.tokens[inside], seen.batch.texts, owners, shares)
        return loss
