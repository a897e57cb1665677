"""The whole stage on a small world: what it writes, what it says without its inputs, that it repeats itself."""

import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow.parquet as pq
import pytest
from evaluate_world import NEEDS, World, table

from pipelines import schemas
from pipelines.errors import TableError
from pipelines.evaluate import stage
from pipelines.params import Evaluate
from pipelines.paths import Workspace
from pipelines.tables import read_table, write_table

Metrics = dict[str, Any]


def read(workspace: Workspace) -> Metrics:
    metrics: Metrics = json.loads(workspace.metrics.read_text())
    return metrics


def estimates(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yields every leaf that stands for an estimate, by its path."""
    if isinstance(node, dict) and "ci95" in node:
        yield path, node
    elif isinstance(node, dict):
        for name, below in node.items():
            yield from estimates(below, f"{path}.{name}")


def test_every_model_and_metric_of_the_contract_is_there_with_an_interval(evaluated: Workspace) -> None:
    metrics = read(evaluated)
    for model in ("random", "popularity", "app_only", "page_counts", "embedding", "labels", "both", "oracle"):
        assert set(metrics["tile_ranking"][model]) == {"macro_recall_at_1", "log_loss"}
    for model in ("linked_needs", "current_needs"):
        assert set(metrics["tile_ranking_web_history"][model]) == {"macro_recall_at_1", "log_loss"}
    for model in ("time_only", "embedding", "teacher_labels", "student_labels", "page_counts"):
        assert set(metrics["conversion"][model]) == {"micro_f1", "macro_f1", "average_precision"}
        assert metrics["conversion"][model]["average_precision"]["value"] > 0
        if model != "time_only":
            assert "average_precision" in metrics["lift"]["conversion"][f"{model}_over_time_only"]
    for pair in ("linked_needs_over_app_only", "current_needs_over_app_only", "embedding_over_linked_needs"):
        assert "log_loss" in metrics["lift"]["tile_ranking"][pair]
    assert {"fidelity_micro_f1", "fidelity_macro_f1", "ceiling_micro_f1", "ece"} <= set(metrics["student"])
    assert {"value", "ci95"} == set(metrics["lift"]["tile_ranking"]["embedding_over_page_counts"]["log_loss"])
    assert "micro_f1" in metrics["lift"]["conversion"]["embedding_over_teacher_labels"]
    found = dict(estimates(metrics))
    assert len(found) > 80
    for path, estimate in found.items():
        low, high = estimate["ci95"]
        if estimate["value"] is not None:
            assert low <= high, path
            assert math.isfinite(estimate["value"]), path


def test_the_web_signal_is_found_where_there_is_one(evaluated: Workspace) -> None:
    tile = read(evaluated)["tile_ranking"]
    losses = {model: tile[model]["log_loss"]["value"] for model in tile}
    assert losses["random"] == pytest.approx(math.log(3), abs=1e-6)
    assert tile["random"]["macro_recall_at_1"] == {"value": 0.333333, "ci95": [0.333333, 0.333333]}
    for model in ("page_counts", "embedding", "labels", "both", "linked_needs", "current_needs"):
        assert losses["oracle"] <= losses[model] < losses["app_only"] - 0.05
    assert tile["oracle"]["macro_recall_at_1"]["value"] > tile["random"]["macro_recall_at_1"]["value"] + 0.1
    assert read(evaluated)["lift"]["tile_ranking"]["embedding_over_app_only"]["log_loss"]["value"] > 0


def test_the_student_repeats_a_plain_teacher(evaluated: Workspace) -> None:
    metrics = read(evaluated)
    assert metrics["student"]["fidelity_micro_f1"]["value"] > 0.95
    assert metrics["student"]["ceiling_micro_f1"].startswith("not available: needs a second")
    assert metrics["student"]["drop"]["value"] == pytest.approx(1 - metrics["student"]["fidelity_micro_f1"]["value"])
    assert metrics["student"]["by_intent"].keys() == set(NEEDS)
    assert metrics["student"]["truth_accuracy"]["student"]["value"] > 0.95
    assert metrics["student"]["truth_accuracy"]["commonest_need"]["value"] < 0.6
    assert metrics["taxonomy"]["truth_v_measure"]["teacher"] == {"value": 1.0, "ci95": [1.0, 1.0]}
    assert metrics["taxonomy"]["coverage"]["value"] == 1


def test_outcomes_are_found_through_the_login(evaluated: Workspace) -> None:
    metrics = read(evaluated)
    counts = metrics["counts"]["conversion"]
    assert 0.2 * counts["n_test"] < counts["n_test_outcomes"] < 0.6 * counts["n_test"]
    assert metrics["conversion"]["teacher_labels"]["micro_f1"]["value"] > 0.3
    for model in ("embedding", "teacher_labels", "student_labels", "page_counts"):  # the need is the product
        assert metrics["lift"]["conversion"][f"{model}_over_time_only"]["average_precision"]["value"] > 0.3


def test_figures_of_the_demo_bank_and_the_offline_teacher_are_marked(evaluated: Workspace) -> None:
    notes = read(evaluated)["notes"]
    assert "simulated" in notes["data"]
    assert "offline teacher" in notes["teacher"]


def test_again_gives_the_same_bytes(copied: Workspace, params: Evaluate) -> None:
    files = [copied.metrics, *sorted(copied.plots.iterdir())]
    before = {file: file.read_bytes() for file in files}
    assert {file.name for file in files} >= {"lift.csv", "lift.png", "reliability.csv", "reliability.png"}
    stage.run(copied, params, 7)
    assert {file: file.read_bytes() for file in [copied.metrics, *sorted(copied.plots.iterdir())]} == before


def test_another_seed_moves_the_intervals_only(copied: Workspace, params: Evaluate) -> None:
    before = read(copied)["tile_ranking"]["embedding"]["log_loss"]
    stage.run(copied, params, 8)
    after = read(copied)["tile_ranking"]["embedding"]["log_loss"]
    assert after["value"] == before["value"]
    assert after["ci95"] != before["ci95"]


def without_truth(workspace: Workspace) -> None:
    for file in workspace.truth.iterdir():
        file.unlink()
    (workspace.data / "demo_bank.json").unlink()


def without_logins(workspace: Workspace) -> None:
    write_table(table([], schemas.IDENTITY), workspace.identity, schemas.IDENTITY)


def without(*event_types: str) -> Callable[[Workspace], None]:
    def drop(workspace: Workspace) -> None:
        file = workspace.events / "day=all" / "events.parquet"
        kept = [row for row in pq.read_table(file).to_pylist() if row["event_type"] not in event_types]
        write_table(table(kept, schemas.EVENTS), file, schemas.EVENTS)

    return drop


def without_labels(workspace: Workspace) -> None:
    write_table(table([], schemas.LABELS), workspace.labels, schemas.LABELS)


def without_student(workspace: Workspace) -> None:
    for file in workspace.student.iterdir():
        file.unlink()
    workspace.student.rmdir()
    workspace.intents.unlink()


def without_test_labels(workspace: Workspace) -> None:
    test = {row["session_id"] for row in pq.read_table(workspace.sessions).to_pylist() if row["split"] == "test"}
    kept = [row for row in pq.read_table(workspace.labels).to_pylist() if row["session_id"] not in test]
    write_table(table(kept, schemas.LABELS), workspace.labels, schemas.LABELS)


@pytest.mark.parametrize(
    ("spoil", "missing", "still_there"),
    [
        (without("home_impression"), {"tile_ranking": "app home-screen impressions"}, ["conversion", "student"]),
        (without("tile_click"), {"tile_ranking": "app home-screen impressions and their clicks"}, ["conversion"]),
        (without_logins, {"tile_ranking": "logins that link"}, ["conversion"]),
        (without("application_submitted"), {"conversion": "outcomes"}, ["tile_ranking", "student"]),
        (without_labels, {"conversion": "labelled", "student": "labelled", "taxonomy": "labelled"}, ["tile_ranking"]),
        (without_student, {"conversion": "labelled", "student": "labelled", "taxonomy": "labelled"}, ["tile_ranking"]),
        (without_test_labels, {"conversion": "labelled", "student": "labelled"}, ["tile_ranking", "taxonomy"]),
    ],
)
def test_what_is_missing_is_said_and_the_rest_is_judged(
    copied: Workspace,
    params: Evaluate,
    spoil: Callable[[Workspace], None],
    missing: dict[str, str],
    still_there: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    spoil(copied)
    if spoil is without_logins:  # an outcome on the web, by the very visitor: needs no login
        rows = pq.read_table(copied.events / "day=all" / "events.parquet").to_pylist()
        for row in rows:
            if row["event_type"] == "application_submitted":
                row["visitor_id"] = f"w{row['event_id'][1:]}"
        write_table(table(rows, schemas.EVENTS), copied.events / "day=all" / "events.parquet", schemas.EVENTS)
    stage.run(copied, params, 7)
    metrics = read(copied)
    printed = capsys.readouterr().out
    for task, needs in missing.items():
        assert metrics[task].startswith(f"not available: needs {needs}"), metrics[task]
        assert f"evaluate: {task}: not available: needs {needs}" in printed
    for task in still_there:
        assert isinstance(metrics[task], dict)
    assert isinstance(metrics["encoder"], dict)
    if spoil is without_student:
        assert metrics["tile_ranking"]["labels"].startswith("not available: needs a student")
        assert metrics["tile_ranking"]["both"].startswith("not available: needs a student")


def test_without_the_truth_nothing_is_compared_with_it(copied: Workspace, params: Evaluate) -> None:
    before = read(copied)
    without_truth(copied)
    stage.run(copied, params, 7)
    after = read(copied)
    assert "truth_v_measure" not in after["taxonomy"]
    assert "truth_accuracy" not in after["student"]
    assert "data" not in after["notes"]
    for reference in ("linked_needs", "current_needs", "oracle"):
        assert reference not in after["tile_ranking"]
        del before["tile_ranking"][reference]
    assert after["tile_ranking"] == before["tile_ranking"]


def test_a_second_labelling_gives_the_ceiling(copied: Workspace, params: Evaluate) -> None:
    test = {row["session_id"]: row for row in World().sessions if row["split"] == "test"}
    second = [row for row in World().labels() if row["session_id"] in test]
    n_wrong = len(second) // 4
    for row in second[:n_wrong]:
        row["intents"] = [NEEDS[(NEEDS.index(row["intents"][0]) + 1) % 3]]
    write_table(table(second, schemas.LABELS), copied.second_labels, schemas.LABELS)
    stage.run(copied, params, 7)
    ceiling = read(copied)["student"]["ceiling_micro_f1"]
    assert ceiling["value"] == pytest.approx(1 - n_wrong / len(second), abs=1e-6)
    assert ceiling["ci95"][0] < ceiling["value"] < ceiling["ci95"][1]
    student = read(copied)["student"]
    assert student["drop"] == student["drop_to_second_labelling"]  # the same teacher: a ceiling
    assert student["drop"]["value"] == pytest.approx(
        1 - student["fidelity_micro_f1"]["value"] / ceiling["value"], abs=1e-5
    )


def test_another_annotator_is_no_ceiling(copied: Workspace, params: Evaluate) -> None:
    second = [row | {"model": "another"} for row in World().labels()]
    for row in second[::2]:
        row["intents"] = [NEEDS[(NEEDS.index(row["intents"][0]) + 1) % 3]]
    write_table(table(second, schemas.LABELS), copied.second_labels, schemas.LABELS)
    stage.run(copied, params, 7)
    student = read(copied)["student"]
    assert student["ceiling_micro_f1"]["value"] < 0.7
    assert student["drop_to_second_labelling"]["value"] < 0
    assert student["drop"]["value"] == pytest.approx(1 - student["fidelity_micro_f1"]["value"])


def test_decisions_in_one_part_only_are_not_judged(copied: Workspace, params: Evaluate) -> None:
    sessions = pq.read_table(copied.sessions).to_pylist()
    for row in sessions:
        row["split"] = "test" if row["split"] == "test" else "embargo"
    write_table(table(sessions, schemas.SESSIONS), copied.sessions, schemas.SESSIONS)
    stage.run(copied, params, 7)
    assert read(copied)["tile_ranking"] == "not available: needs tile decisions in the train part"


def test_tables_of_two_runs_are_refused(copied: Workspace, params: Evaluate) -> None:
    before = copied.metrics.read_bytes()
    intents = read_table(copied.intents, schemas.INTENTS)
    write_table(intents.slice(1), copied.intents, schemas.INTENTS)
    with pytest.raises(TableError, match=r"intents.parquet and sessions.parquet hold different sessions"):
        stage.run(copied, params, 7)
    assert copied.metrics.read_bytes() == before
