"""monitor: a window of days -> reports/drift/DATE.{html,json} (DATE: its last), reports/evidently, the index."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, timedelta
from typing import Final

import pyarrow as pa
from pydantic import ValidationError

from pipelines import champion
from pipelines.champion import Champion, write_json
from pipelines.drift import policy
from pipelines.drift.calibration import Thresholds
from pipelines.drift.cells import Cells
from pipelines.drift.comparison import Finding, compare, sentence
from pipelines.drift.observed import OBSERVED, observed
from pipelines.drift.signals import embeddings
from pipelines.errors import ChampionError, TableError
from pipelines.monitor import dashboard, overview, pages, report, window
from pipelines.params import Alarm, Params, Window
from pipelines.paths import Workspace, staged
from pipelines.score import days
from pipelines.score import stage as score
from pipelines.student import Student
from pipelines.tables import read_table

MIN_SESSIONS: Final = 50
VERSIONS: Final = ("version", "encoder_version", "taxonomy_version", "student_version")


def run(workspace: Workspace, params: Params, from_: date | None, to: date | None) -> None:
    """Scores the window by the champion and reports how it differs from the champion's own sessions.

    Raises:
        ChampionError: there is no champion.
        SourceError: the raw events cannot be read, or none is in the window.
        TableError: the window holds too few sessions to compare.
    """
    held = champion.current(workspace)
    first, after = window.days(workspace, params.monitor.window_days, from_, to)
    last, student = after - timedelta(days=1), Student.load(held.student_folder)
    seen = _observed(workspace, params, held, student, first, after)
    reference = window.like(read_table(held.reference, OBSERVED), first, after)
    _check_size(seen, reference, first, after)
    thresholds = _thresholds(held)
    names = dict(student.card.intents) | embeddings.regions(reference, student.card.intents)
    findings = compare(seen, reference, thresholds, names)
    known = policy.reports(workspace.drift)
    before = policy.history(known, held.version)
    alarm = _alarm(before, params.monitor.alarm, last, findings)
    found = _summary(findings, alarm, held, first, after, seen, len(reference))
    shown = report.snapshot(findings, seen, reference, last)
    with staged(workspace, "monitor") as staging:
        text = report.page(shown, overview.title(last), overview.overview(found, findings, before, last))
        staging.path(workspace.drift / f"{last}.html").write_text(text, encoding="utf-8")
        write_json(staging.path(workspace.drift / f"{last}.json"), found)
        index = pages.index(workspace.reports, known | {last: found})
        staging.path(workspace.index).write_text(index, encoding="utf-8")
    dashboard.add(workspace.evidently, shown, str(last))
    print(f"monitor: {found['sentence']}\nmonitor: {workspace.drift / f'{last}.html'}")


def _thresholds(held: Champion) -> Thresholds:
    try:
        return Thresholds.model_validate_json(held.thresholds.read_bytes())
    except ValidationError:
        raise ChampionError(
            f"the drift limits of champion {held.version} are of other code: retrain, or run `python -m pipelines "
            "promote` where its artifacts lie, which calibrates them anew"
        ) from None


def _observed(
    workspace: Workspace, params: Params, held: Champion, student: Student, first: date, after: date
) -> pa.Table:
    """The window's sessions as OBSERVED, of the days as they were scored; those that were not are scored first."""
    missing = score.missing(workspace, held, workspace.scored, first, after)
    if missing:
        to = missing[-1] + timedelta(days=1)
        score.run(workspace, params, None, workspace.scored, held.version, missing[0], to)
    named = ("sessions", "facts", "embeddings", "intents")
    tables = {name: days.read(workspace.scored, name, Window(from_=first, to=after)) for name in named}
    return observed(**tables, intent_ids=student.intent_ids, cells=Cells.load(held.cells))


def _check_size(seen: pa.Table, reference: pa.Table, first: date, after: date) -> None:
    if min(len(seen), len(reference)) < MIN_SESSIONS:
        raise TableError(
            f"{len(seen)} sessions start from {first} to before {after}, and {len(reference)} of the champion's "
            f"reference on the same weekdays; drift needs {MIN_SESSIONS} at least: name a longer window by --from, --to"
        )


def _alarm(
    before: Mapping[date, Mapping[str, float]], rule: Alarm, day: date, findings: Sequence[Finding]
) -> list[str]:
    """The days that make an alarm, if they do, by the reports that there are and these findings."""
    furthest = {one: max(reaches.values()) for one, reaches in before.items()}
    furthest[day] = max(finding.reach for finding in findings)
    return policy.days_of_alarm(furthest, day, rule.drifted, rule.of, rule.at_once)


def _summary(
    findings: Sequence[Finding],
    alarm: Sequence[str],
    held: Champion,
    first: date,
    after: date,
    seen: pa.Table,
    n_reference: int,
) -> dict[str, object]:
    compared = f"{len(seen):,} sessions from {first} to {after - timedelta(days=1)} against {n_reference:,} of champion"
    ids = "\n".join(sorted(seen.column("session_id").to_pylist()))
    return {
        "sentence": f"{sentence(findings, alarm)}: {compared} {held.version}.",
        "drifted": any(finding.drifted for finding in findings),
        "alarm": bool(alarm),
        "window": {"from": str(first), "to": str(after)},
        "n_sessions": len(seen),
        "n_reference": n_reference,
        "versions": held.manifest.record.model_dump(include={*VERSIONS}),
        "hashes": {
            "sessions": hashlib.sha256(ids.encode()).hexdigest(),
            **{name: held.manifest.files[name] for name in (champion.REFERENCE, champion.THRESHOLDS)},
        },
        "signals": {finding.signal: asdict(finding) | {"drifted": finding.drifted} for finding in findings},
    }
