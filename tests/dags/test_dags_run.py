"""Both DAGs run green in Airflow, without a server, on the tiny profile; what they ran leaks no personal data."""

import json
import os
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tiny import child_environment, dvc, dvc_root, hashes, texts

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
    """A DVC workspace beside an Airflow home with an empty database."""
    folder = tmp_path_factory.mktemp("airflow")
    root = folder / "workspace"
    root.mkdir()
    workspace = dvc_root(root, tiny_bank)
    in_airflow(workspace, "-m", "airflow", "db", "migrate")
    return workspace


def test_retrain_runs_every_stage_and_promotes(airflow: Workspace, tiny_run: Workspace) -> None:
    ran = run_dag(airflow, "retrain", {})
    assert ran == {"state": "success", "tasks": dict.fromkeys(ran["tasks"], "success")}
    assert hashes(airflow.artifacts) == hashes(tiny_run.artifacts)
    assert airflow.metrics.read_bytes() == tiny_run.metrics.read_bytes()
    champion = json.loads(airflow.champion.read_text(encoding="utf-8"))
    assert (airflow.champions / champion["version"]).is_dir()


def test_after_retrain_dvc_has_nothing_to_do_and_says_so_quickly(airflow: Workspace) -> None:
    start = time.perf_counter()
    printed = dvc(airflow.root, "repro")
    assert time.perf_counter() - start < 10
    assert "up to date" in printed


def test_monitor_scores_and_reports_the_window_it_is_given(airflow: Workspace) -> None:
    day = max(path.name.removesuffix(".jsonl.gz") for path in (airflow.data / "events").iterdir())
    after = date.fromisoformat(day) + timedelta(days=1)
    ran = run_dag(airflow, "monitor", {"to": after.isoformat()})
    assert ran == {"state": "success", "tasks": {"score": "success", "monitor": "success", "alarm": "skipped"}}
    starts = pq.read_table(airflow.scored / f"day={day}" / "sessions.parquet").column("start_ts").to_pylist()
    assert starts
    assert {start.date().isoformat() for start in starts} == {day}
    report = json.loads((airflow.drift / f"{day}.json").read_text(encoding="utf-8"))
    assert report["window"] == {"from": str(after - timedelta(days=7)), "to": str(after)}
    assert (airflow.drift / f"{day}.html").stat().st_size > 0


def test_champions_reports_and_messages_hold_no_planted_personal_data(airflow: Workspace) -> None:
    canaries = airflow.truth.joinpath("canaries.txt").read_text(encoding="utf-8").splitlines()
    printed = texts(airflow.root.parent / "printed")
    assert "ingest: " in printed["retrain.txt"], "what the tasks print is not where it was looked for"
    for found in (printed, texts(airflow.champions), texts(airflow.reports), texts(airflow.scored)):
        assert found
        leaking = [file for file, text in found.items() if any(canary in text for canary in canaries)]
        assert not leaking


def run_dag(workspace: Workspace, dag_id: str, conf: dict[str, str]) -> dict[str, object]:
    """What became of a run of the DAG; what it printed is kept beside the workspace."""
    printed = in_airflow(workspace, "-c", RUN, dag_id, json.dumps(conf))
    kept = workspace.root.parent / "printed" / f"{dag_id}.txt"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text(printed, encoding="utf-8")
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
