"""Task: how well the student repeats its teacher, how well the teacher repeats itself, and what the probabilities mean.

Agreement with the teacher is not accuracy: both can be wrong together. ``student_truth`` compares with the needs behind
the demo bank.
"""

from typing import Any, Final

import numpy as np

from pipelines.evaluate.bootstrap import Resamples, estimate, ratio
from pipelines.evaluate.f1 import f1_by_label, f1_values
from pipelines.evaluate.inputs import Inputs, Labelling
from pipelines.evaluate.judgement import Judgement, NotAvailableError
from pipelines.evaluate.reliability import (
    brier_score,
    calibration_error,
    coverage_accuracy,
    reliability,
    top_calibration_error,
)
from pipelines.evaluate.student_truth import truth_accuracy
from pipelines.evaluate.truth import knows_sessions
from pipelines.params import Evaluate
from pipelines.student.labels import NAMED_FROM

TASK: Final = "student"
_NO_SECOND: Final = NotAvailableError("a second, independent labelling of test sessions")


def judge(inputs: Inputs, params: Evaluate, seed: int) -> Judgement:
    """Returns the student's fidelity, its calibration error and the teacher's own agreement, on labelled test sessions.

    Raises:
        NotAvailableError: there is no student, or no labelled session in the test part.
    """
    if inputs.student is None or inputs.labels is None or inputs.probabilities is None or inputs.decided is None:
        raise NotAvailableError("labelled sessions, and a student")
    test = inputs.split[inputs.labels.rows] == "test"
    if not test.any():
        raise NotAvailableError("labelled sessions in the test part")
    rows, scores = inputs.labels.rows[test], inputs.labels.scores[test]
    resamples = Resamples(inputs.visitors[rows], params.n_bootstrap, seed)
    probabilities, decided, named = inputs.probabilities[rows], inputs.decided[rows], scores >= NAMED_FROM
    fidelity = f1_values(resamples, decided, named)
    metrics: dict[str, Any] = {
        "fidelity_micro_f1": estimate(fidelity["micro_f1"]),
        "fidelity_macro_f1": estimate(fidelity["macro_f1"]),
        **_drops(inputs, params, seed, fidelity["micro_f1"]),
        "ece": estimate(calibration_error(resamples, probabilities, scores)),
        "ece_top_intent": estimate(top_calibration_error(resamples, probabilities, scores)),
        "brier": estimate(brier_score(resamples, probabilities, scores)),
        **_answered(resamples, probabilities, decided, named),
        "by_intent": _by_intent(resamples, decided, named, inputs.student.intent_ids),
    }
    if knows_sessions(inputs):
        metrics["truth_accuracy"] = truth_accuracy(inputs, params, seed)
    counts = {"n_test_sessions": int(test.sum()), "n_test_visitors": resamples.n_clusters}
    by_intent = dict(zip(inputs.student.intent_ids, named.sum(axis=0).tolist(), strict=True))
    curves = {
        "reliability": reliability(probabilities, scores),
        "coverage": coverage_accuracy(resamples, probabilities, named),
    }
    return Judgement({TASK: metrics, "counts": {TASK: {**counts, "n_test_by_intent": by_intent}}}, curves=curves)


def _answered(
    resamples: Resamples, probabilities: np.ndarray, decided: np.ndarray, named: np.ndarray
) -> dict[str, Any]:
    """How many sessions get an answer, and in how many of these the most probable intent is one of the teacher's."""
    answered = decided.any(axis=1)
    right = np.take_along_axis(named, probabilities.argmax(axis=1)[:, None], axis=1)[:, 0]
    totals = resamples.totals(np.stack([answered, answered & right, np.ones(len(right))], axis=1))
    return {
        "answered_share": estimate(ratio(totals[:, 0], totals[:, 2])),
        "answered_accuracy": estimate(ratio(totals[:, 1], totals[:, 0])),
    }


def _by_intent(resamples: Resamples, decided: np.ndarray, named: np.ndarray, intent_ids: list[str]) -> dict[str, Any]:
    found = f1_by_label(resamples, decided, named)
    return {
        intent: {metric: estimate(values[:, label]) for metric, values in found.items()}
        for label, intent in enumerate(intent_ids)
    }


def _drops(inputs: Inputs, params: Evaluate, seed: int, fidelity: np.ndarray) -> dict[str, Any]:
    """The teacher's agreement with a second labelling, and what the student loses against it: 1 - fidelity / ceiling.

    A second labelling by the same teacher (an LLM, sampled again) is a ceiling: no student can be asked for more. One
    by another annotator, as beside the offline teacher, is none: the student learns the very habits of its teacher
    that the other lacks. The offline teacher repeats itself to the letter, so its ceiling is 1, and ``drop`` is
    1 - fidelity; ``drop_to_second_labelling`` has the other annotator's agreement as the ceiling all the same.
    """
    assert inputs.labels is not None
    assert inputs.decided is not None
    strict = estimate(1 - fidelity)
    second = inputs.second_labels
    first, other = _in_common(inputs.labels, second, inputs.split == "test") if second else (np.array([]),) * 2
    if second is None or not len(first):
        missing = {"ceiling_micro_f1": str(_NO_SECOND), "drop_to_second_labelling": str(_NO_SECOND)}
        return {**missing, "drop": strict}
    rows = inputs.labels.rows[first]
    resamples = Resamples(inputs.visitors[rows], params.n_bootstrap, seed)
    named = inputs.labels.scores[first] >= NAMED_FROM
    ceiling = f1_values(resamples, second.scores[other] >= NAMED_FROM, named)["micro_f1"]
    reached = f1_values(resamples, inputs.decided[rows], named)["micro_f1"]
    drop = estimate(1 - ratio(reached, ceiling))
    return {
        "ceiling_micro_f1": estimate(ceiling),
        "drop_to_second_labelling": drop,
        "drop": drop if second.models == inputs.labels.models else strict,
    }


def _in_common(labels: Labelling, second: Labelling, is_test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places in both labellings of the test sessions that both have."""
    both, first, other = np.intersect1d(labels.rows, second.rows, return_indices=True)
    return first[is_test[both]], other[is_test[both]]
