"""What turns events into states, one file and one line here an architecture: `pretrain.architecture` names it.

Each maps events (B, T, E) to states (B, T, H) and is causal: state t has seen events 1 to t and nothing else.
"""

from collections.abc import Callable
from typing import Final

from torch import nn

from pipelines.encoder.architectures.gru import Gru
from pipelines.encoder.architectures.transformer import Transformer
from pipelines.encoder.shape import Shape

ARCHITECTURES: Final[dict[str, Callable[[Shape], nn.Module]]] = {"gru": Gru, "transformer": Transformer}
