"""The passes of a training step through the encoder, side by side: one thread for each view.

Events are few and their vectors short, so threads within an operation wait for each other longer than they work. Views
share nothing but the weights: whole passes, forward and back, are what a second core can do.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import torch
from torch import Tensor, nn

from pipelines.encoder.dropout import drawing_from
from pipelines.encoder.tensors import TensorBatch

_SEEDS: Final = 1 << 62


class Passes:
    """Encodes views, and takes the gradients of what was made of them back to the weights.

    Sums are made in the order of the views, and each view has draws of its own: results do not depend on who is first.
    """

    def __init__(self, encoder: nn.Module, encode: Callable[[TensorBatch], Tensor], n_threads: int) -> None:
        self._weights = [weight for weight in encoder.parameters() if weight.requires_grad]
        self._encode = encode
        self._pool = ThreadPoolExecutor(n_threads, thread_name_prefix="pass")
        self._under_way: list[tuple[Tensor, Tensor]] = []  # what a pass made, and the copy that the losses read

    def forward(self, views: Sequence[TensorBatch]) -> list[Tensor]:
        """Returns the prefixes (B, T, D) of each view; gradients stop at them until ``backward``."""
        seeds: list[int] = torch.randint(_SEEDS, (len(views),)).tolist()
        learning = torch.is_grad_enabled()
        made = list(self._pool.map(lambda view, seed: self._one(view, seed, learning), views, seeds))
        copies = [prefixes.detach().requires_grad_(learning) for prefixes in made]
        self._under_way = list(zip(made, copies, strict=True)) if learning else []
        return copies

    def backward(self) -> None:
        """Adds to the gradients of the weights what the copies of the last ``forward`` were given."""
        reached = [(prefixes, copy.grad) for prefixes, copy in self._under_way if copy.grad is not None]
        self._under_way = []
        for gradients in self._pool.map(lambda one: self._gradients(*one), reached):
            for weight, gradient in zip(self._weights, gradients, strict=True):
                if gradient is not None:
                    weight.grad = gradient if weight.grad is None else weight.grad.add_(gradient)

    def _one(self, view: TensorBatch, seed: int, learning: bool) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        with torch.set_grad_enabled(learning), drawing_from(generator):
            return self._encode(view)

    def _gradients(self, prefixes: Tensor, given: Tensor) -> tuple[Tensor | None, ...]:
        return torch.autograd.grad(prefixes, self._weights, given, allow_unused=True)
