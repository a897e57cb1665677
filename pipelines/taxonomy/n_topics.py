"""How many topics: as many as come out alike when they are made anew from other sessions.

The topics that one half of the sessions makes are compared with those of the other half; the finest number that agrees
about as well as the best one is taken, since people merge easily and split hardly. Where sessions show one thing only,
no session says what belongs together: as many as keep topics compact (silhouette).
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from scipy.cluster.hierarchy import cut_tree, linkage
from sklearn.metrics import adjusted_rand_score, silhouette_score

MIN_PAIRS = 200  # of things shown one after the other in each half; with fewer, agreement is noise
N_SPLITS = 24  # into halves, drawn anew: one of them is off by .03 to .05, as much as twice as many topics change
ENOUGH = 0.95  # of the best agreement or silhouette: what is finer and nearly as good is worth more
SHARES = (0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)  # of the most topics: the numbers that are tried

Seen = Sequence[Sequence[int]]
"""What each session shows, as rows of the subjects, in order."""


def best_cut(vectors: Callable[[Seen], np.ndarray], seen: Seen, max_topics: int) -> int:
    """Returns the number of topics.

    Args:
        vectors: of every subject, (S, D), from the sessions given.
        seen: what each session shows.
        max_topics: the most.
    """
    n_subjects = 1 + max(max(shown, default=0) for shown in seen)
    tried = [n for n in sorted({max(2, round(share * max_topics)) for share in SHARES}) if n < n_subjects]
    if not tried:
        return min(max_topics, n_subjects)
    if min(n_pairs(seen[::2]), n_pairs(seen[1::2])) >= MIN_PAIRS:
        agreed = _agreement(vectors, seen, tried)
        return max(n for n, score in agreed.items() if score >= ENOUGH * max(agreed.values()))
    points = vectors(seen)
    scores = {n: _silhouette(points, grouped(points, n)) for n in tried}
    return min(n for n, score in scores.items() if score >= ENOUGH * max(scores.values()))


def grouped(vectors: np.ndarray, n_groups: int) -> np.ndarray:
    """Returns the group of each of (S, D) ``vectors``, (S,), by Ward's method: no chance is in it."""
    return _cuts(vectors, [n_groups])[n_groups]


def _cuts(vectors: np.ndarray, numbers: Sequence[int]) -> dict[int, np.ndarray]:
    """The groups of (S, D) ``vectors``, (S,), for several numbers of them: one tree is cut at each."""
    groups = cut_tree(linkage(vectors, "ward"), n_clusters=list(numbers))
    return dict(zip(numbers, groups.T, strict=True))


def n_pairs(seen: Seen) -> int:
    """Returns how many neighbours there are among the distinct things that sessions show."""
    return sum(len(list(pairwise(shown))) for shown in seen)


def _agreement(vectors: Callable[[Seen], np.ndarray], seen: Seen, tried: Sequence[int]) -> dict[int, float]:
    """The mean adjusted Rand index of the subjects' groups by two halves, by the number of groups."""
    found: dict[int, list[float]] = {n: [] for n in tried}
    for seed in range(N_SPLITS):
        order = np.random.default_rng(seed).permutation(len(seen)).tolist()
        one, other = (vectors([seen[place] for place in order[start::2]]) for start in (0, 1))
        groups, others = _cuts(one, tried), _cuts(other, tried)
        for n, scores in found.items():
            scores.append(float(adjusted_rand_score(groups[n], others[n])))
    return {n: float(np.mean(scores)) for n, scores in found.items()}


def _silhouette(points: np.ndarray, groups: np.ndarray) -> float:
    n_sampled = min(len(points), 2_000)
    return float(silhouette_score(points, groups, metric="cosine", sample_size=n_sampled, random_state=0))
