"""How good the taxonomy and the teacher's labels are without knowing any truth, with intervals.

The stage's own report, reports/taxonomy.json, has the same without intervals, and single intents.
"""

from itertools import combinations
from typing import Any, Final

import numpy as np

from pipelines.evaluate.bootstrap import Resamples, centred, estimate, ratio
from pipelines.evaluate.clusterings import adjusted_rand, joint_counts
from pipelines.evaluate.inputs import Inputs, Labelling
from pipelines.evaluate.judgement import NotAvailableError
from pipelines.params import Evaluate
from pipelines.schemas import OTHER
from pipelines.student.labels import NAMED_FROM

PAIRS_AT_ONCE: Final = 50  # bounds the memory of their sums
_NO_SECOND: Final = str(NotAvailableError("a second labelling"))
_NOT_REMADE: Final = str(NotAvailableError("two taxonomies made of halves (taxonomy.stability_seeds)"))


def judge(inputs: Inputs, params: Evaluate, seed: int) -> dict[str, Any]:
    """Returns the share of "other", overlap, agreement of the second labelling, and stability of remade taxonomies."""
    labels, second = inputs.labels, inputs.second_labels
    assert labels is not None
    resamples = Resamples(inputs.visitors[labels.rows], params.n_bootstrap, seed)
    other = resamples.totals(np.stack([labels.strongest == OTHER, np.ones(len(labels.rows))], axis=1))
    found: dict[str, Any] = {
        "other_share": estimate(ratio(other[:, 0], other[:, 1])),
        "overlap": estimate(overlap(resamples, labels.scores >= NAMED_FROM)),
        "second_labelling": _NO_SECOND if second is None else _agreement(inputs, labels, second, params, seed),
        "stability": _NOT_REMADE,
    }
    if inputs.remade is not None:
        visitors = Resamples(inputs.visitors[inputs.remade.rows], params.n_bootstrap, seed)
        pairs = [adjusted_rand(joint_counts(visitors, *pair)) for pair in combinations(inputs.remade.strongest, 2)]
        found["stability"] = {
            "n_taxonomies": len(inputs.remade.strongest),
            "adjusted_rand": estimate(centred(np.mean(pairs, axis=0))),
        }
    return found


def overlap(resamples: Resamples, named: np.ndarray) -> np.ndarray:
    """Returns the mean over intents of the greatest Jaccard index with another, (B + 1,), of bool (N, C) ``named``."""
    n_intents = named.shape[1]
    if n_intents < 2:
        return np.zeros(resamples.n_bootstrap + 1)
    pairs = [pair for pair in combinations(range(n_intents), 2) if (named[:, pair[0]] & named[:, pair[1]]).any()]
    sizes = resamples.totals(named)
    greatest = np.zeros_like(sizes)
    for start in range(0, len(pairs), PAIRS_AT_ONCE):
        ones, others = np.array(pairs[start : start + PAIRS_AT_ONCE]).T
        both = resamples.totals(named[:, ones] & named[:, others])
        shared = np.nan_to_num(ratio(both, sizes[:, ones] + sizes[:, others] - both))
        for place, pair in enumerate(zip(ones, others, strict=True)):
            for intent in pair:
                greatest[:, intent] = np.maximum(greatest[:, intent], shared[:, place])
    return np.asarray(greatest.mean(axis=1))


def kappa(resamples: Resamples, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns how often two namings (N,) agree, and that beyond chance, (B + 1,) each.

    Source: Cohen 1960, "A coefficient of agreement for nominal scales".
    """
    names = np.union1d(first, second)
    said, again = first[:, None] == names, second[:, None] == names
    totals = resamples.totals(np.hstack([said & again, said, again]))
    both, one, other = np.split(totals, [len(names), 2 * len(names)], axis=1)
    n_rows = one.sum(axis=1)
    same, by_chance = both.sum(axis=1) / n_rows, (one * other).sum(axis=1) / n_rows**2
    return same, np.where(by_chance < 1, ratio(same - by_chance, 1 - by_chance), 1.0)


def _agreement(inputs: Inputs, labels: Labelling, second: Labelling, params: Evaluate, seed: int) -> Any:
    rows, first, other = np.intersect1d(labels.rows, second.rows, return_indices=True)
    if not len(rows):
        return _NO_SECOND
    resamples = Resamples(inputs.visitors[rows], params.n_bootstrap, seed)
    same, beyond = kappa(resamples, labels.strongest[first], second.strongest[other])
    return {"n_sessions": len(rows), "same_strongest_share": estimate(same), "kappa": estimate(beyond)}
