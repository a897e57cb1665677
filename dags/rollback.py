"""By hand: the champion before this one serves again, in one step. No bundle, branch or tag goes."""

from datetime import UTC, datetime

from airflow.sdk import DAG

from pipelines.airflow_tasks import DEFAULTS, shell_task

with DAG(
    dag_id="rollback",
    description="The previous champion is the champion again",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 5, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["serving"],
):
    # never again by itself: each time it runs it goes one champion further back
    shell_task("rollback", "exec python -m pipelines rollback", hours=1, description="champion.json", retries=0)
