"""How often teacher and student are right about the need behind a session. Reads data/truth, as ``truth`` does.

The teacher's intents have names of their own, so each stands for the need that it met most often in labelled training
sessions; test sessions only are judged. What the teacher cannot name, no student can.
"""

from typing import Any

import numpy as np

from pipelines.evaluate.bootstrap import Resamples, estimate, ratio
from pipelines.evaluate.inputs import Inputs
from pipelines.evaluate.judgement import NotAvailableError
from pipelines.evaluate.truth import true_needs
from pipelines.params import Evaluate
from pipelines.student.labels import NAMED_FROM


def truth_accuracy(inputs: Inputs, params: Evaluate, seed: int) -> Any:
    """Returns the accuracy of the teacher's and of the student's first intent, and of always the commonest need."""
    assert inputs.labels is not None
    assert inputs.probabilities is not None
    rows, scores = inputs.labels.rows, inputs.labels.scores
    needs = true_needs(inputs, rows)
    known = (needs != "") & (scores.max(axis=1, initial=0) >= NAMED_FROM)
    split = inputs.split[rows]
    train, test = known & (split == "train"), known & (split == "test")
    if not train.any() or not test.any():
        return str(NotAvailableError("labelled training and test sessions with a known need"))
    stands_for = commonest(scores[train].argmax(axis=1), needs[train], scores.shape[1])
    always = commonest(np.zeros(train.sum(), int), needs[train], 1)
    said = {
        "teacher": stands_for[scores[test].argmax(axis=1)],
        "student": stands_for[inputs.probabilities[rows[test]].argmax(axis=1)],
        "commonest_need": np.repeat(always, test.sum()),
    }
    resamples = Resamples(inputs.visitors[rows[test]], params.n_bootstrap, seed)
    right = [answers == needs[test] for answers in said.values()]
    totals = resamples.totals(np.stack([*right, np.ones(test.sum())], axis=1))
    return {name: estimate(ratio(totals[:, place], totals[:, -1])) for place, name in enumerate(said)}


def commonest(labels: np.ndarray, needs: np.ndarray, n_labels: int) -> np.ndarray:
    """Returns the commonest of ``needs`` (N,) among the rows of each label, (C,); "" of a label without a row."""
    names, codes = np.unique(needs.astype(str), return_inverse=True)
    counts = np.zeros((n_labels, len(names)), dtype=int)
    np.add.at(counts, (labels, codes), 1)
    return np.where(counts.any(axis=1), names[counts.argmax(axis=1)], "")
