"""Task: what the teacher's labels cover and, on the demo bank, whether they follow the needs that made the traffic."""

from typing import Any, Final

import numpy as np

from pipelines.evaluate import taxonomy_scores
from pipelines.evaluate.bootstrap import Resamples, centred, estimate
from pipelines.evaluate.clusterings import joint_counts, v_measure
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
    metrics |= taxonomy_scores.judge(inputs, params, seed)
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
    return {
        name: estimate(centred(v_measure(joint_counts(resamples, needs[known], side.argmax(axis=1)))))
        for name, side in sides.items()
    }
