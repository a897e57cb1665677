"""How many topics: as many as best tell what a session shows next, in sessions that made no topic.

Too few topics tell little; too many are seen too rarely to tell anything. Where sessions show one thing only: as many
as keep topics compact (silhouette).
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from sklearn.metrics import silhouette_score

MIN_PAIRS = 200  # of things shown one after the other; with fewer, the loss is noise
PSEUDO_COUNT = 20.0  # weight of what sessions show at large, in what a topic tells
ENOUGH = 0.95  # of the best silhouette: it creeps upwards with the number, long after the groups say anything new
SHARES = (0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)  # of the most topics: the numbers that are tried

Seen = Sequence[Sequence[int]]
"""What each session shows, as rows of the subjects, in order."""


def best_cut(
    grouped: Callable[[Seen, int], np.ndarray], vectors: Callable[[], np.ndarray], seen: Seen, max_topics: int
) -> int:
    """Returns the number of topics.

    Args:
        grouped: the group of every subject, from the sessions given and the number of groups.
        vectors: of every subject, (S, D).
        seen: what each session shows.
        max_topics: the most.
    """
    n_subjects = 1 + max(max(shown, default=0) for shown in seen)
    tried = sorted({min(max(2, round(share * max_topics)), n_subjects) for share in SHARES})
    if tried[0] >= n_subjects:
        return n_subjects
    halves = seen[::2], seen[1::2]
    if min(len(pairs(half)) for half in halves) >= MIN_PAIRS:
        losses = {n: _losses(grouped, halves, n) for n in tried}
        return _finest(losses)
    points = vectors()
    scores = {n: _silhouette(points, grouped(seen, n)) for n in tried if n < n_subjects}
    return min(n for n, score in scores.items() if score >= ENOUGH * max(scores.values()))


def next_losses(groups: np.ndarray, made_from: Seen, held_out: Seen) -> np.ndarray:
    """Returns -log p(next thing | topic of this one) for every pair of ``held_out``, as counted in ``made_from``."""
    counts = np.zeros((groups.max() + 1, len(groups)))
    for one, other in pairs(made_from):
        counts[groups[one], other] += 1
    at_large = (counts.sum(axis=0) + 1) / (counts.sum() + len(groups))
    told = (counts + PSEUDO_COUNT * at_large) / (counts.sum(axis=1, keepdims=True) + PSEUDO_COUNT)
    return np.asarray([-np.log(told[groups[one], other]) for one, other in pairs(held_out)])


def _losses(grouped: Callable[[Seen, int], np.ndarray], halves: tuple[Seen, Seen], n: int) -> np.ndarray:
    """The losses of each half by topics made from the other."""
    one, other = halves
    return np.concatenate([next_losses(grouped(one, n), one, other), next_losses(grouped(other, n), other, one)])


def _finest(losses: dict[int, np.ndarray]) -> int:
    """The largest number whose loss is within one standard error of the least: people merge easily and split hardly."""
    best = min(losses, key=lambda n: float(losses[n].mean()))
    worse = {n: found - losses[best] for n, found in losses.items()}
    return max(n for n, gap in worse.items() if gap.mean() <= gap.std() / np.sqrt(len(gap)))


def pairs(seen: Seen) -> list[tuple[int, int]]:
    """Returns neighbours among the distinct things that a session shows."""
    return [pair for shown in seen for pair in pairwise(shown)]


def _silhouette(points: np.ndarray, groups: np.ndarray) -> float:
    n_sampled = min(len(points), 2_000)
    return float(silhouette_score(points, groups, metric="cosine", sample_size=n_sampled, random_state=0))
