"""An embedding that has collapsed says little with many numbers."""

from typing import Final

import numpy as np

from pipelines.pretrain.audits.subject import Subject

N_PAIRED: Final = 2_000  # sessions whose distances are all looked at


def measure(subject: Subject) -> dict[str, float]:
    """Returns how many directions are used, how evenly, and how the embeddings lie on the sphere.

    ``effective_rank``: exp of the entropy of the covariance's eigenvalues (Roy & Vetterli 2007), 1 to D.
    ``least_deviation``: of the dimension that varies least, in parts of the mean over dimensions; 0: it is dead.
    ``uniformity``: log of the mean of exp(-2 |x - y|^2) over pairs of unit vectors (Wang & Isola, arXiv 2005.10242);
    0: all point the same way; -4: as evenly as can be. Centred first: a common offset says nothing.
    """
    vectors = subject.embeddings.astype(np.float64)
    centred = vectors - vectors.mean(axis=0)
    spread = np.linalg.eigvalsh(centred.T @ centred)
    shares = spread[spread > spread.max() * 1e-12] / spread.sum() if spread.max() > 0 else np.ones(1)
    deviations = centred.std(axis=0)
    return {
        "effective_rank": float(np.exp(-(shares * np.log(shares)).sum())),
        "least_deviation": float(deviations.min() / max(deviations.mean(), 1e-12)),
        "uniformity": uniformity(centred[:N_PAIRED]),
    }


def uniformity(vectors: np.ndarray) -> float:
    """Returns the uniformity of (N, D) ``vectors``, each brought to length one."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    lengths = (unit**2).sum(axis=1)  # one, or nothing for a vector of nothing
    distances = np.maximum(lengths[:, None] + lengths - 2 * unit @ unit.T, 0)  # squared
    pairs = np.triu_indices(len(unit), k=1)
    return float(np.log(np.exp(-2 * distances[pairs]).mean()))
