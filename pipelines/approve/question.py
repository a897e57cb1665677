"""What a retraining asks in Airflow where the taxonomy stage proposes another taxonomy than the approved one."""

from typing import Any

from pipelines import runs
from pipelines.airflow_approval import Question, link, made_by, plain
from pipelines.airflow_tasks import skip
from pipelines.runs import Run


class RenewalQuestion(Question):
    """Whether the taxonomy that the stage proposes replaces the approved one; on a no, that stays and the run goes on.

    No policy approves one: no figure says whether a proposal is better.
    """

    nothing = "the taxonomy in use still fits: no other is proposed"

    def __init__(self, **options: Any) -> None:
        super().__init__(ignore_downstream_trigger_rules=False, **options)

    def text(self, run: Run) -> str | None:
        from pipelines.approve.pending import pending  # NumPy and SciPy, which a DAG's file does not need

        awaited = pending(made_by(run.name))
        if awaited is None or awaited.diff is None:  # the first one is approved by its promotion
            return None
        lines = [item(line) for line in awaited.summary().splitlines()]
        return "\n".join(
            [
                "The approved taxonomy fits these sessions no longer. Approve, and this run labels by the proposed "
                "one; reject, and it goes on with the approved one.",
                "",
                *lines,
                "",
                f"[What becomes of each intent]({link(run, 'taxonomy_diff.html')})",
            ]
        )

    def by_policy(self, context: Any) -> None:
        skip(context["ti"], "retrain.approval is `policy`, and no policy approves a taxonomy: the approved one stays")

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        from pipelines.approve.pending import approve, pending

        given = super().execute_complete(context, event)
        made = made_by(runs.name_of(context["run_id"]))
        awaited = pending(made)
        if given["chosen_options"] == [self.APPROVE] and awaited:
            approve(made, awaited)
        return given


def item(line: str) -> str:
    """Returns ``line`` as an item of a Markdown list; an indented one lies under the one before it."""
    return f"{' ' * (len(line) - len(line.lstrip()))}- {plain(line)}"
