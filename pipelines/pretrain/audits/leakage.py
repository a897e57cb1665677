"""What a session embedding should not tell: who it was, on which device, in which region.

What people look at, and when, differs with all three, so the measure is what the embedding tells beyond plain page
counts, or beyond the clock (hour, weekday, channel, number of events), whichever tells more.
"""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from pipelines.pretrain.audits.subject import Subject

MIN_SESSIONS: Final = 400  # of known trait, or visitors with two sessions: with fewer, chance looks like a leak
MIN_SHARE: Final = 0.02  # a rarer device or region is left out
PENALTY: Final = 0.1


def measure(subject: Subject) -> dict[str, float]:
    """Returns, for visitor, device and region, the AUROC from the embedding, and its lead over the better baseline.

    Of logistic regressions fitted on half of the visitors and judged on the others. Device and region: the mean over
    values. Visitor: whether two sessions are one visitor's, by how far they are apart in each dimension.
    """
    read = {"embedding": subject.embeddings, "pages": page_counts(subject.sessions), "clock": clock(subject.sessions)}
    figures: dict[str, float] = {}
    visitors = np.unique(subject.sessions.column("visitor_id").to_numpy(zero_copy_only=False), return_inverse=True)[1]
    pairs = _pairs(visitors, subject.seed)
    with threadpool_limits(1):  # sums in one order: the same figures on one core or many
        if len(pairs) >= MIN_SESSIONS:
            figures |= _lead("visitor", {name: same_visitor_auroc(vectors, pairs) for name, vectors in read.items()})
        for trait, values in subject.traits.items():
            rows = _common(values)
            if len(rows) >= MIN_SESSIONS:
                known = values[rows].astype(str), visitors[rows]
                figures |= _lead(trait, {name: trait_auroc(vectors[rows], *known) for name, vectors in read.items()})
    return figures


def page_counts(sessions: pa.Table) -> np.ndarray:
    """Returns log(1 + how often each page was seen), float64 (N, pages)."""
    lengths = pc.list_value_length(sessions.column("events")).to_numpy()
    pages = pc.struct_field(pc.list_flatten(sessions.column("events")), "page").fill_null("")
    columns = np.unique(pages.to_numpy(zero_copy_only=False).astype(str), return_inverse=True)[1]
    owners = np.repeat(np.arange(len(lengths)), lengths)
    shape = len(lengths), int(columns.max(initial=0)) + 1
    return np.asarray(np.log1p(csr_array((np.ones(len(owners)), (owners, columns)), shape=shape).toarray()))


def clock(sessions: pa.Table) -> np.ndarray:
    """Returns hour and weekday of the start, channel and number of events, float64 (N, 33)."""
    start = sessions.column("start_ts")
    is_app = pc.equal(sessions.column("channel"), "app").to_numpy().astype(float)
    length = np.log1p(sessions.column("n_events").to_numpy())
    times = np.eye(24)[pc.hour(start).to_numpy()], np.eye(7)[pc.day_of_week(start).to_numpy()]
    return np.concatenate([*times, np.stack([is_app, length], axis=1)], axis=1)


def trait_auroc(vectors: np.ndarray, values: np.ndarray, visitors: np.ndarray) -> float:
    """Returns how well ``values`` (N,) are told from ``vectors`` (N, D), of visitors that the probe does not know."""
    fit = visitors % 2 == 0
    if len({*values[fit]}) < 2 or {*values[fit]} != {*values[~fit]}:
        return 0.5
    probe = _probe().fit(vectors[fit], values[fit])
    told = probe.predict_proba(vectors[~fit])
    aurocs = [roc_auc_score(values[~fit] == kind, told[:, place]) for place, kind in enumerate(probe.classes_)]
    return float(np.mean(aurocs))


def same_visitor_auroc(vectors: np.ndarray, pairs: np.ndarray) -> float:
    """Returns how well ``pairs`` (P, 2) of one visitor are told from the first sessions with those of the next pair."""
    first = vectors[pairs[:, 0]]
    apart = [np.abs(first - vectors[second]) for second in (pairs[:, 1], np.roll(pairs[:, 1], 1))]
    differences, same = np.concatenate(apart), np.repeat([1, 0], len(pairs))
    fit = np.tile(np.arange(len(pairs)) < len(pairs) // 2, 2)
    told = _probe().fit(differences[fit], same[fit]).predict_proba(differences[~fit])
    return float(roc_auc_score(same[~fit], told[:, 1]))


def _probe() -> LogisticRegression:
    return make_pipeline(StandardScaler(), LogisticRegression(C=PENALTY, max_iter=500))


def _lead(name: str, aurocs: dict[str, float]) -> dict[str, float]:
    told = aurocs["embedding"]
    return {f"{name}_auroc": told, f"{name}_leakage": told - max(aurocs["pages"], aurocs["clock"])}


def _pairs(visitors: np.ndarray, seed: int) -> np.ndarray:
    """Two sessions of each visitor who has two, (P, 2), in a seeded order."""
    order = np.argsort(visitors, kind="stable")
    first = np.flatnonzero(np.diff(visitors[order], prepend=-1))
    has_two = np.diff(np.append(first, len(order))) > 1
    pairs = np.stack([order[first[has_two]], order[first[has_two] + 1]], axis=1)
    return np.asarray(np.random.default_rng(seed).permutation(pairs))


def _common(values: np.ndarray) -> np.ndarray:
    """Rows whose value is known and not rare."""
    known = np.array([value is not None for value in values], dtype=bool)
    kinds, counts = np.unique(values[known].astype(str), return_counts=True)
    kept = {*kinds[counts >= MIN_SHARE * max(known.sum(), 1)].tolist()}
    return np.flatnonzero([value in kept for value in values])
