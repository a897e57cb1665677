"""What a retraining asks in Airflow before it promotes: about the taxonomy, where it changed; then about the whole."""

import re
from abc import abstractmethod
from datetime import timedelta
from typing import Any, Final

from airflow.providers.common.compat.sdk import conf
from airflow.providers.standard.operators.hitl import ApprovalOperator

from pipelines import params, runs, verdict
from pipelines.airflow_alerts import AWAITED, Alert
from pipelines.airflow_tasks import ROOT, skip
from pipelines.paths import Workspace
from pipelines.runs import Run

RENEWAL: Final = "renew_taxonomy"
"""The task that asks about a proposed taxonomy (approve/question.py)."""


class Question(ApprovalOperator):  # type: ignore[misc]  # Airflow has no types here
    """Asks a person; silence is no. With `retrain.approval: policy` the gate's verdict is the answer."""

    template_fields = ("subject",)
    nothing = "nothing to ask"

    def __init__(self, **options: Any) -> None:
        super().__init__(defaults="Reject", notifiers=Alert(AWAITED), **options)

    @abstractmethod
    def text(self, run: Run) -> str | None:
        """Returns what the form shows, or None where there is nothing to ask."""

    def execute(self, context: Any) -> Any:
        root = Workspace(ROOT)
        retrain = params.load(root.params).retrain
        name = runs.name_of(context["run_id"])
        self.body = self.text(next(one for one in runs.known(root) if one.name == name))
        if self.body is None:
            skip(context["ti"], self.nothing)
        self.log.info("%s", self.body)
        if retrain.approval == "policy":
            return self.by_policy(context)
        self.response_timeout = timedelta(days=retrain.answer_days)
        return super().execute(context)

    def by_policy(self, context: Any) -> None:
        """The answer where nobody is asked."""
        del context
        self.log.info("approved by policy (retrain.approval), since the gate passed it")


class TaxonomyQuestion(Question):
    """Whether labels may change their meaning: asked only where the challenger's taxonomy is not the champion's."""

    nothing = "the taxonomy is the champion's"

    def execute(self, context: Any) -> Any:
        answer = context["ti"].xcom_pull(task_ids=RENEWAL)
        if answer and answer["chosen_options"] == [self.APPROVE]:
            skip(context["ti"], f"this taxonomy was approved in {RENEWAL}")
        return super().execute(context)

    def text(self, run: Run) -> str | None:
        found = verdict.read(made_by(run.name))
        if not found.taxonomy.changed:
            return None
        lines = [f"- {plain(line)}" for line in found.taxonomy.lines]
        begin = f"The challenger labels by another taxonomy than champion {run.champion}:"
        return "\n".join([begin, "", *lines, "", f"[All of its intents]({link(run, 'taxonomy.html')})"])


class PromotionQuestion(Question):
    """Whether the challenger becomes the champion."""

    def text(self, run: Run) -> str | None:
        found = verdict.read(made_by(run.name))
        why = f"Started by {'an alarm' if run.cause == 'alarm' else f'a {run.cause}'}. {plain(run.because)}".strip()
        window = f"Events from {run.window[0] or 'the first'} to {run.window[1] or 'the last'}; profile {run.profile}."
        return "\n\n".join(
            [verdict.markdown(found, link(run, "gate.html")), why, f"New: {'; '.join(run.new)}. {window}"]
        )


def plain(text: str) -> str:
    """Returns ``text``, which may hold page titles, as Markdown that shows it and nothing else: no link, no picture."""
    return re.sub(r"([^\w\s.,:;%?])", r"\\\1", " ".join(text.split()))


def link(run: Run, report: str) -> str:
    """Returns the address of a report of ``run``, as the plugin serves it."""
    return f"{conf.get('api', 'base_url', fallback='').rstrip('/')}/reports/retrain/{run.name}/{report}"


def made_by(name: str) -> Workspace:
    """Returns where the run ``name`` works."""
    return Workspace(runs.folder(Workspace(ROOT), name))
