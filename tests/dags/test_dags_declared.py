"""The DAG files: they parse quickly and without ML libraries, and say nothing that dvc.yaml says otherwise."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow_python import in_airflow

from pipelines import dvcfile

HEAVY = ("torch", "pandas", "duckdb", "sklearn", "lightgbm", "pytorch_lightning", "litellm", "evidently", "onnxruntime")

DESCRIBE = f"""
    import json, sys, time
    from airflow.dag_processing.dagbag import DagBag
    seconds = []
    for name in ("retrain", "monitor", "rollback"):  # the first parse pays for Airflow itself
        start = time.perf_counter()
        DagBag(dag_folder=f"dags/{{name}}.py")
        seconds.append(time.perf_counter() - start)
    bag = DagBag(dag_folder="dags")
    print("FOUND " + json.dumps({{
        "import_errors": bag.import_errors,
        "warnings": {{file: [str(one) for one in found] for file, found in bag.captured_warnings.items()}},
        "seconds": seconds,
        "heavy": [name for name in {HEAVY!r} if name in sys.modules],
        "dags": {{
            dag.dag_id: {{
                "owner": dag.owner, "tags": sorted(dag.tags), "doc": dag.doc_md, "catchup": dag.catchup,
                "max_active_runs": dag.max_active_runs, "max_active_tasks": dag.max_active_tasks,
                "order": [task.task_id for task in dag.topological_sort()],
                "tasks": {{
                    task.task_id: {{
                        "upstream": sorted(task.upstream_task_ids), "command": getattr(task, "bash_command", ""),
                        "cwd": getattr(task, "cwd", ""), "env": getattr(task, "env", None), "retries": task.retries,
                        "backoff": task.retry_exponential_backoff, "rule": task.trigger_rule.value,
                        "timeout_hours": task.execution_timeout and task.execution_timeout.total_seconds() / 3600,
                        "alerts": bool(task.on_failure_callback),
                    }} for task in dag.tasks
                }},
            }} for dag in bag.dags.values()
        }},
    }}))
