"""One session at a time, in microseconds: buffers that are bound to the graph once, and no Python per label."""

from typing import NamedTuple

import numpy as np
import onnxruntime

from pipelines.student.bundle import Student, inference


class Answer(NamedTuple):
    """What the student says of one session."""

    intents: list[str]  # the named ones, most probable first; empty where it abstains
    probabilities: np.ndarray  # float32 (C,), calibrated


class Single:
    """A student that answers one session a call, as ``Student.decide`` would.

    A call writes to the buffers of its object, so each thread needs its own.
    """

    def __init__(self, student: Student) -> None:
        given = np.zeros((1, student.embedding_dim), np.float32)
        found = np.zeros((1, len(student.intent_ids)), np.float32)
        self._embedding, self._probabilities = given[0], found[0]
        runtime = inference(student.graph)
        self._binding = runtime.io_binding()
        value = onnxruntime.OrtValue.ortvalue_from_numpy  # shares the memory of its array
        self._values = value(given), value(found)
        self._binding.bind_ortvalue_input("embeddings", self._values[0])
        self._binding.bind_ortvalue_output("probabilities", self._values[1])
        self._run = runtime.run_with_iobinding
        self._ids = student.intent_ids
        # as Python's numbers: for so few labels NumPy's calls would take longer than the comparisons
        self._thresholds: list[float] = np.asarray(student.card.thresholds, np.float32).tolist()
        self._abstain_below = float(np.float32(student.card.abstain_below))

    def __call__(self, embedding: np.ndarray) -> Answer:
        """Returns the answer to one ``embedding`` (D,)."""
        self._embedding[:] = embedding
        self._run(self._binding)
        found: list[float] = self._probabilities.tolist()
        named = [label for label, least in enumerate(self._thresholds) if found[label] >= least]
        if len(named) > 1:
            named.sort(key=found.__getitem__, reverse=True)
        # an intent that is not named, for its high threshold, may be the one that is sure enough
        if not named or (found[named[0]] < self._abstain_below and max(found) < self._abstain_below):
            named = []
        return Answer([self._ids[label] for label in named], self._probabilities.copy())
