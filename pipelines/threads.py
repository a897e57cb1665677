"""PyTorch with one thread in each operation.

Sums are then made in one order, the same bytes on one core or many; and where whole passes run side by side, more
threads would only wait for each other.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Sets PyTorch to one thread an operation; it is as before afterwards."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)
