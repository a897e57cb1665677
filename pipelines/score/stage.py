"""score: raw events -> day=DATE/{sessions,embeddings,intents}.parquet and lineage.json, by the champion.

The events pass the very ingest and sessionize that training used (the one place where a command calls stages), with the
champion's params. A window knows no login from before it: `customer_id` is what the events that were read show.

Memory does not grow with the input: ingest and sessionize keep to theirs, and of the sessions some thousands are held
at a time. A run that was killed goes on where it was: what it had cut into sessions is kept in the output's .score/,
and a day that was scored from the same sessions by the same champion is not scored again.
"""

import hashlib
import json
import shutil
from datetime import date
from pathlib import Path

from pipelines import champion
from pipelines.champion import Champion
from pipelines.claim import claimed
from pipelines.ingest import gather
from pipelines.ingest.stage import run as ingest
from pipelines.params import Ingest, Params, Window
from pipelines.paths import Workspace
from pipelines.score import days, window
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
    cut = Workspace(output.absolute() / ".score" / _key(held, workspace, block))
    with claimed(output / ".score" / "lock", "scores into this folder"):
        if not cut.sessions.exists():
            _cut(held, workspace, block, cut)
        written = days.write(cut.sessions, Scorer.of(held, cut.pages), asked, output)
        shutil.rmtree(output / ".score")
    n_new = sum(day.fresh for day in written)
    n_sessions, n_abstained = (sum(getattr(day, name) for day in written) for name in ("n_sessions", "n_abstained"))
    print(
        f"score: {n_sessions:,} sessions on {len(written)} days ({n_new} of them new) by champion {held.version}, "
        f"{n_abstained:,} without an intent"
    )


def _block(held: Champion, workspace: Workspace, given: Path | None, asked: Window) -> Ingest:
    """The champion's own params of ingest, for this input and window."""
    return held.params.ingest.model_copy(
        update={
            "sources": window.sources(held.params.ingest.sources, workspace.root.absolute(), given),
            "window": window.reading(asked, held.params.sessionize.max_duration_seconds),
        }
    )


def _key(held: Champion, workspace: Workspace, block: Ingest) -> str:
    """Names what is cut into sessions: the same files, as far as size and time tell, under the same rules."""
    found = [(str(file.path), file.path.stat()) for file in gather.find(workspace.root, block.sources)]
    files = [(path, status.st_size, status.st_mtime_ns) for path, status in found]
    forgotten = workspace.forgotten.read_text("utf-8") if workspace.forgotten.exists() else ""
    described = [held.version, block.model_dump(mode="json"), files, forgotten]
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
