"""How many bits the earlier pages of a session tell of its last page: held-out cross-entropies and their differences.

Consecutive repeats are collapsed and the first 64 page views kept, as in the MSNBC protocol; the target is the last of
them. A cross-entropy is an upper bound on what is left unknown, and so is every difference only what these models find:
a gain of nothing may be a signal that they miss. Visitors are split in halves by hash, so that no visitor is in both.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks import page_models
from benchmarks.visits import Figures, Visits

MAX_VIEWS: Final = 64
MAX_SESSIONS: Final = 20_000
N_PAGES: Final = 50
"""The most frequent pages; all rarer ones are one class, so that sites of any size can be compared."""
SEED: Final = 7
N_BOOTSTRAP: Final = 1000
TEST_FROM, VALID_FROM = 128, 102
"""Bounds on the first byte of a visitor's hash: half test, and of the other half a fifth chooses settings."""

READS: Final = {
    "counts": ("counts",),
    "last": ("last",),
    "counts_last": ("counts", "last"),
    "order": ("counts", "last", "before_last", "position"),
}
"""What each model reads of the earlier pages."""
BEYOND: Final = {
    "last_beyond_counts": ("counts", "counts_last"),
    "counts_beyond_last": ("last", "counts_last"),
    "order_beyond_counts_last": ("counts_last", "order"),
}
"""Information is the first model's bits less the second's."""


@dataclass(frozen=True)
class Examples:
    """N sessions over C classes of pages."""

    n_classes: int
    parts: np.ndarray  # (N,): "fit", "valid" or "test"
    counts: np.ndarray  # float64 (N, C): of the earlier pages
    last: np.ndarray  # int64 (N,): the page before the target
    before_last: np.ndarray  # int64 (N,): the one before that; C where there is none
    position: np.ndarray  # int64 (N,): number of earlier pages
    target: np.ndarray  # int64 (N,)

    def features(self, names: tuple[str, ...]) -> np.ndarray:
        """Returns (N, F) with ``names`` written so that both trees and a log-linear model can use them."""
        blocks = {
            "counts": np.hstack([np.log1p(self.counts), self.counts > 0]),
            "last": np.eye(self.n_classes)[self.last],
            "before_last": np.eye(self.n_classes + 1)[self.before_last],
            "position": np.log(self.position)[:, None],
        }
        return np.hstack([blocks[name] for name in names])


def information(visits: Visits, min_views: int) -> Figures:
    """Returns the bits per last page of the unigram, each model's gain over it, and what one adds to another.

    Each with the bounds of its 95 % bootstrap interval over the test sessions, as ``<name>_low`` and ``<name>_high``.

    Args:
        visits: of one site.
        min_views: sessions with fewer page views, repeats collapsed, are left out; at least 2.
    """
    examples = make_examples(visits, min_views)
    in_test, target = examples.parts == "test", examples.target
    test = target[in_test]
    losses = {"unigram": -np.log2(page_models.unigram(target[examples.parts == "fit"], examples.n_classes)[test])}
    for name, reads in READS.items():
        features = examples.features(reads)
        probabilities = page_models.predict(features, target, examples.parts, examples.n_classes)
        losses[name] = -np.log2(probabilities[np.arange(len(test)), test])
    return {
        "next_page_sessions": len(target),
        "next_page_test_sessions": len(test),
        "next_page_classes": examples.n_classes,
        "next_page_other_share": float((test >= N_PAGES).mean()),
        **differences(losses),
    }


def make_examples(visits: Visits, min_views: int) -> Examples:
    """Returns the sessions with ``min_views`` or more, at most MAX_SESSIONS of them, drawn with SEED."""
    collapsed = [collapse(pages)[:MAX_VIEWS] for pages in visits.sequences]
    chosen = np.flatnonzero([len(pages) >= min_views for pages in collapsed])
    if len(chosen) > MAX_SESSIONS:
        chosen = np.sort(np.random.default_rng(SEED).choice(chosen, MAX_SESSIONS, replace=False))
    parts = np.array([part_of(visitor) for visitor in visits.visitors[chosen]])
    known = [collapsed[at] for at, part in zip(chosen, parts, strict=True) if part != "test"]
    class_of = page_classes(np.concatenate(known), len(visits.names))
    sequences = [class_of[collapsed[at]] for at in chosen]
    n_classes = int(class_of.max()) + 1
    return Examples(
        n_classes=n_classes,
        parts=parts,
        counts=np.array([np.bincount(pages[:-1], minlength=n_classes) for pages in sequences], dtype=float),
        last=np.array([pages[-2] for pages in sequences]),
        before_last=np.array([pages[-3] if len(pages) > 2 else n_classes for pages in sequences]),
        position=np.array([len(pages) - 1 for pages in sequences]),
        target=np.array([pages[-1] for pages in sequences]),
    )


def collapse(pages: np.ndarray) -> np.ndarray:
    """Returns ``pages`` without those that repeat the one before."""
    return np.asarray(pages[np.append(True, pages[1:] != pages[:-1])])


def part_of(visitor: str) -> str:
    """Returns "test", "valid" or "fit", the same for all sessions of a visitor."""
    first = hashlib.sha256(visitor.encode()).digest()[0]
    return "test" if first >= TEST_FROM else "valid" if first >= VALID_FROM else "fit"


def page_classes(pages: np.ndarray, n_pages: int) -> np.ndarray:
    """Returns each page's class (n_pages,): its rank among the N_PAGES commonest of ``pages``, else one for all."""
    counts = np.bincount(pages, minlength=n_pages)
    ranks = np.empty(n_pages, dtype=np.int64)
    ranks[np.argsort(-counts, kind="stable")] = np.arange(n_pages)
    n_kept = min(N_PAGES, int((counts > 0).sum()))
    return np.asarray(np.minimum(ranks, n_kept))


def differences(losses: dict[str, np.ndarray]) -> Figures:
    """Returns the figures of ``information`` from each model's bits on the test sessions (M,)."""
    estimates = {"bits_unigram": losses["unigram"]}
    estimates |= {f"gain_{name}": losses["unigram"] - losses[name] for name in READS}
    estimates |= {name: losses[without] - losses[beside] for name, (without, beside) in BEYOND.items()}
    n_sessions = len(losses["unigram"])
    draw = np.random.default_rng(SEED)
    weights = draw.multinomial(n_sessions, np.full(n_sessions, 1 / n_sessions), size=N_BOOTSTRAP) / n_sessions
    found: Figures = {}
    for name, values in estimates.items():
        low, high = np.quantile(weights @ values, [0.025, 0.975])
        found |= {name: float(values.mean()), f"{name}_low": float(low), f"{name}_high": float(high)}
    return found
