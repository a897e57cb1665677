"""Batches of sessions of similar length, in an order that depends on the seed and the epoch alone."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import distributed
from torch.utils.data import DataLoader, Dataset, Sampler

from pipelines.encoder.arrays import SessionArrays
from pipelines.encoder.tensors import TensorBatch
from pipelines.pretrain.views import Near

BUCKET_BATCHES = 50
"""Sessions are sorted by length within so many batches: little padding, yet each epoch's batches are new."""


class TrainingBatch(NamedTuple):
    """A batch, and sessions near some of it."""

    sessions: TensorBatch
    near: Near | None


class Sessions(Dataset[TrainingBatch]):
    """SessionArrays by the rows of a whole batch, with their neighbours where ``near`` (N,) names them."""

    def __init__(self, inputs: SessionArrays, near: np.ndarray | None) -> None:
        self.inputs, self.near = inputs, near

    def __getitem__(self, rows: np.ndarray) -> TrainingBatch:
        sessions = TensorBatch.of(self.inputs.batch(rows))
        if self.near is None or not (found := np.flatnonzero(self.near[rows] >= 0)).size:
            return TrainingBatch(sessions, None)
        near = TensorBatch.of(self.inputs.batch(self.near[rows[found]]))
        return TrainingBatch(sessions, Near(torch.from_numpy(found), near))


class BatchOrder(Sampler[np.ndarray]):
    """Yields the rows of each batch; Lightning sets the epoch, so that a resumed run sees what a straight one sees.

    Of several processes each takes its own batches, as many as the others: the first ones are dealt again to the last.
    """

    def __init__(self, rows: np.ndarray, lengths: np.ndarray, batch_size: int, seed: int) -> None:
        self.rows, self.lengths, self.batch_size, self.seed = rows, lengths, batch_size, seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        n_processes, _ = processes()
        return -(-self._n_batches // n_processes)

    def __iter__(self) -> Iterator[np.ndarray]:
        n_processes, rank = processes()
        draw = np.random.default_rng([self.seed, self.epoch])
        shuffled = draw.permutation(self.rows)
        size = self.batch_size * BUCKET_BATCHES
        buckets = (shuffled[start : start + size] for start in range(0, len(shuffled), size))
        batches = [batch for bucket in buckets for batch in self._by_length(bucket)]
        order = np.resize(draw.permutation(len(batches)), len(self) * n_processes)
        for place in order[rank::n_processes]:
            yield batches[place]

    @property
    def _n_batches(self) -> int:
        return -(-len(self.rows) // self.batch_size)

    def _by_length(self, bucket: np.ndarray) -> list[np.ndarray]:
        ordered = bucket[np.argsort(self.lengths[bucket], kind="stable")]
        return np.split(ordered, range(self.batch_size, len(ordered), self.batch_size))


def loader(
    inputs: SessionArrays, rows: np.ndarray, near: np.ndarray | None, batch_size: int, seed: int
) -> DataLoader[TrainingBatch]:
    """Returns a loader over the sessions ``rows`` of ``inputs``."""
    order = BatchOrder(rows, inputs.lengths, batch_size, seed)
    return DataLoader(Sessions(inputs, near), batch_size=None, sampler=order)


def processes() -> tuple[int, int]:
    """How many processes train together, and which this is."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return 1, 0
    return distributed.get_world_size(), distributed.get_rank()
