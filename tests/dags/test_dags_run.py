"""The DAGs run green in Airflow, without a server, on the tiny profile; what they ran leaks no personal data."""

import json
import os
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from repositories import git, repository_root
from tiny import child_environment, hashes, texts

from pipelines.paths import Workspace

RUN = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
dag_id, conf = sys.argv[1], json.loads(sys.argv[2])
run = DagBag(dag_folder=f"dags/{dag_id}.py").dags[dag_id].test(run_conf=conf)
print("RAN " + json.dumps({"state": run.state, "tasks": {ti.task_id: ti.state for ti in run.get_task_instances()}}))
"""


@pytest.fixture(scope="module")
def airflow(tiny_bank: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A clone, where nothing ran yet and nobody is asked, beside an Airflow home with an empty database."""
    folder = tmp_path_factory.mktemp("airflow")
    bank = Workspace(folder / "bank")
    bank.root.mkdir()
    bank.data.symlink_to(tiny_bank.data)
    values = yaml.safe_load(tiny_bank.params.read_text(encoding="utf-8"))
    values["retrain"]["approval"] = "policy"
    bank.params.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    workspace = repository_root(folder / "workspace", bank)
    in_airflow(workspace, "-m", "airflow", "db", "migrate")
    return workspace


def test_retrain_runs_every_stage_and_promotes_by_policy(airflow: Workspace, tiny_run: Workspace) -> None:
    before = git(airflow.root, "rev-parse", "main"), (airflow.root / ".git" / "index").read_bytes()
    ran = run_dag(airflow, "retrain", {})
    expected = dict.fromkeys(ran["tasks"], "success") | {"approve_taxonomy": "skipped"}
    assert ran == {"state": "success", "tasks": expected}
    (made,) = (Workspace(path) for path in airflow.retrainings.iterdir() if path.is_dir())
    assert hashes(made.artifacts) == hashes(tiny_run.artifacts)
    assert made.metrics.read_bytes() == tiny_run.metrics.read_bytes()
    champion = json.loads(airflow.champion.read_text(encoding="utf-8"))
    assert (airflow.champions / champion["version"]).is_dir()
    tag = champion["git_tag"]
    assert git(airflow.root, "rev-parse", f"retrain/{made.root.name}") == git(airflow.root, "rev-parse", tag)
    assert git(airflow.root, "show", f"{tag}:data.dvc") == (made.root / "data.dvc").read_text("utf-8").strip()
    assert git(airflow.root, "show", f"{tag}:dvc.lock") == (made.root / "dvc.lock").read_text("utf-8").strip()
    assert (git(airflow.root, "rev-parse", "main"), (airflow.root / ".git" / "index").read_bytes()) == before
    assert git(airflow.root, "status", "--porcelain") == ""


def test_where_nothing_is_new_the_run_ends_as_skipped_with_that_reason(airflow: Workspace) -> None:
    ran = run_dag(airflow, "retrain", {"profile": "full"})
    assert ran == {"state": "success", "tasks": dict.fromkeys(ran["tasks"], "skipped")}
    printed = (airflow.root.parent / "printed" / "retrain.txt").read_text("utf-8")
    assert "no new data and no new params since champion 0001" in printed
    assert len([path for path in airflow.retrainings.iterdir() if path.is_dir()]) == 1


def test_monitor_scores_and_reports_the_window_it_is_given(airflow: Workspace) -> None:
    day = max(path.name.removesuffix(".jsonl.gz") for path in (airflow.data / "events").iterdir())
    after = date.fromisoformat(day) + timedelta(days=1)
    ran = run_dag(airflow, "monitor", {"to": after.isoformat()})
    assert ran == {"state": "success", "tasks": {"score": "success", "monitor": "success", "alarm": "skipped"}}
    starts = pq.read_table(airflow.scored / f"day={day}" / "sessions.parquet").column("start_ts").to_pylist()
    assert starts
    assert {start.date().isoformat() for start in starts} == {day}
    report = json.loads((airflow.drift / f"{day}.json").read_text(encoding="utf-8"))
    assert report["window"] == {"from": str(after - timedelta(days=3)), "to": str(after)}
    assert (airflow.drift / f"{day}.html").stat().st_size > 0


def test_champions_reports_and_messages_hold_no_planted_personal_data(airflow: Workspace) -> None:
    canaries = airflow.truth.joinpath("canaries.txt").read_text(encoding="utf-8").splitlines()
    printed = texts(airflow.root.parent / "printed")
    assert "ingest: " in printed["retrain.txt"], "what the tasks print is not where it was looked for"
    made = next(path for path in airflow.retrainings.iterdir() if path.is_dir())
    for found in (
        printed,
        texts(airflow.champions),
        texts(airflow.reports),
        texts(made / "reports"),
        texts(airflow.scored),
    ):
        assert found
        leaking = [file for file, text in found.items() if any(canary in text for canary in canaries)]
        assert not leaking


def run_dag(workspace: Workspace, dag_id: str, conf: dict[str, str]) -> dict[str, object]:
    """What became of a run of the DAG; what it printed is kept beside the workspace."""
    printed = in_airflow(workspace, "-c", RUN, dag_id, json.dumps(conf))
    kept = workspace.root.parent / "printed" / f"{dag_id}.txt"
    kept.parent.mkdir(exist_ok=True)
    with kept.open("a", encoding="utf-8") as stream:
        stream.write(printed)
    lines = [line for line in printed.splitlines() if line.startswith("RAN ")]
    assert lines, printed[-3000:]
    ran: dict[str, object] = json.loads(lines[0].removeprefix("RAN "))
    return ran


def in_airflow(workspace: Workspace, *arguments: str) -> str:
    """Runs this Python in the repository with an Airflow home beside the workspace; it must succeed."""
    repository = Path(__file__).resolve().parents[2]
    settings = {
        "AIRFLOW_HOME": str(workspace.root.parent / "home"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(repository / "dags"),
        "CLICKS_ROOT": str(workspace.root),
    }
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=repository,
        env={**os.environ, **child_environment(), **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-5000:]
    return result.stdout
