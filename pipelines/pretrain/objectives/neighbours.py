"""Two sessions of one visitor within a week should embed alike, those of other visitors apart."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from pipelines.encoder.fields import Field
from pipelines.encoder.poolings import at_last
from pipelines.encoder.shape import Shape
from pipelines.encoder.tensors import TensorBatch
from pipelines.params import Pretrain
from pipelines.pretrain.objectives.contrastive import info_nce, page_columns, projection, same_pages
from pipelines.pretrain.objectives.objective import Objective
from pipelines.pretrain.views import Hiding, Near, Seen


class Neighbours(Objective):
    """InfoNCE between a session and the next of the same visitor on the same channel.

    Source: CoLES (Babaev et al., arXiv 2002.08232), with whole sessions for its slices of one long history. What is
    like an identity (times, referrer) is hidden in half of the events of both, so that content must tell.
    """

    def __init__(self, shape: Shape, fields: Sequence[Field], params: Pretrain) -> None:
        super().__init__()
        self.head = projection(shape.embedding_dim)
        self.hiding = Hiding(fields)
        self.pages = page_columns(fields)
        self.field_dropout, self.temperature = params.field_dropout, params.temperature

    def views(self, batch: TensorBatch, near: Near | None) -> list[TensorBatch]:
        if near is None or len(near.rows) < 2:
            return []
        own = batch._replace(tokens=batch.tokens[near.rows], lengths=batch.lengths[near.rows])
        return [self.hiding.view(part, 0.0, self.field_dropout) for part in (own, near.batch)]

    def forward(self, seen: Seen) -> Tensor:
        """Returns the mean loss over the sessions that have a neighbour, both ways; 0 where fewer than two have."""
        if seen.near is None or not seen.views:
            return seen.prefixes.sum() * 0
        first, second = (
            functional.normalize(self.head(at_last(view.prefixes, view.batch.lengths)), dim=-1) for view in seen.views
        )
        pages = seen.batch.tokens[seen.near.rows][..., self.pages]
        return info_nce(first, second, same_pages(pages), self.temperature)
