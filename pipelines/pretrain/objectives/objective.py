"""What every objective is: the views of a batch that it asks for, and a loss."""

from torch import Tensor, nn

from pipelines.encoder.tensors import TensorBatch
from pipelines.pretrain.views import Near, Seen


class Objective(nn.Module):
    """Maps a views.Seen to its loss, as ``forward``."""

    def views(self, batch: TensorBatch, near: Near | None) -> list[TensorBatch]:
        """Returns the views to be encoded besides the batch itself; ``forward`` finds them, in this order, in Seen."""
        return []

    def readers(self) -> list[Tensor]:
        """Returns the linear maps (C, D) by which it reads embeddings, those that are known."""
        return []

    def __call__(self, seen: Seen) -> Tensor:
        loss: Tensor = super().__call__(seen)
        return loss
