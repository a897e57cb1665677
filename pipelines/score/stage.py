"""score: raw events -> sessions.parquet, embeddings.parquet, intents.parquet by the champion.

The events pass the very ingest and sessionize that training used (the one place where a command calls stages), with the
champion's params. A window knows no login from before it: `customer_id` is what the events that were read show.
"""

import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines import champion, schemas
from pipelines.champion import Champion
from pipelines.encoder.runtime import Runtime
from pipelines.ingest.stage import run as ingest
from pipelines.params import Params, Window
from pipelines.paths import Workspace
from pipelines.score import window
from pipelines.sessionize.stage import run as sessionize
from pipelines.student import Student
from pipelines.tables import read_table, write_table


@dataclass(frozen=True)
class Scored:
    """The tables of a window, row i of each about the same session."""

    sessions: pa.Table
    embeddings: pa.Table
    intents: pa.Table


def run(
    workspace: Workspace,
    params: Params,
    input: Path | None,  # noqa: A002
    output: Path,
    version: str | None,
    from_: date | None,
    to: date | None,
) -> None:
    """Writes the tables of the sessions that start in the window; each replaces its predecessor at once, at the end.

    Raises:
        ChampionError: there is no champion, or no such version.
        ParamsError: the window holds no day.
        SourceError: the input cannot be found or mapped, or holds no event of the window.
    """
    del params  # the champion's own hold here
    held, asked = champion.current(workspace, version), window.asked(from_, to)
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".score-", dir=output) as scratch:
        scored = score(held, workspace, input, asked, Path(scratch))
        written = {name: Path(scratch) / f"{name}.parquet" for name in ("sessions", "embeddings", "intents")}
        for name, path in written.items():
            write_table(getattr(scored, name), path, getattr(schemas, name.upper()))
        for path in written.values():
            path.replace(output / path.name)
    n_abstained = pc.sum(scored.intents.column("abstained")).as_py() or 0
    print(f"score: {len(scored.sessions):,} sessions by champion {held.version}, {n_abstained:,} without an intent")


def score(held: Champion, workspace: Workspace, given: Path | None, asked: Window, scratch: Path) -> Scored:
    """Returns the tables of the sessions that start in ``asked``.

    Args:
        held: the champion, whose params hold.
        workspace: where the raw events lie.
        given: raw events to read instead of those of the champion's sources.
        asked: bounds that are days, or open.
        scratch: an empty folder.
    """
    private = Workspace(scratch / "workspace")
    private.root.mkdir()
    private.data.symlink_to(workspace.data.absolute())  # the demo bank is recognised there
    private.forgotten.symlink_to(workspace.forgotten.absolute())
    block = held.params.ingest.model_copy(
        update={
            "sources": window.sources(held.params.ingest.sources, workspace.root.absolute(), given),
            "window": window.reading(asked, held.params.sessionize.max_duration_seconds),
        }
    )
    ingest(private, block, held.params.seed)
    sessionize(private, held.params.sessionize, held.params.seed)
    sessions = window.starting_in(read_table(private.sessions, schemas.SESSIONS), asked)
    return Scored(sessions, *_named(held, sessions, read_table(private.pages, schemas.PAGES)))


def _named(held: Champion, sessions: pa.Table, pages: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The embeddings and intents of ``sessions``, by the champion's knowledge of every page that it knows."""
    encoder, student = Runtime.load(held.encoder_folder), Student.load(held.student_folder)
    embeddings = encoder.embed(sessions, window.catalogue(read_table(held.pages, schemas.PAGES), pages))
    probabilities = student.probabilities(embeddings)
    intents, abstained = student.decide(probabilities)
    session_id = sessions.column("session_id")
    versions = {
        "encoder_version": encoder.version,
        "taxonomy_version": student.taxonomy_version,
        "student_version": student.version,
    }
    repeated = {name: pa.repeat(version, len(sessions)) for name, version in versions.items()}
    embedded = {"embedding": _lists(embeddings), "encoder_version": repeated["encoder_version"]}
    named = {
        "intents": pa.array(intents, schemas.INTENTS.field("intents").type),
        "probabilities": _lists(probabilities),
        "abstained": pa.array(abstained),
    }
    return pa.table({"session_id": session_id, **embedded}), pa.table({"session_id": session_id, **named, **repeated})


def _lists(rows: np.ndarray) -> pa.Array:
    """One list a row of ``rows`` (N, K)."""
    return pa.ListArray.from_arrays(np.arange(len(rows) + 1, dtype=np.int32) * rows.shape[1], rows.ravel())
