"""What turns events into states, one file and one line here an architecture: `pretrain.architecture` names it."""

from collections.abc import Callable
from typing import Final

from pipelines.encoder.architectures.architecture import Architecture
from pipelines.encoder.architectures.gru import Gru
from pipelines.encoder.architectures.transformer import Transformer
from pipelines.encoder.shape import Shape

ARCHITECTURES: Final[dict[str, Callable[[Shape], Architecture]]] = {"gru": Gru, "transformer": Transformer}
