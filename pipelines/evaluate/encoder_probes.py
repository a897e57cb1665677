"""Task: what the frozen embedding holds, by probes that cost seconds.

A session embedding must carry both the course of the session and where it ended: one linear probe reads back the pages
that were seen, another the last one. Probes are fitted on training sessions and judged on test sessions.
"""

from typing import Any, Final

import numpy as np
import pyarrow.compute as pc
from scipy.sparse import csr_array

from pipelines.evaluate.bootstrap import Resamples, estimate, ratio
from pipelines.evaluate.inputs import Inputs
from pipelines.evaluate.judgement import Judgement
from pipelines.evaluate.signals import Scale, last_pages, page_counts
from pipelines.params import Evaluate

TASK: Final = "encoder"
RIDGE: Final = 1.0  # against thousands of sessions and a few dozen dimensions: only keeps the solution finite
MAX_SESSIONS: Final = 4_000  # of the test part, drawn by the seed: enough for three digits, bounded in time


def judge(inputs: Inputs, params: Evaluate, seed: int) -> Judgement:
    """Returns the effective rank of the embedding and what the probes read back from it, on test web sessions."""
    is_web = pc.equal(inputs.sessions.column("channel"), "web").to_numpy()
    train, test = (np.flatnonzero(is_web & (inputs.split == part)) for part in ("train", "test"))
    metrics: dict[str, Any] = {"n_sessions": len(inputs.sessions), "embedding_dim": inputs.embeddings.shape[1]}
    if len(train) and len(test):
        chosen = np.random.default_rng(seed).permutation(test)[:MAX_SESSIONS]
        test = np.sort(chosen)
        resamples = Resamples(inputs.visitors[test], params.n_bootstrap, seed)
        metrics["effective_rank"] = estimate(effective_ranks(resamples, inputs.embeddings[test]))
        metrics |= _probes(inputs, train, test, resamples)
    return Judgement({TASK: metrics})


def effective_ranks(resamples: Resamples, embeddings: np.ndarray) -> np.ndarray:
    """Returns the effective rank of (N, D) ``embeddings``, (B + 1,).

    exp of the entropy of the covariance's eigenvalues: D where all directions are used alike, 1 where one is.
    Source: Roy & Vetterli 2007, "The effective rank", with eigenvalues of the covariance for singular values.
    """
    vectors = embeddings.astype(np.float64)
    ranks = [_effective_rank(vectors, np.ones(len(vectors)))]
    for block in resamples.weights():
        ranks += [_effective_rank(vectors, weights[resamples.cluster_of_row]) for weights in block]
    return np.array(ranks)


def _effective_rank(vectors: np.ndarray, weights: np.ndarray) -> float:
    centred = vectors - np.average(vectors, axis=0, weights=weights)
    spread = np.linalg.eigvalsh((centred * weights[:, None]).T @ centred)
    spread = spread[spread > spread.max() * 1e-12]
    if not len(spread):
        return float("nan")
    shares = spread / spread.sum()
    return float(np.exp(-np.sum(shares * np.log(shares))))


def _probes(inputs: Inputs, train: np.ndarray, test: np.ndarray, resamples: Resamples) -> dict[str, Any]:
    scale = Scale.of(inputs.embeddings[train].astype(np.float64))
    reader, judged = (scale.apply(inputs.embeddings[rows].astype(np.float64)) for rows in (train, test))
    seen = page_counts(inputs.sessions, "web").log1p()
    last = last_pages(inputs.sessions, "web")
    courses = seen[test].toarray()
    mean_course = np.asarray(seen[train].mean(axis=0)).ravel()
    read_back = _ridge(reader, seen[train], judged)
    missed = np.stack([((courses - read_back) ** 2).sum(axis=1), ((courses - mean_course) ** 2).sum(axis=1)], axis=1)
    lost = resamples.totals(missed)
    places = np.where(last < 0, last.max() + 1, last)  # a column more: no page, or a rare one
    ends = csr_array((np.ones(len(last)), (np.arange(len(last)), places)))
    guessed = _ridge(reader, ends[train], judged).argmax(axis=1)
    right = resamples.totals(np.stack([guessed == places[test], np.ones(len(test))], axis=1))
    return {
        "seen_pages_r2": estimate(1 - ratio(lost[:, 0], lost[:, 1])),
        "last_page_recall_at_1": estimate(right[:, 0] / right[:, 1]),
    }


def _ridge(features: np.ndarray, targets: csr_array, judged: np.ndarray) -> np.ndarray:
    """Predictions for ``judged`` of the ridge regression of ``targets`` on ``features``, which have mean 0."""
    gram = features.T @ features + RIDGE * np.eye(features.shape[1])
    weights = np.linalg.solve(gram, (targets.T @ features).T)
    return np.asarray(judged @ weights + np.asarray(targets.mean(axis=0)).ravel())
