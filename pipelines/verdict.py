"""What the gate found about a challenger: reports/gate.json, which an approval shows and a promotion insists on."""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines.errors import GateError
from pipelines.paths import Workspace

VERSIONS = ("encoder_version", "taxonomy_version", "student_version")


class Comparison(BaseModel):
    """One metric of both on the same test sessions; ``improvement`` is relative, more is better, with its ci95."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    outcome: Literal["better", "no worse", "worse", "not available"]
    champion: float | None = None
    challenger: float | None = None
    improvement: float | None = None
    ci95: tuple[float, float] | None = None
    why: str = ""


class TaxonomyChange(BaseModel):
    """How the challenger's taxonomy differs from the champion's; ``lines`` say it to a person."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    changed: bool
    lines: list[str]


class Verdict(BaseModel):
    """Whether a challenger may be promoted, and what against."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    passed: bool
    sentence: str
    champion: str | None
    versions: dict[str, str]
    comparisons: list[Comparison]
    taxonomy: TaxonomyChange
    data: str = ""  # what a reader must know before believing a figure


def read(workspace: Workspace) -> Verdict:
    """Returns the verdict about the artifacts in ``workspace``.

    Raises:
        GateError: there is none, or it cannot be read.
    """
    try:
        return Verdict.model_validate_json(workspace.gate.read_bytes())
    except (OSError, ValidationError):
        raise GateError("reports/gate.json is missing or damaged: run `python -m pipelines gate` first") from None


def markdown(verdict: Verdict, link: str) -> str:
    """Returns what the approval form shows; ``link`` leads to the page."""
    rows = []
    for one in verdict.comparisons:
        champion, challenger, improvement = figures(one)  # the outcome first: beside a graph the form is narrow
        rows.append(f"| {one.metric} | {one.outcome} | {improvement} | {champion} | {challenger} |")
    head = ["| Metric | Outcome | Improvement | Champion | Challenger |", "|---|---|---|---|---|"]
    table = [*head, *rows] if rows else []
    return "\n".join([f"**{verdict.sentence}** {verdict.data}", "", *table, "", f"[The whole comparison]({link})"])


def figures(one: Comparison) -> list[str]:
    """Returns champion, challenger and improvement as people read them; blanks where they were not compared."""
    if one.champion is None or one.challenger is None or one.improvement is None or one.ci95 is None:
        return ["", "", ""]
    low, high = one.ci95
    return [f"{one.champion:.4f}", f"{one.challenger:.4f}", f"{one.improvement:+.1%} [{low:+.1%}, {high:+.1%}]"]


def insist(workspace: Workspace, champion: str | None, versions: Mapping[str, str]) -> None:
    """Raises GateError unless these ``versions`` passed the gate against ``champion``."""
    found = read(workspace)
    if not found.passed:
        raise GateError(f"the challenger did not pass the gate: {found.sentence}")
    if found.versions != versions:
        raise GateError("reports/gate.json is about other artifacts than those that lie here: run the gate again")
    if found.champion != champion:
        raise GateError(
            f"the gate compared with {found.champion or 'no champion'}, but {champion or 'none'} is the champion now: "
            "run the gate again"
        )
