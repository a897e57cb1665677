"""The rows made of the truth: what their signals hold, and that they are left out where the truth is."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from evaluate_world import NEEDS, World

from pipelines.evaluate import stage
from pipelines.evaluate.decisions import find_decisions, split_of
from pipelines.evaluate.inputs import read_inputs
from pipelines.evaluate.tile_models import Problem
from pipelines.evaluate.tile_truth import _multi_hot, need_signals
from pipelines.params import Evaluate
from pipelines.paths import Workspace


def problem_of(workspace: Workspace, params: Evaluate) -> Problem:
    inputs = read_inputs(workspace)
    decisions = find_decisions(inputs.events, params.tile_ranking)
    return Problem(decisions, split_of(decisions, inputs.sessions), inputs, params)


def change(workspace: Workspace, name: str, table: pa.Table) -> None:
    pq.write_table(table, workspace.truth / f"{name}.parquet")


def impressions(workspace: Workspace) -> pa.Table:
    return pq.read_table(workspace.truth / "impressions.parquet")


def test_no_need_and_an_unknown_one_are_none_and_the_greatest_weight_counts() -> None:
    needs = pa.array(["loans", "none", "", "cards", "loans", "loans"])
    found = _multi_hot(np.array([0, 1, 2, 3, 3, 3]), needs, np.array([0.5, 1, 1, 0.2, 0.7, 0.4]), 5)
    assert found.tolist() == [[0, 0.5], [0, 0], [0, 0], [0.2, 0.7], [0, 0]]  # cards, loans


def test_linked_needs_are_those_of_the_sessions_that_the_models_read(evaluated: Workspace, params: Evaluate) -> None:
    problem = problem_of(evaluated, params)
    ids = problem.inputs.sessions.column("session_id").to_pylist()
    world = World()
    latest = np.zeros((len(problem.decisions), 3))
    for row in range(len(problem.decisions)):
        weights = problem.web_history[[row]].toarray()[0]
        for session in np.flatnonzero(weights):
            place = sorted(NEEDS).index(world.needs[ids[session].replace("sw", "ew")])
            latest[row, place] = max(latest[row, place], weights[session])
    assert (latest > 0).any(axis=1).sum() == problem.has_history.sum() > 0
    train = latest[problem.split == "train"]
    expected = (latest - train.mean(axis=0)) / train.std(axis=0)
    np.testing.assert_allclose(need_signals(problem)["linked_needs"], expected, atol=1e-9)


def test_current_needs_are_those_of_the_impression(copied: Workspace, params: Evaluate) -> None:
    table = impressions(copied)
    two, no = "i3-0", "i5-1"
    said = {two: ["cards", "loans"], no: ["none"]}
    needs = [said.get(row["impression_id"], row["needs"]) for row in table.to_pylist()]
    change(copied, "impressions", table.set_column(table.schema.get_field_index("needs"), "needs", pa.array(needs)))
    problem = problem_of(copied, params)
    signal = need_signals(problem)["current_needs"]
    has = signal > signal.min(axis=0) + 1e-9  # standardised: a need that is there lies above one that is not
    of = {row["impression_id"]: row["needs"] for row in impressions(copied).to_pylist()}
    for row, identifier in enumerate(problem.decisions.impression_ids):
        assert [need for need, is_there in zip(sorted(NEEDS), has[row], strict=True) if is_there] == [
            need for need in of[identifier] if need != "none"
        ]
    assert {two, no} <= set(problem.decisions.impression_ids)


def without_column(workspace: Workspace) -> None:
    change(workspace, "impressions", impressions(workspace).drop_columns(["needs"]))


def without_some(workspace: Workspace) -> None:
    table = impressions(workspace)
    needs = [None if row["impression_id"] == "i3-0" else row["needs"] for row in table.to_pylist()]
    change(workspace, "impressions", table.set_column(table.schema.get_field_index("needs"), "needs", pa.array(needs)))


def without_intents(workspace: Workspace) -> None:
    (workspace.truth / "intents.parquet").unlink()


@pytest.mark.parametrize(
    ("spoil", "gone"),
    [(without_column, "current_needs"), (without_some, "current_needs"), (without_intents, "linked_needs")],
)
def test_a_row_whose_truth_is_missing_is_left_out(copied: Workspace, params: Evaluate, spoil: Any, gone: str) -> None:
    before = json.loads(copied.metrics.read_text())
    spoil(copied)
    stage.run(copied, params, 7)
    after = json.loads(copied.metrics.read_text())
    for task in ("tile_ranking", "tile_ranking_web_history"):
        del before[task][gone]
        assert after[task] == before[task]
        kept = {pair: lift for pair, lift in before["lift"][task].items() if gone not in pair}
        assert after["lift"][task] == kept
        assert len(kept) < len(before["lift"][task])
