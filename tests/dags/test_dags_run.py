"""The DAGs run green in Airflow, without a server, on the tiny profile: one process for all of it.

What stages write is cached, so that DVC takes it from there: `make test-airflow` runs every stage for the first time.
"""

import json
from datetime import date, timedelta
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from airflow_python import in_airflow
from repositories import git, repository_root
from tiny import hashes, last_day

from pipelines.paths import Workspace

RUN = """
    import json, sys
    from airflow.dag_processing.dagbag import DagBag
    from airflow.models.xcom import XComModel
    from airflow.utils.db import upgradedb
    from airflow.utils.session import create_session

    upgradedb()
    for dag_id, conf in json.loads(sys.argv[1]):
        run = DagBag(dag_folder=f"dags/{dag_id}.py").dags[dag_id].test(run_conf=conf)
        with create_session() as session:
            why = session.scalars(XComModel.get_many(run_id=run.run_id, key="skipped")).all()
            said = {one.task_id: one.value for one in why}
        tasks = {ti.task_id: ti.state for ti in run.get_task_instances()}
        print("\\nFOUND " + json.dumps({"state": run.state, "tasks": tasks, "skipped": said}))
"""


@pytest.fixture(scope="module")
def clone(tiny_run: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A clone with what stages wrote, but no champion; nobody is asked. Its profile `fast` has something to compute."""
    folder = tmp_path_factory.mktemp("airflow")
    made = Workspace(folder / "made")
    made.root.mkdir()
    for name in ("data", "artifacts", "reports", "taxonomy.yaml"):
        (made.root / name).symlink_to(tiny_run.root / name)
    values = yaml.safe_load(tiny_run.params.read_text(encoding="utf-8"))
    values["retrain"] |= {"approval": "policy", "fast": {"evaluate.n_bootstrap": 21}}
    made.params.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    return repository_root(folder / "clone", made)


@pytest.fixture(scope="module")
def day(clone: Workspace) -> date:
    return last_day(clone)


@pytest.fixture(scope="module")
def before(clone: Workspace) -> tuple[str, bytes]:
    """The user's branch and index."""
    return git(clone.root, "rev-parse", "main"), (clone.root / ".git" / "index").read_bytes()


@pytest.fixture(scope="module")
def ran(clone: Workspace, day: date, before: tuple[str, bytes]) -> list[dict[str, Any]]:
    """What became of a retraining, of the same again, and of the last day's monitoring."""
    del before
    asked = ["retrain", {"profile": "fast"}]
    wanted = [asked, asked, ["monitor", {"to": str(day + timedelta(days=1))}]]
    return in_airflow(RUN, clone.root, clone.root.parent / "home", json.dumps(wanted))[0]


def test_retrain_runs_what_is_new_and_promotes_by_policy(
    ran: list[dict[str, Any]], clone: Workspace, tiny_run: Workspace, before: tuple[str, bytes]
) -> None:
    first = ran[0]
    skipped = ("renew_taxonomy", "relabel", "audit", "approve_taxonomy")
    assert first["state"] == "success"
    assert first["tasks"] == dict.fromkeys(first["tasks"], "success") | dict.fromkeys(skipped, "skipped")
    (made,) = (Workspace(path) for path in clone.retrainings.iterdir() if path.is_dir())
    assert hashes(made.artifacts) == hashes(tiny_run.artifacts)
    assert made.metrics.read_bytes() != tiny_run.metrics.read_bytes(), "evaluate ran with the params of the run"
    champion = json.loads(clone.champion.read_text(encoding="utf-8"))
    assert (clone.champions / champion["version"]).is_dir()
    tag = champion["git_tag"]
    assert git(clone.root, "rev-parse", f"retrain/{made.root.name}") == git(clone.root, "rev-parse", tag)
    for name in ("data.dvc", "dvc.lock"):
        assert git(clone.root, "show", f"{tag}:{name}") == (made.root / name).read_text("utf-8").strip()
    assert (git(clone.root, "rev-parse", "main"), (clone.root / ".git" / "index").read_bytes()) == before
    assert git(clone.root, "status", "--porcelain") == ""


def test_what_is_skipped_says_why_where_the_ui_shows_it(ran: list[dict[str, Any]]) -> None:
    assert ran[0]["skipped"] == {
        "renew_taxonomy": "the taxonomy in use still fits: no other is proposed",
        "audit": "profile `fast` shows the machinery and is audited by nobody",
        "approve_taxonomy": "the taxonomy is the champion's",
    }
    assert ran[2]["skipped"]["alarm"]


def test_where_nothing_is_new_the_run_ends_as_skipped_with_that_reason(
    ran: list[dict[str, Any]], clone: Workspace
) -> None:
    second = ran[1]
    assert second["state"] == "success"
    assert second["tasks"] == dict.fromkeys(second["tasks"], "skipped")
    assert second["skipped"]["workspace"].startswith("no new data and no new params since champion 0001-")
    assert len([path for path in clone.retrainings.iterdir() if path.is_dir()]) == 1


def test_monitor_scores_and_reports_the_window_it_is_given(
    ran: list[dict[str, Any]], clone: Workspace, day: date
) -> None:
    assert ran[2]["tasks"] == {"score": "success", "monitor": "success", "alarm": "skipped"}
    starts = pq.read_table(clone.scored / f"day={day}" / "sessions.parquet").column("start_ts").to_pylist()
    assert starts
    assert {start.date() for start in starts} == {day}
    report = json.loads((clone.drift / f"{day}.json").read_text(encoding="utf-8"))
    assert report["window"] == {"from": str(day - timedelta(days=2)), "to": str(day + timedelta(days=1))}
    assert (clone.drift / f"{day}.html").stat().st_size > 0
