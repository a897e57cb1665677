"""monitor: a window of raw events -> reports/drift/DATE.{html,json} (DATE is its last day), reports/index.html."""

from datetime import date, timedelta
from typing import Final

import pyarrow as pa

from pipelines import champion
from pipelines.champion import Champion, write_json
from pipelines.errors import TableError
from pipelines.monitor import pages, window
from pipelines.monitor.report import Drift, compare, headed
from pipelines.params import Params, Window
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
    observed = _observed(workspace, params, held, first, after)
    reference = window.like(read_table(held.reference, champion.REFERENCE), first, after)
    _check_size(observed, reference, first, after)
    last = after - timedelta(days=1)
    drift = compare(observed, reference, last, params.monitor, params.seed)
    found = _summary(drift, held, first, after, len(observed), len(reference))
    sentence = str(found["sentence"])
    with staged(workspace, "monitor") as staging:
        staging.path(workspace.drift / f"{last}.html").write_text(headed(drift.page, sentence), encoding="utf-8")
        write_json(staging.path(workspace.drift / f"{last}.json"), found)
        sentences = pages.sentences(workspace.drift) | {str(last): sentence}
        staging.path(workspace.index).write_text(pages.index(workspace.reports, sentences), encoding="utf-8")
    print(f"monitor: {sentence}\nmonitor: {workspace.drift / f'{last}.html'}")


def _observed(workspace: Workspace, params: Params, held: Champion, first: date, after: date) -> pa.Table:
    """The window's sessions as champion.REFERENCE; their tables stay beside it, for whoever looks into a drift."""
    output = workspace.scored / str(after - timedelta(days=1))
    score.run(workspace, params, input=None, output=output, version=held.version, from_=first, to=after)
    sessions, embeddings, intents = (
        days.read(output, name, Window(from_=first, to=after)) for name in ("sessions", "embeddings", "intents")
    )
    return champion.observations(sessions, embeddings, intents, Student.load(held.student_folder).intent_ids)


def _check_size(observed: pa.Table, reference: pa.Table, first: date, after: date) -> None:
    if min(len(observed), len(reference)) < MIN_SESSIONS:
        raise TableError(
            f"{len(observed)} sessions start from {first} to before {after}, and {len(reference)} of the champion's "
            f"reference on the same weekdays; drift needs {MIN_SESSIONS} at least: name a longer window by --from, --to"
        )


def _summary(
    drift: Drift, held: Champion, first: date, after: date, n_sessions: int, n_reference: int
) -> dict[str, object]:
    sentence = f"{drift.sentence[:-1]}: {n_sessions:,} sessions from {first} to {after - timedelta(days=1)} against "
    return {
        "sentence": f"{sentence}{n_reference:,} of champion {held.version}.",
        "window": {"from": str(first), "to": str(after)},
        "n_sessions": n_sessions,
        "n_reference": n_reference,
        "versions": held.manifest.record.model_dump(include={*VERSIONS}),
        "signals": drift.values(),
    }
