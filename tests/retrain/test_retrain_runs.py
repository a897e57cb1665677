"""Names of runs, and the budget of those that nobody started."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import runs
from pipelines.errors import SkippedError
from pipelines.params import Retrain
from pipelines.paths import Workspace
from pipelines.runs import Cause, Run

NOW = datetime(2026, 3, 1, tzinfo=UTC)
BLOCK = Retrain(approval="ask", answer_days=3, budget_runs=2, budget_days=7, kept_workspaces=1, fast={})


def a_run(name: str, days_ago: float, cause: Cause = "schedule") -> Run:
    return Run(
        name=name, began_at=NOW - timedelta(days=days_ago), cause=cause, because="", profile="full",
        window=(None, None), champion=None, code="", new=["data"],
    )  # fmt: skip


@given(st.text(max_size=30))
def test_a_name_is_a_folder_and_a_branch_and_its_own_name(run_id: str) -> None:
    name = runs.name_of(run_id)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,79}", name)
    assert runs.name_of(name) == name


def test_ids_that_read_alike_have_names_of_their_own() -> None:
    ids = ["manual__2026-03-01T00:00:00+00:00", "manual__2026-03-01T00:00:00-00:00", "a/b", "a b", "a-b", "../a-b"]
    assert len({runs.name_of(one) for one in ids}) == len(ids)
    assert runs.name_of(ids[0]).startswith("manual-2026-03-01T00-00-00-00-00-")


def test_what_is_known_of_runs_comes_newest_first_and_survives_a_damaged_record(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.retrainings.mkdir(parents=True)
    for name, days_ago in (("older", 3), ("newer", 1), ("oldest", 5)):
        runs.write(workspace, a_run(name, days_ago))
    (workspace.retrainings / "half.json").write_text('{"name": "ha', encoding="utf-8")
    assert [run.name for run in runs.known(workspace)] == ["newer", "older", "oldest"]
    assert runs.known(workspace)[0] == a_run("newer", 1)


def test_a_schedule_and_an_alarm_share_a_budget_and_a_person_needs_none() -> None:
    spent = [a_run("one", 1), a_run("two", 6, "alarm")]
    for cause in ("schedule", "alarm"):
        with pytest.raises(SkippedError, match=r"2 runs began by themselves since 2026-02-22.*start one by hand"):
            runs.insist_on_budget(spent, cause, BLOCK, NOW)
    runs.insist_on_budget(spent, "person", BLOCK, NOW)


def test_old_runs_skipped_ones_and_those_of_people_cost_no_budget() -> None:
    idle = a_run("idle", 1).model_copy(update={"skipped": "no new data"})
    known = [a_run("old", 8), a_run("mine", 1, "person"), a_run("one", 1), idle]
    runs.insist_on_budget(known, "alarm", BLOCK, NOW)
