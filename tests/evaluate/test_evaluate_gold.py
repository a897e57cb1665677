"""Labels by people against the teacher's and the student's."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest

from pipelines.evaluate.inputs import Inputs, Labelling
from pipelines.evaluate.taxonomy_quality import judge


def test_labels_by_people_are_scored_apart(repository: Path) -> None:
    """Eight sessions, four labelled by people, three of these by the teacher: two right."""
    sessions = pa.table({"visitor_id": [f"v{row}" for row in range(8)], "split": ["train"] * 8})
    eye = np.eye(2, dtype=np.float32)
    decided = eye[[0, 1, 0, 1, 0, 1, 0, 1]].astype(bool)
    said = np.array(["a", "b", "b", "a"])
    inputs = Inputs(
        events=sessions, sessions=sessions, identity=sessions, embeddings=np.zeros((8, 2), np.float32),
        student=cast(Any, SimpleNamespace(intent_ids=("a", "b"))), probabilities=decided.astype(np.float32),
        decided=decided, labels=Labelling(np.array([0, 1, 2, 5]), eye[[0, 1, 1, 0]], ("made-up",), said),
        second_labels=None, gold=Labelling(np.array([0, 1, 2, 4]), eye[[0, 1, 0, 0]], ("people",), said), remade=None,
        truth=Path("none"), demo_bank=False,
    )  # fmt: skip
    found = judge(inputs, cast(Any, SimpleNamespace(n_bootstrap=20)), 7).metrics["taxonomy"]["gold"]
    assert found["n_sessions"] == 3
    assert found["teacher"]["micro_f1"]["value"] == pytest.approx(2 / 3, abs=1e-5)
    assert found["student"]["micro_f1"]["value"] == 1.0
    assert len(found["teacher"]["macro_f1"]["ci95"]) == 2
