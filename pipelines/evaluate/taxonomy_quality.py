"""Task: what the teacher's labels cover and, on the demo bank, whether they follow the needs that made the traffic."""

from typing import Any, Final

import numpy as np

from pipelines.evaluate.bootstrap import Resamples, estimate, ratio
from pipelines.evaluate.f1 import f1_values
from pipelines.evaluate.inputs import Inputs
from pipelines.evaluate.judgement import Judgement, NotAvailableError
from pipelines.evaluate.truth import knows_sessions, true_needs
from pipelines.params import Evaluate
from pipelines.student.labels import NAMED_FROM

TASK: Final = "taxonomy"


def judge(inputs: Inputs, params: Evaluate, seed: int) -> Judgement:
    """Returns how many sessions the teacher gave intents to and, with a truth, the V-measure of teacher and student.

    Raises:
        NotAvailableError: there are no labels.
    """
    if inputs.labels is None or inputs.student is None:
        raise NotAvailableError("labelled sessions")
    named = inputs.labels.scores >= NAMED_FROM
    resamples = Resamples(inputs.visitors[inputs.labels.rows], params.n_bootstrap, seed)
    totals = resamples.totals(np.stack([named.any(axis=1), named.sum(axis=1), np.ones(len(named))], axis=1))
    metrics: dict[str, Any] = {
        "n_intents": len(inputs.student.intent_ids),
        "n_labelled_sessions": len(named),
        "coverage": estimate(totals[:, 0] / totals[:, 2]),
        "intents_per_session": estimate(totals[:, 1] / totals[:, 2]),
    }
    if knows_sessions(inputs):
        metrics["truth_v_measure"] = _against_truth(inputs, params, seed)
    if inputs.gold is not None:
        metrics["gold"] = _against_people(inputs, params, seed)
    return Judgement({TASK: metrics})


def _against_people(inputs: Inputs, params: Evaluate, seed: int) -> Any:
    """Teacher and student on the sessions that people labelled, whatever their split."""
    assert inputs.gold is not None
    assert inputs.labels is not None
    assert inputs.decided is not None
    _, of_gold, of_labels = np.intersect1d(inputs.gold.rows, inputs.labels.rows, return_indices=True)
    rows, actual = inputs.gold.rows[of_gold], inputs.gold.scores[of_gold] >= NAMED_FROM
    if not len(rows):
        return str(NotAvailableError("labelled sessions among those that people labelled"))
    resamples = Resamples(inputs.visitors[rows], params.n_bootstrap, seed)
    sides = {"teacher": inputs.labels.scores[of_labels] >= NAMED_FROM, "student": inputs.decided[rows]}
    scored = {side: f1_values(resamples, named, actual) for side, named in sides.items()}
    found = {side: {name: estimate(values) for name, values in f1.items()} for side, f1 in scored.items()}
    return {"n_sessions": len(rows), **found}


def _against_truth(inputs: Inputs, params: Evaluate, seed: int) -> Any:
    """Labelled test sessions only; each side's most probable intent against the need most of the events had."""
    assert inputs.labels is not None
    assert inputs.probabilities is not None
    test = inputs.split[inputs.labels.rows] == "test"
    rows, scores = inputs.labels.rows[test], inputs.labels.scores[test]
    needs = true_needs(inputs, rows)
    known = (needs != "") & (scores.max(axis=1, initial=0) >= NAMED_FROM)
    if not known.any():
        return str(NotAvailableError("labelled test sessions with a known need"))
    resamples = Resamples(inputs.visitors[rows[known]], params.n_bootstrap, seed)
    sides = {"teacher": scores[known], "student": inputs.probabilities[rows[known]]}
    return {name: estimate(v_measure(resamples, needs[known], side.argmax(axis=1))) for name, side in sides.items()}


def v_measure(resamples: Resamples, classes: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Returns the V-measure of ``clusters`` against ``classes``, both (N,), (B + 1,).

    Source: Rosenberg & Hirschberg 2007, the harmonic mean of homogeneity and completeness.
    """
    class_names, class_of = np.unique(classes, return_inverse=True)
    cluster_names, cluster_of = np.unique(clusters, return_inverse=True)
    shape = (len(class_names), len(cluster_names))
    cells = np.eye(shape[0] * shape[1])[class_of * shape[1] + cluster_of]
    joint = resamples.totals(cells).reshape(-1, *shape)
    joint = joint / joint.sum(axis=(1, 2), keepdims=True)
    by_class, by_cluster = _entropy(joint.sum(axis=2)), _entropy(joint.sum(axis=1))
    shared = by_class + by_cluster - _entropy(joint.reshape(len(joint), -1))  # mutual information
    homogeneity = np.where(by_class > 0, ratio(shared, by_class), 1.0)
    completeness = np.where(by_cluster > 0, ratio(shared, by_cluster), 1.0)
    return ratio(2 * homogeneity * completeness, homogeneity + completeness)


def _entropy(shares: np.ndarray) -> np.ndarray:
    return np.asarray(-np.sum(shares * np.log(shares, where=shares > 0, out=np.zeros_like(shares)), axis=1))
