"""Batches of sessions of similar length, in an order that depends on the seed and the epoch alone."""

from collections.abc import Iterator

import numpy as np
from torch.utils.data import DataLoader, Dataset, Sampler

from pipelines.encoder.arrays import PaddedBatch, SessionArrays

BUCKET_BATCHES = 50
"""Sessions are sorted by length within so many batches: little padding, yet each epoch's batches are new."""


class Sessions(Dataset[PaddedBatch]):
    """SessionArrays by the rows of a whole batch."""

    def __init__(self, inputs: SessionArrays) -> None:
        self.inputs = inputs

    def __getitem__(self, rows: np.ndarray) -> PaddedBatch:
        return self.inputs.batch(rows)


class BatchOrder(Sampler[np.ndarray]):
    """Yields the rows of each batch; Lightning sets the epoch, so that a resumed run sees what a straight one sees."""

    def __init__(self, rows: np.ndarray, lengths: np.ndarray, batch_size: int, seed: int) -> None:
        self.rows, self.lengths, self.batch_size, self.seed = rows, lengths, batch_size, seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_size)

    def __iter__(self) -> Iterator[np.ndarray]:
        draw = np.random.default_rng([self.seed, self.epoch])
        shuffled = draw.permutation(self.rows)
        size = self.batch_size * BUCKET_BATCHES
        buckets = (shuffled[start : start + size] for start in range(0, len(shuffled), size))
        batches = [batch for bucket in buckets for batch in self._by_length(bucket)]
        for place in draw.permutation(len(batches)):
            yield batches[place]

    def _by_length(self, bucket: np.ndarray) -> list[np.ndarray]:
        ordered = bucket[np.argsort(self.lengths[bucket], kind="stable")]
        return np.split(ordered, range(self.batch_size, len(ordered), self.batch_size))


def loader(inputs: SessionArrays, rows: np.ndarray, batch_size: int, seed: int) -> DataLoader[PaddedBatch]:
    """Returns a loader over the sessions ``rows`` of ``inputs``."""
    order = BatchOrder(rows, inputs.lengths, batch_size, seed)
    return DataLoader(Sessions(inputs), batch_size=None, sampler=order)
