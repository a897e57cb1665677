"""Task: how well the student repeats its teacher, how well the teacher repeats itself, and what the probabilities mean.

Agreement with the teacher is not accuracy: both can be wrong together. ``taxonomy.py`` compares with the truth where
there is one.
"""

from typing import Any, Final

import numpy as np

from pipelines.evaluate.bootstrap import Resamples, estimate, ratio, rounded
from pipelines.evaluate.f1 import f1_values
from pipelines.evaluate.inputs import Inputs, Labelling
from pipelines.evaluate.judgement import Judgement, NotAvailableError
from pipelines.params import Evaluate
from pipelines.student.labels import NAMED_FROM

TASK: Final = "student"
N_BINS: Final = 15  # of equal width, as Guo et al. 2017 (1706.04599), "On calibration of modern neural networks"


def judge(inputs: Inputs, params: Evaluate, seed: int) -> Judgement:
    """Returns the student's fidelity, its calibration error and the teacher's own agreement, on labelled test sessions.

    Raises:
        NotAvailableError: there is no student, or no labelled session in the test part.
    """
    if inputs.labels is None or inputs.probabilities is None or inputs.decided is None:
        raise NotAvailableError("labelled sessions, and a student")
    test = inputs.split[inputs.labels.rows] == "test"
    if not test.any():
        raise NotAvailableError("labelled sessions in the test part")
    rows, scores = inputs.labels.rows[test], inputs.labels.scores[test]
    resamples = Resamples(inputs.visitors[rows], params.n_bootstrap, seed)
    fidelity = f1_values(resamples, inputs.decided[rows], scores >= NAMED_FROM)
    probabilities = inputs.probabilities[rows]
    metrics = {
        "fidelity_micro_f1": estimate(fidelity["micro_f1"]),
        "fidelity_macro_f1": estimate(fidelity["macro_f1"]),
        "ceiling_micro_f1": _ceiling(inputs, params, seed),
        "ece": estimate(calibration_error(resamples, probabilities, scores)),
        "ece_top_intent": estimate(top_calibration_error(resamples, probabilities, scores)),
    }
    counts = {TASK: {"n_test_sessions": int(test.sum()), "n_test_visitors": resamples.n_clusters}}
    return Judgement({TASK: metrics, "counts": counts}, curves={"reliability": reliability(probabilities, scores)})


def calibration_error(resamples: Resamples, probabilities: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Returns the expected calibration error over all (session, intent) pairs, (B + 1,).

    The sum over bins of |probabilities - teacher's scores|, as a share of all pairs. Most pairs are near 0 on both
    sides, so it is small by nature: ``top_calibration_error`` looks at the pairs that decide.
    """
    bins = _bins(probabilities)
    gaps = [np.where(bins == place, probabilities - scores, 0).sum(axis=1) for place in range(N_BINS)]
    totals = resamples.totals(np.stack([*gaps, np.full(len(scores), scores.shape[1])], axis=1))
    return ratio(np.abs(totals[:, :-1]).sum(axis=1), totals[:, -1])


def top_calibration_error(resamples: Resamples, probabilities: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Returns ``calibration_error`` of each session's most probable intent alone, (B + 1,)."""
    top = probabilities.argmax(axis=1)[:, None]
    return calibration_error(
        resamples, np.take_along_axis(probabilities, top, axis=1), np.take_along_axis(scores, top, axis=1)
    )


def reliability(probabilities: np.ndarray, scores: np.ndarray) -> list[dict[str, Any]]:
    """Returns, for every bin that holds pairs, the mean probability, the teacher's mean score, and how many."""
    bins = _bins(probabilities)
    return [
        {
            "probability": rounded(probabilities[bins == place].mean(dtype=np.float64)),
            "teacher": rounded(scores[bins == place].mean(dtype=np.float64)),
            "n": int((bins == place).sum()),
        }
        for place in np.unique(bins)
    ]


def _bins(probabilities: np.ndarray) -> np.ndarray:
    return np.asarray(np.minimum((probabilities * N_BINS).astype(int), N_BINS - 1))


def _ceiling(inputs: Inputs, params: Evaluate, seed: int) -> Any:
    """The teacher's agreement with a second labelling of the same test sessions: no student can be asked for more."""
    assert inputs.labels is not None
    second = inputs.second_labels
    if second is None:
        return str(NotAvailableError("a second, independent labelling of test sessions"))
    first, other = _in_common(inputs.labels, second, inputs.split == "test")
    if not len(first):
        return str(NotAvailableError("a second, independent labelling of test sessions"))
    rows = inputs.labels.rows[first]
    resamples = Resamples(inputs.visitors[rows], params.n_bootstrap, seed)
    named = second.scores[other] >= NAMED_FROM
    return estimate(f1_values(resamples, named, inputs.labels.scores[first] >= NAMED_FROM)["micro_f1"])


def _in_common(labels: Labelling, second: Labelling, is_test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places in both labellings of the test sessions that both have."""
    both, first, other = np.intersect1d(labels.rows, second.rows, return_indices=True)
    return first[is_test[both]], other[is_test[both]]
