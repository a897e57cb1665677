"""What is said of a taxonomy without a truth, on tables small enough to compute by hand."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import cohen_kappa_score

from pipelines.evaluate import taxonomy_scores
from pipelines.evaluate.bootstrap import Resamples
from pipelines.evaluate.inputs import Inputs, Labelling, Remade

PARAMS = cast(Any, SimpleNamespace(n_bootstrap=20))
N_SESSIONS = 12


def inputs() -> Inputs:
    """Twelve sessions of as many visitors: five about a, four about b, three about something else."""
    sessions = pa.table({"visitor_id": [f"v{row}" for row in range(N_SESSIONS)], "split": ["test"] * N_SESSIONS})
    strongest = np.array(["a"] * 5 + ["b"] * 4 + ["other"] * 3)
    scores = (strongest[:, None] == np.array(["a", "b"])).astype(np.float32)
    labels = Labelling(np.arange(N_SESSIONS), scores, ("made-up",), strongest)
    return Inputs(
        events=sessions, sessions=sessions, identity=sessions, embeddings=np.zeros((N_SESSIONS, 2), np.float32),
        student=None, probabilities=None, decided=None, labels=labels, second_labels=None, gold=None, remade=None,
        truth=Path("none"), demo_bank=False,
    )  # fmt: skip


def test_what_was_not_made_says_what_it_needs() -> None:
    found = taxonomy_scores.judge(inputs(), PARAMS, 7)
    assert found["other_share"]["value"] == 0.25
    assert found["overlap"]["value"] == 0
    assert "second labelling" in found["second_labelling"]
    assert "stability_seeds" in found["stability"]


def test_a_second_labelling_and_remade_taxonomies_are_compared() -> None:
    given = inputs()
    assert given.labels is not None
    again = np.where(np.arange(N_SESSIONS) == 0, "b", given.labels.strongest)[3:]
    second = Labelling(np.arange(3, N_SESSIONS), given.labels.scores[3:], ("made-up",), again)
    names = np.array(["x"] * 5 + ["y"] * 4 + ["z"] * 3)
    remade = Remade(np.arange(N_SESSIONS), [given.labels.strongest, names, names])
    found = taxonomy_scores.judge(replace(given, second_labels=second, remade=remade), PARAMS, 7)
    assert found["second_labelling"]["n_sessions"] == 9
    assert found["second_labelling"]["kappa"]["value"] == 1
    assert found["stability"]["adjusted_rand"]["value"] == 1  # whatever they are called
    assert found["stability"]["n_taxonomies"] == 3


def test_kappa_by_sklearn() -> None:
    generator = np.random.default_rng(5)
    first = generator.choice(["a", "b", "other"], 60)
    second = np.where(generator.random(60) < 0.6, first, "b")
    same, beyond = taxonomy_scores.kappa(Resamples(np.arange(60), 10, 7), first, second)
    assert same[0] == pytest.approx((first == second).mean())
    assert beyond[0] == pytest.approx(cohen_kappa_score(first, second))


def test_overlap_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taxonomy_scores, "PAIRS_AT_ONCE", 1)
    named = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 1], [0, 1, 0]], dtype=bool)
    found = taxonomy_scores.overlap(Resamples(np.arange(4), 10, 7), named)
    # a with b: 1 of 4; b with c: 1 of 3: the greatest are 1/4, 1/3, 1/3
    assert found[0] == pytest.approx((1 / 4 + 1 / 3 + 1 / 3) / 3)
