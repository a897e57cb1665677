"""Every week: the stages of dvc.yaml in its order, then the new champion.

The tasks and their order come from dvc.yaml: a stage added there appears here by itself. DVC skips what did not change.
One run and one task at a time, because DVC lets one process write in a folder.
"""

import shlex
from datetime import UTC, datetime

from airflow.sdk import DAG

from pipelines import dvcfile
from pipelines.airflow_tasks import DEFAULTS, ROOT, shell_task

STAGES = dvcfile.read(ROOT / "dvc.yaml")

with DAG(
    dag_id="retrain",
    description="Raw events to encoder, taxonomy, student and metrics; then the new champion",
    doc_md=__doc__,
    schedule="0 3 * * 1",
    start_date=datetime(2026, 1, 5, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    max_active_tasks=1,
    default_args=DEFAULTS,
    tags=["training"],
):
    tasks = {
        stage.name: shell_task(
            stage.name,
            f"exec dvc repro --single-item {shlex.quote(stage.name)}",
            hours=12,
            description=stage.description,
        )
        for stage in STAGES
    }
    for name, awaited in dvcfile.upstream(STAGES).items():
        tasks[name] << [tasks[other] for other in awaited]
    last = [task for task in tasks.values() if not task.downstream_list]
    last >> shell_task("promote", "exec python -m pipelines promote", hours=1, description="The new champion")
