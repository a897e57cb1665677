"""Regions of the embedding space, made from a champion's reference: where embeddings shift, sessions change region."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
from sklearn.cluster import MiniBatchKMeans

N_CELLS: Final = 32
BANDS: Final = (0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
"""Shares of the reference that lie within the edges of the bands of distance."""


@dataclass(frozen=True)
class Cells:
    """Centres (K, D) of the cells, and the edges of the bands of distance from a session to its centre."""

    centres: np.ndarray
    edges: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray, seed: int) -> Self:
        """Returns the cells of the reference's embeddings (N, D); fewer than N_CELLS where N is small."""
        n_cells = max(1, min(N_CELLS, len(vectors) // 20))
        fitted = MiniBatchKMeans(n_cells, random_state=seed, n_init=3, batch_size=2048).fit(vectors)
        centres = fitted.cluster_centers_.astype(np.float32)
        _, distances = _nearest(vectors, centres)
        return cls(centres, np.quantile(distances, BANDS).astype(np.float32))

    def place(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the cell (N,) of each of ``vectors`` (N, D), and its band of distance (N,): 0 is the nearest."""
        cells, distances = _nearest(vectors, self.centres)
        return cells.astype(np.int32), np.searchsorted(self.edges, distances).astype(np.int32)

    def save(self, path: Path) -> None:
        np.savez(path, centres=self.centres, edges=self.edges)

    @classmethod
    def load(cls, path: Path) -> Self:
        with np.load(path) as arrays:
            return cls(arrays["centres"], arrays["edges"])


def _nearest(vectors: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The place of the nearest of ``centres`` (K, D) to each of ``vectors`` (N, D), and the distance to it."""
    squares = (centres**2).sum(axis=1) - 2 * vectors @ centres.T  # (N, K), less the square of the vector itself
    cells = squares.argmin(axis=1)
    return cells, np.linalg.norm(vectors - centres[cells], axis=1)