"""


def described(root: Path, home: Path) -> dict[str, Any]:
    """What Airflow makes of dags/, with ``root`` as the workspace."""
    (found,), _ = in_airflow(DESCRIBE, root, home)
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def bag(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return described(repository, tmp_path_factory.mktemp("airflow"))


def test_they_parse_without_error_or_warning(bag: dict[str, Any]) -> None:
    assert bag["import_errors"] == {}
    assert bag["warnings"] == {}


def test_there_are_these(bag: dict[str, Any]) -> None:
    assert set(bag["dags"]) == {"retrain", "monitor", "rollback"}


def test_each_parses_in_under_two_seconds_without_ml_libraries(bag: dict[str, Any]) -> None:
    assert max(bag["seconds"]) < 2
    assert bag["heavy"] == []


def test_retrain_has_the_stages_of_dvc_yaml_in_its_order_between_workspace_and_gate(
    bag: dict[str, Any], repository: Path
) -> None:
    stages = dvcfile.read(repository / "dvc.yaml")
    retrain = bag["dags"]["retrain"]
    asked = ["audit", "gate", "approve_taxonomy", "approve", "promote"]
    between = {"renew_taxonomy", "relabel"}
    assert [task for task in retrain["order"] if task not in between] == [
        "workspace", *(stage.name for stage in stages), *asked,
    ]  # fmt: skip
    for name, awaited in dvcfile.upstream(stages).items():
        relabelled = ["relabel"] if "taxonomy" in awaited else []
        assert retrain["tasks"][name]["upstream"] == (sorted(awaited + relabelled) or ["workspace"])
        assert retrain["tasks"][name]["command"].endswith(f"dvc repro --single-item {name}")
        assert retrain["tasks"][name]["cwd"] == f"{repository}/.work/retrain/{{{{ run_name(run_id) }}}}"
    assert retrain["tasks"]["audit"]["upstream"] == ["evaluate"]
    assert retrain["tasks"]["gate"]["upstream"] == ["audit", "evaluate"]
    assert retrain["tasks"]["promote"]["upstream"] == ["approve"]


def test_what_reads_labels_waits_for_the_answer_about_a_proposed_taxonomy_and_runs_without_one(
    bag: dict[str, Any],
) -> None:
    tasks = bag["dags"]["retrain"]["tasks"]
    assert tasks["renew_taxonomy"]["upstream"] == ["taxonomy"]
    assert tasks["relabel"]["upstream"] == ["renew_taxonomy"]
    assert tasks["relabel"]["command"] == tasks["taxonomy"]["command"]
    assert tasks["relabel"]["rule"] == "all_success", "on a no, nothing is labelled again"
    waiting = {name for name, task in tasks.items() if "relabel" in task["upstream"]}
    assert waiting == {"distill"}
    assert {tasks[name]["rule"] for name in waiting} == {"none_failed_min_one_success"}


def test_what_a_person_types_into_the_form_reaches_no_command(bag: dict[str, Any]) -> None:
    for task in bag["dags"]["retrain"]["tasks"].values():
        assert "params" not in task["command"]
        assert "event" not in task["command"]


def test_nobody_is_asked_where_nothing_is_new_and_silence_is_no(bag: dict[str, Any]) -> None:
    tasks = bag["dags"]["retrain"]["tasks"]
    assert tasks["approve"]["upstream"] == ["approve_taxonomy", "gate"]
    assert tasks["approve"]["rule"] == "none_failed_min_one_success"
    others = {name for name, task in tasks.items() if task["rule"] != "all_success"}
    assert others == {"distill", "gate", "approve"}, "each waits for something that may be skipped"
    assert {tasks[name]["rule"] for name in others} == {"none_failed_min_one_success"}


def test_retrain_runs_one_dvc_at_a_time(bag: dict[str, Any]) -> None:
    assert bag["dags"]["retrain"]["max_active_runs"] == 1
    assert bag["dags"]["retrain"]["max_active_tasks"] == 1


def test_monitor_scores_a_day_then_reports_the_days_up_to_it(bag: dict[str, Any]) -> None:
    tasks = bag["dags"]["monitor"]["tasks"]
    assert bag["dags"]["monitor"]["order"] == ["score", "monitor", "alarm"]
    assert tasks["monitor"]["upstream"] == ["score"]
    assert tasks["alarm"]["upstream"] == ["monitor"]
    ends = {tasks[name]["command"].split("--to ")[1].split("}}")[0] for name in ("score", "monitor")}
    assert len(ends) == 1


def test_every_task_has_an_owner_alerts_retries_and_a_time_limit(bag: dict[str, Any], repository: Path) -> None:
    once = {
        "audit",
        "gate",
        "rollback",
    }  # verdicts stay, and a second rollback would go one champion too far
    for dag in bag["dags"].values():
        assert dag["owner"] == "clicks-to-intent"
        assert dag["tags"]
        assert dag["doc"]
        assert dag["catchup"] is False
        assert dag["max_active_runs"] == 1
        for name, task in dag["tasks"].items():
            assert task["alerts"]
            assert task["backoff"] > 1
            assert (task["retries"] == 0) == (name in once)
            if task["command"]:  # the others wait for people
                assert 0 < task["timeout_hours"] <= 12
                assert task["cwd"].startswith(str(repository))
                assert task["env"]["DVC_NO_ANALYTICS"] == "1"


def test_a_stage_added_to_dvc_yaml_appears_by_itself(repository: Path, tmp_path: Path) -> None:
    values = yaml.safe_load((repository / "dvc.yaml").read_text(encoding="utf-8"))
    values["stages"]["publish"] = {"cmd": "echo done", "deps": ["artifacts/embeddings.parquet"]}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    retrain = described(tmp_path, tmp_path / "airflow")["dags"]["retrain"]
    assert retrain["tasks"]["publish"]["upstream"] == ["pretrain"]
    assert retrain["tasks"]["gate"]["upstream"] == ["audit", "evaluate", "publish"]
    assert retrain["tasks"]["publish"]["cwd"].startswith(str(tmp_path))
