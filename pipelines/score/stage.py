"""score: raw events -> day=DATE/{sessions,facts,embeddings,intents}.parquet and lineage.json, by the champion.

The events pass the very ingest and sessionize that training used (the one place where a command calls stages), with the
champion's params. A window knows no login from before it: `customer_id` is what the events that were read show.

Memory does not grow with the input: ingest and sessionize keep to theirs, and of the sessions some thousands are held
at a time. A run that was killed goes on where it was: what it had cut into sessions is kept in the output's .score/,
and a day that was scored from the same sessions by the same champion is not scored again.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from pipelines import champion
from pipelines.champion import Champion
from pipelines.claim import claimed
from pipelines.ingest import gather
from pipelines.ingest.stage import run as ingest
from pipelines.params import Ingest, Params, Window
from pipelines.paths import Workspace
from pipelines.score import days, inputs, window
from pipelines.score.scorer import Scorer
from pipelines.sessionize.stage import run as sessionize


def run(
    workspace: Workspace,
    params: Params,
    input: Path | None,  # noqa: A002
    output: Path,
    version: str | None,
    from_: date | None,
    to: date | None,
) -> None:
    """Writes the tables of the sessions that start in the window, a folder a day; each is complete or absent.

    Raises:
        ChampionError: there is no champion, or no such version.
        ParamsError: the window holds no day.
        SourceError: the input cannot be found or mapped, or holds no event of the window.
        BusyError: another process scores into the same folder.
    """
    del params  # the champion's own hold here
    held, asked = champion.current(workspace, version), window.asked(from_, to)
    block = _block(held, workspace, input, asked)
    read = inputs.listed(_files(workspace, block))
    cut = Workspace(output.absolute() / ".score" / _key(held, workspace, block, read))
    with claimed(output / ".score" / "lock", "scores into this folder"):
        if not cut.sessions.exists():
            _cut(held, workspace, block, cut)
        written = days.write(cut, Scorer.of(held, cut.pages), asked, output, read)
        shutil.rmtree(output / ".score")
    n_new = sum(day.fresh for day in written)
    n_sessions, n_abstained = (sum(getattr(day, name) for day in written) for name in ("n_sessions", "n_abstained"))
    print(
        f"score: {n_sessions:,} sessions on {len(written)} days ({n_new} of them new) by champion {held.version}, "
        f"{n_abstained:,} without an intent"
    )


def missing(workspace: Workspace, held: Champion, output: Path, from_: date, to: date) -> list[date]:
    """Returns the days from ``from_`` to before ``to`` that ``output`` lacks or that are to be scored again.

    A day is, where another champion scored it, or where a file that was read for it changed or is gone. Files that came
    since are not looked at: what arrives late joins a day that is scored again, and makes none so.
    """
    files = _files(workspace, _block(held, workspace, None, Window(from_=from_, to=to)))
    asked = [from_ + timedelta(days=n) for n in range((to - from_).days)]
    return [day for day in asked if not days.holds(output, day, held.version, files)]


def _block(held: Champion, workspace: Workspace, given: Path | None, asked: Window) -> Ingest:
    """The champion's own params of ingest, for this input and window."""
    return held.params.ingest.model_copy(
        update={
            "sources": window.sources(held.params.ingest.sources, workspace.root.absolute(), given),
            "window": window.reading(asked, held.params.sessionize.max_duration_seconds),
        }
    )


def _files(workspace: Workspace, block: Ingest) -> list[Path]:
    return [file.path for file in gather.find(workspace.root, block.sources)]


def _key(held: Champion, workspace: Workspace, block: Ingest, read: Mapping[str, Any]) -> str:
    """Names what is cut into sessions: the same files, under the same rules."""
    forgotten = workspace.forgotten.read_text("utf-8") if workspace.forgotten.exists() else ""
    described = [held.version, block.model_dump(mode="json"), dict(read), forgotten]
    return hashlib.sha256(json.dumps(described).encode()).hexdigest()[:16]


def _cut(held: Champion, workspace: Workspace, block: Ingest, cut: Workspace) -> None:
    """Makes the sessions of the window in ``cut``, in place of what a run over other files left there."""
    for former in cut.root.parent.glob("*/"):
        shutil.rmtree(former)
    cut.root.mkdir()
    cut.data.symlink_to(workspace.data.absolute())  # the demo bank is recognised there
    cut.forgotten.symlink_to(workspace.forgotten.absolute())
    ingest(cut, block, held.params.seed)
    sessionize(cut, held.params.sessionize, held.params.seed)
