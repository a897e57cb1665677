"""Embeddings on a plane.

t-SNE of scikit-learn (van der Maaten & Hinton 2008), begun from the two main directions so that the whole keeps its
arrangement: PCA alone lays most intents over one another, and UMAP would bring a compiler, numba, for a picture.
Near stays near; distances between far groups, and sizes of groups, mean nothing.
"""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

MIN_SESSIONS = 20
PERPLEXITY = 30


def projected(embeddings: np.ndarray, seed: int) -> np.ndarray:
    """Returns a place in the unit square for each of N embeddings, float64 (N, 2)."""
    vectors = (embeddings - embeddings.mean(axis=0)) / np.maximum(embeddings.std(axis=0), 1e-9)
    if len(vectors) < MIN_SESSIONS:
        places = PCA(2, random_state=seed).fit_transform(vectors)
    else:
        nearby = min(PERPLEXITY, len(vectors) / 4)
        places = TSNE(2, perplexity=nearby, init="pca", random_state=seed, n_jobs=1).fit_transform(vectors)
    low, high = places.min(axis=0), places.max(axis=0)
    return np.asarray((places - low) / np.maximum(high - low, 1e-9), dtype=np.float64)
