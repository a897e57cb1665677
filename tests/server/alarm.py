"""``make test-airflow``: days that pass in a real Airflow: calm ones, a tracker's update, its alarm, and what follows.

The champion was made of the days before; the others arrive one by one. The clone has a remote for git and one for DVC,
both folders. The tests build on each other, in this order.
"""

import json
import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow_client import Server
from repositories import champion, change, git, repository_root
from tiny import dvc, hashes, run_command, tiny_values

from pipelines import params, runs
from pipelines.__main__ import STAGES
from pipelines.paths import Workspace
from pipelines.promote.stage import run as promote
from pipelines.taxonomy import document

UPDATE = date(2026, 1, 29)
"""From this day on the bank's tracker calls its events by other names."""
CALM = [UPDATE - timedelta(days=2), UPDATE - timedelta(days=1)]
DRIFTED = [UPDATE, UPDATE + timedelta(days=1)]
AFTER = UPDATE + timedelta(days=2)
SPLIT = {"valid_from": None, "test_from": None, "valid_share": 0.25, "test_share": 0.3}
"""Shares: days that arrive move it."""


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """All days of a tiny bank whose tracker is updated on UPDATE; no approved taxonomy is ever good enough for it."""
    root = tmp_path_factory.mktemp("bank")
    values = tiny_values()
    values["simulate"]["scenarios"] = [{"kind": "tracker_rename", "from": str(UPDATE), "strength": 1.0}]
    values["sessionize"]["split"] |= SPLIT
    values["taxonomy"]["min_coverage"] = 1.0
    values["monitor"]["alarm"]["at_once"] = None  # so that drift without an alarm is seen as well
    values["pretrain"]["audits"]["max_shortcut_cost"] = 0.1  # on so few sessions chance would decide
    values["gate"] = {"metrics": ["encoder.last_page_recall_at_1"], "max_loss": 1.0}  # likewise
    (root / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    run_command("simulate", root)
    return Workspace(root)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the clone and its remotes lie."""
    return tmp_path_factory.mktemp("alarm")


@pytest.fixture(scope="module")
def clone(bank: Workspace, folder: Path) -> Workspace:
    """A clone that knows the days before CALM and has a champion made of them."""
    made = Workspace(folder / "made")
    shutil.copytree(bank.root, made.root)
    for path in events_of(made, CALM[0]).parent.iterdir():
        if path.name >= events_of(made, CALM[0]).name:
            path.unlink()
    for stage in STAGES:
        run_command(stage, made.root)
    workspace = repository_root(folder / "clone", made)
    git(folder, "init", "--quiet", "--bare", "-b", "main", "shared.git")
    git(workspace.root, "remote", "add", "origin", str(folder / "shared.git"))
    dvc(workspace.root, "remote", "add", "--quiet", "--default", "store", str(folder / "store"))
    git(workspace.root, "commit", "--quiet", "-m", "a remote for DVC", "--", ".dvc/config")
    git(workspace.root, "push", "--quiet", "origin", "main")
    promote(workspace, params.load(workspace.params))
    return workspace


def events_of(workspace: Workspace, day: date) -> Path:
    """What arrived on ``day``."""
    return workspace.data / "events" / f"{day}.jsonl.gz"


def arrive(day: date, bank: Workspace, clone: Workspace) -> None:
    shutil.copyfile(events_of(bank, day), events_of(clone, day))


def monitored(server: Server, day: date) -> tuple[str, dict[str, str | None]]:
    """A person's run of `monitor` for the days up to ``day``, once it ended well: its id and its tasks."""
    run = server.trigger("monitor", {"to": str(day + timedelta(days=1))})
    assert server.wait_until_over("monitor", run) == "success", server.tasks("monitor", run)
    return run, server.tasks("monitor", run)


def report(clone: Workspace, day: date) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((clone.drift / f"{day}.json").read_text("utf-8"))
    return found


def record(clone: Workspace, run_id: str) -> runs.Run:
    return next(run for run in runs.known(clone) if run.name == runs.name_of(run_id))


def alarms(server: Server) -> list[dict[str, Any]]:
    """The events of the asset `drift`, oldest first."""
    found = server.call("GET", "/api/v2/assets/events?source_dag_id=monitor&order_by=timestamp")
    return list(found["asset_events"])


def test_switched_on_the_weekly_run_that_was_due_finds_nothing_new(server: Server, clone: Workspace) -> None:
    server.switch_on("retrain")
    run = server.first_run("retrain", "scheduled")
    assert server.wait_until_over("retrain", run) == "success"
    assert set(server.tasks("retrain", run).values()) == {"skipped"}
    assert record(clone, run).cause == "schedule"
    assert "no new data and no new params" in server.why_skipped("retrain", run, "workspace")


def test_the_daily_run_that_was_due_fails_since_no_events_of_yesterday_came(server: Server) -> None:
    """It would be tried again; marked as failed, it makes room for the days below."""
    server.switch_on("monitor")
    run = server.first_run("monitor", "scheduled")
    server.wait_for_task("monitor", run, "score", "up_for_retry", "failed")
    assert "score: no event is left" in server.log("monitor", run, "score")
    server.call("PATCH", f"/api/v2/dags/monitor/dagRuns/{run}", {"state": "failed"})
    assert server.wait_until_over("monitor", run) == "failed"


@pytest.mark.parametrize("day", CALM, ids=str)
def test_a_calm_day_raises_no_alarm(day: date, server: Server, clone: Workspace, bank: Workspace) -> None:
    arrive(day, bank, clone)
    run, tasks = monitored(server, day)
    assert tasks == {"score": "success", "monitor": "success", "alarm": "skipped"}
    assert server.why_skipped("monitor", run, "alarm") == "no alarm"
    assert not report(clone, day)["drifted"], report(clone, day)["sentence"]


def test_one_day_with_drift_is_reported_and_no_alarm_yet(server: Server, clone: Workspace, bank: Workspace) -> None:
    arrive(DRIFTED[0], bank, clone)
    run, tasks = monitored(server, DRIFTED[0])
    found = report(clone, DRIFTED[0])
    assert found["drifted"]
    assert found["signals"]["event_types"]["drifted"], found["sentence"]
    assert tasks["alarm"] == "skipped"
    assert server.why_skipped("monitor", run, "alarm") == "no alarm"
    assert not alarms(server)


def test_the_second_is_an_alarm_that_says_of_what(server: Server, clone: Workspace, bank: Workspace) -> None:
    arrive(DRIFTED[1], bank, clone)
    _, tasks = monitored(server, DRIFTED[1])
    assert tasks == dict.fromkeys(("score", "monitor", "alarm"), "success")
    found = report(clone, DRIFTED[1])
    begun = server.first_run("retrain", "asset_triggered")
    server.wait_for_task("retrain", begun, "workspace", "running", "success")  # before, Airflow 3.3 lists no event: 500
    (event,) = alarms(server)
    assert event["extra"] == {name: found[name] for name in ("window", "versions", "hashes", "sentence")} | {
        "day": str(DRIFTED[1])
    }
    assert found["versions"]["version"] == champion(clone)["version"]


def test_the_alarm_starts_a_retraining_that_knows_why(server: Server, clone: Workspace) -> None:
    run = server.first_run("retrain", "asset_triggered")
    server.wait_for_task("retrain", run, "workspace", "success")
    known, found = record(clone, run), report(clone, DRIFTED[1])
    assert known.cause == "alarm"
    assert found["sentence"] in known.because
    assert f"Window {found['window']['from']} to {found['window']['to']}" in known.because
    assert all(f"{name} {value[:12]}" in known.because for name, value in found["hashes"].items())
    assert "data" in known.new
    (cause,) = server.call("GET", f"/api/v2/dags/retrain/dagRuns/{run}/upstreamAssetEvents")["asset_events"]
    assert cause["id"] == alarms(server)[0]["id"]


def test_a_no_to_a_proposed_taxonomy_goes_on_with_the_approved_one(server: Server, clone: Workspace) -> None:
    (run,) = server.runs("retrain", "asset_triggered")
    asked = server.question(run, "renew_taxonomy")
    assert "less than taxonomy.min_coverage" in asked["body"]
    page = f"/reports/retrain/{runs.name_of(run)}/taxonomy_diff.html"
    assert page in asked["body"]
    assert server.status_of(page, server.token) == 200
    server.answer(run, "renew_taxonomy", "Reject")
    assert "Started by an alarm" in server.question(run, "approve")["body"]
    tasks = server.tasks("retrain", run)
    assert (tasks["relabel"], tasks["approve_taxonomy"]) == ("skipped", "skipped")
    assert server.why_skipped("retrain", run, "approve_taxonomy") == "the taxonomy is the champion's"
    used = document.approved(Workspace(runs.folder(clone, runs.name_of(run))).used_taxonomy)
    assert used
    assert used.version == champion(clone)["taxonomy_version"]


def test_while_that_one_waits_another_alarm_starts_nothing(server: Server, clone: Workspace, bank: Workspace) -> None:
    arrive(AFTER, bank, clone)
    run, tasks = monitored(server, AFTER)
    assert report(clone, AFTER)["alarm"]
    assert tasks["alarm"] == "skipped"
    assert f"an alarm was announced for {DRIFTED[1]}" in server.why_skipped("monitor", run, "alarm")
    assert len(alarms(server)) == 1


def test_approved_it_travels_by_both_remotes_to_another_clone(
    server: Server, clone: Workspace, folder: Path, tmp_path: Path
) -> None:
    (run,) = server.runs("retrain", "asset_triggered")
    server.answer(run, "approve", "Approve")
    assert server.wait_until_over("retrain", run) == "success"
    held = champion(clone)
    assert held["git_tag"] == "champion/0002"
    assert "are at the DVC remote" in server.log("retrain", run, "promote")
    git(clone.root, "push", "--quiet", "--tags", "origin")
    git(tmp_path, "clone", "--quiet", "--branch", "champion/0002", str(folder / "shared.git"), "other")
    other = Workspace(tmp_path / "other")
    assert not other.artifacts.exists()
    dvc(other.root, "pull", "--quiet")
    bundle = clone.champions / held["version"]
    assert hashes(other.encoder) == hashes(bundle / "encoder")
    assert hashes(other.student) == hashes(bundle / "student")
    assert hashes(other.data) == hashes(Workspace(runs.folder(clone, runs.name_of(run))).data)


def test_a_yes_to_a_proposed_taxonomy_labels_by_it_and_the_champion_has_it(server: Server, clone: Workspace) -> None:
    before, theirs = champion(clone), clone.approved_taxonomy.read_bytes()
    change(clone, "evaluate.n_bootstrap", 21)
    run = server.trigger("retrain")
    server.question(run, "renew_taxonomy")
    offered = document.approved(Workspace(runs.folder(clone, runs.name_of(run))).proposed_taxonomy)
    assert offered
    server.answer(run, "renew_taxonomy", "Approve")
    server.question(run, "approve")
    assert server.tasks("retrain", run)["relabel"] == "success"
    assert "was approved in renew_taxonomy" in server.why_skipped("retrain", run, "approve_taxonomy")
    server.answer(run, "approve", "Approve")
    assert server.wait_until_over("retrain", run) == "success"
    assert champion(clone)["git_tag"] == "champion/0003"
    assert champion(clone)["taxonomy_version"] == offered.version != before["taxonomy_version"]
    assert clone.approved_taxonomy.read_bytes() == theirs


def test_in_all_this_nothing_tried_to_leave_the_machine(clone: Workspace) -> None:
    left = clone.root.parent / "left.txt"
    assert not left.exists(), left.read_text("utf-8")
