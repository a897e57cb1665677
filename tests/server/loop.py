"""``make test-airflow``: a retraining in a real Airflow, from the trigger over gate and approval to the tag, and back.

API server, scheduler, DAG processor and triggerer run on a free port with a temporary home, on a clone of its own with
the tiny bank. The tests build on each other, in this order.
"""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from airflow_client import Server, processes, wait_for
from repositories import champion, change, git, repository_root

from pipelines import params, runs
from pipelines.paths import Workspace
from pipelines.promote.stage import run as promote

STAGE_SECONDS = 300


@pytest.fixture(scope="module")
def clone(tiny_run: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A clone with a champion, made of what lies there."""
    workspace = repository_root(tmp_path_factory.mktemp("loop") / "clone", tiny_run)
    promote(workspace, params.load(workspace.params))
    return workspace


def test_the_api_knows_the_dags_and_the_plugin_without_an_error(server: Server) -> None:
    dags = {dag["dag_id"] for dag in server.call("GET", "/api/v2/dags")["dags"]}
    assert {"retrain", "rollback", "monitor"} <= dags
    assert server.call("GET", "/api/v2/importErrors")["total_entries"] == 0
    assert server.call("GET", "/api/v2/plugins/importErrors")["total_entries"] == 0


def test_where_nothing_is_new_the_run_is_skipped(server: Server) -> None:
    run = server.trigger("retrain")
    assert server.wait_until_over("retrain", run) == "success"
    assert set(server.tasks("retrain", run).values()) == {"skipped"}
    assert "no new data and no new params" in server.log("retrain", run, "workspace")


def test_a_person_approves_and_the_tag_is_promoted(server: Server, clone: Workspace) -> None:
    change(clone, "evaluate.n_bootstrap", 21)
    run = server.trigger("retrain", {"profile": "full"})
    asked = server.question(run, "approve")
    assert server.tasks("retrain", run)["approve_taxonomy"] == "skipped"
    assert "No worse than champion 0001-" in asked["body"]
    assert "| encoder.seen_pages_r2 |" in asked["body"]
    assert "New: params: evaluate." in asked["body"]
    assert champion(clone)["git_tag"] == "champion/0001"
    name = runs.name_of(run)
    page = f"/reports/retrain/{name}/gate.html"
    assert page in asked["body"]
    assert server.status_of(page, server.token) == 200
    server.answer(run, "approve", "Approve")
    assert server.wait_until_over("retrain", run) == "success"
    assert server.tasks("retrain", run)["promote"] == "success"
    assert champion(clone)["git_tag"] == "champion/0002"
    assert git(clone.root, "rev-parse", f"retrain/{name}") == git(clone.root, "rev-parse", "champion/0002")
    assert yaml.safe_load(git(clone.root, "show", "champion/0002:params.yaml"))["evaluate"]["n_bootstrap"] == 21
    link = server.call("GET", f"/api/v2/dags/retrain/dagRuns/{run}/taskInstances/gate/links")
    assert link["extra_links"]["Report"] == page


def test_the_reports_are_for_who_is_logged_in_and_of_the_reports_folders_only(server: Server, clone: Workspace) -> None:
    (name,) = (path.name for path in clone.retrainings.iterdir() if path.is_dir())
    pages = ["champion", "drift", "retrain", f"retrain/{name}", f"retrain/{name}/metrics.json", "metrics.json"]
    for page in pages:
        assert server.status_of(f"/reports/{page}", server.token) == 200, page
        assert server.status_of(f"/reports/{page}", "") == 401, page
    outside = [
        "../params.yaml",
        "%2e%2e/params.yaml",
        f"retrain/{name}/../params.yaml",
        f"retrain/{name}/%2e%2e/data.dvc",
    ]
    outside += ["retrain/..%2f..%2f/champion.json", "no.html", "curves", f"retrain/{name}x/gate.html"]
    for page in outside:
        assert server.status_of(f"/reports/{page}", server.token) in (404, 405), page


def test_a_rejected_challenger_leaves_the_champion(server: Server, clone: Workspace) -> None:
    before = clone.champion.read_bytes()
    change(clone, "evaluate.n_bootstrap", 22)
    run = server.trigger("retrain")
    server.question(run, "approve")
    server.answer(run, "approve", "Reject")
    assert server.wait_until_over("retrain", run) == "success"
    assert server.tasks("retrain", run)["promote"] == "skipped"
    assert clone.champion.read_bytes() == before


def test_rollback_returns_to_the_champion_before(server: Server, clone: Workspace) -> None:
    run = server.trigger("rollback")
    assert server.wait_until_over("rollback", run) == "success"
    assert champion(clone)["git_tag"] == "champion/0001"
    again = server.trigger("rollback")
    assert server.wait_until_over("rollback", again) == "failed", "the first champion has none before it"
    assert "there is none to return to" in server.log("rollback", again, "rollback")
    assert champion(clone)["git_tag"] == "champion/0001"


@pytest.mark.parametrize("harm", ["killed", "disk full"])
def test_a_stage_that_dies_half_way_is_cleared_and_the_run_goes_on(harm: str, server: Server, clone: Workspace) -> None:
    before = clone.champion.read_bytes()
    change(clone, "distill.max_epochs", 38 if harm == "killed" else 37)
    run = server.trigger("retrain")
    where = str(runs.folder(clone, runs.name_of(run)))
    stage = the_process(where, "pipelines", "distill")
    if harm == "killed":
        os.kill(stage, signal.SIGKILL)
    else:
        resource.prlimit(stage, resource.RLIMIT_FSIZE, (4096, 4096))  # no file may grow beyond that
    assert server.wait_for_task("retrain", run, "distill", "up_for_retry", "failed") == "up_for_retry"
    assert clone.champion.read_bytes() == before
    assert not list((Path(where) / ".staging").glob("distill/*")) or harm == "killed"
    server.clear("retrain", run, "distill")
    server.question(run, "approve")
    server.answer(run, "approve", "Reject")
    assert server.wait_until_over("retrain", run) == "success"
    assert clone.champion.read_bytes() == before


def test_a_killed_scheduler_loses_no_run(server: Server, clone: Workspace) -> None:
    change(clone, "distill.max_epochs", 36)
    run = server.trigger("retrain")
    where = str(runs.folder(clone, runs.name_of(run)))
    the_process(where, "pipelines", "distill")
    for scheduler in processes("airflow", "scheduler"):
        if own(scheduler, server):
            os.kill(scheduler, signal.SIGKILL)
    assert server.process
    server.process.wait(120)
    assert b"its scheduler ended" in server.printed()
    assert champion(clone)["git_tag"] == "champion/0001"
    server.start()
    server.wait_for_task("retrain", run, "distill", "success", "up_for_retry", "failed")
    if server.tasks("retrain", run)["distill"] != "success":
        server.clear("retrain", run, "distill")
    server.question(run, "approve")
    server.answer(run, "approve", "Approve")
    assert server.wait_until_over("retrain", run) == "success"
    assert champion(clone)["git_tag"] == "champion/0003"


def test_in_all_this_nothing_tried_to_leave_the_machine(server: Server, clone: Workspace, tmp_path: Path) -> None:
    left = clone.root.parent / "left.txt"
    assert not left.exists(), left.read_text("utf-8")
    tried = "import socket; socket.create_connection(('example.org', 443))"
    settings = {**server.settings, "CLICKS_WATCH": str(tmp_path / "seen.txt")}
    assert subprocess.run([sys.executable, "-c", tried], env=settings, capture_output=True, check=False).returncode
    assert "example.org" in (tmp_path / "seen.txt").read_text("utf-8"), "the watch is blind"


def the_process(folder: str, *words: str) -> int:
    """The newest process of those words that works in ``folder``, once there is one."""
    found: list[int] = []

    def there() -> bool:
        found[:] = [one for one in processes("-m", *words) if folder_of(one) == folder]
        return bool(found)

    wait_for(there, STAGE_SECONDS)
    return found[-1]


def folder_of(process: int) -> str:
    try:
        return str(Path(f"/proc/{process}/cwd").resolve())
    except OSError:
        return ""


def own(process: int, server: Server) -> bool:
    try:
        return f"AIRFLOW_HOME={server.home}\0".encode() in Path(f"/proc/{process}/environ").read_bytes()
    except OSError:
        return False
