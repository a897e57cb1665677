"""The tables that may hold a person, and how a table is written anew without them."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines import schemas
from pipelines.alignment import ANCHORS_FILE
from pipelines.champion import REFERENCE
from pipelines.forget.person import Person, events_of, links_of, sessions_of
from pipelines.paths import Workspace

Chosen = Callable[[pa.Table], pa.ChunkedArray]
"""Which rows of a part of a table go."""
NOT_SEARCHED: Final = {".git", ".dvc", ".venv", ".staging", "data", "champions", "node_modules"}
EXPORTED: Final = ("embeddings", "intents", "facts")


@dataclass(frozen=True)
class Removal:
    """What goes from one table.

    Attributes:
        table: its name for people.
        target: its file.
        n_gone: rows of it that go, of ``n_rows``.
        chosen: which.
    """

    table: str
    target: Path
    n_gone: int
    n_rows: int
    chosen: Chosen


def removals(workspace: Workspace, person: Person) -> list[Removal]:
    """Returns what goes from each file that holds something of ``person``, ``identity`` last.

    So that a run that was killed half way finds the person again when it is repeated.
    """
    events = [_of("events", path, lambda rows: events_of(person, rows))
              for path in sorted(workspace.events.rglob("*.parquet"))]  # fmt: skip
    exports = list(_exports(workspace))
    sessions = [_of(_name(workspace, path), path, lambda rows: sessions_of(person, rows))
                for path in (workspace.sessions, *exports) if path.exists()]  # fmt: skip
    gone = pa.array(sorted({key for one in sessions for key in _ids(one)}), pa.string())
    by_session = [
        _of(_name(workspace, path), path, lambda rows: pc.is_in(rows.column("session_id"), gone))
        for path in _by_session(workspace, exports)
        if path.exists()
    ]
    if workspace.replaced_sessions.exists():
        by_session.append(_of("replaced_sessions", workspace.replaced_sessions, lambda rows: pc.or_(
            pc.is_in(rows.column("session_id"), gone), pc.is_in(rows.column("replaced_by"), gone))))  # fmt: skip
    identity = [_of("identity", workspace.identity, lambda rows: links_of(person, rows))
                for _ in range(workspace.identity.exists())]  # fmt: skip
    return [*events, *by_session, *sessions, *identity]


def gone_sessions(found: list[Removal]) -> set[str]:
    """Returns the ids of the sessions that go."""
    return {key for one in found if one.target.name == "sessions.parquet" for key in _ids(one)}


def rewrite(one: Removal, destination: Path) -> None:
    """Writes the table at ``destination`` without the rows that go; row groups stay as they were, less these rows."""
    with (
        pq.ParquetFile(one.target) as file,
        pq.ParquetWriter(destination, file.schema_arrow, compression="zstd") as writer,
    ):
        for rows in _groups(file):
            kept = rows.filter(pc.invert(one.chosen(rows)))
            if len(kept):
                writer.write_table(kept)


def _of(table: str, path: Path, chosen: Chosen) -> Removal:
    with pq.ParquetFile(path) as file:
        n_gone = sum(pc.sum(chosen(rows)).as_py() or 0 for rows in _groups(file))
        return Removal(table, path, n_gone, file.metadata.num_rows, chosen)


def _ids(one: Removal) -> list[str]:
    if not one.n_gone:
        return []
    with pq.ParquetFile(one.target) as file:
        return [key for rows in _groups(file) for key in rows.filter(one.chosen(rows)).column("session_id").to_pylist()]


def _groups(file: pq.ParquetFile) -> Iterator[pa.Table]:
    for position in range(file.num_row_groups):
        yield file.read_row_group(position)


def _by_session(workspace: Workspace, exports: list[Path]) -> Iterator[Path]:
    yield from (workspace.embeddings, workspace.intents, workspace.labels, workspace.second_labels)
    for export in exports:
        yield from (export.with_name(f"{name}.parquet") for name in EXPORTED)
    for name in (REFERENCE, ANCHORS_FILE):
        yield from sorted(workspace.champions.glob(f"*/{name}"))


def _exports(workspace: Workspace) -> Iterator[Path]:
    """Every table of sessions under the root but the one of ``sessionize``: what ``score`` and ``monitor`` wrote."""
    for folder, names, files in os.walk(workspace.root):
        names[:] = sorted(name for name in names if name not in NOT_SEARCHED)
        path = Path(folder) / "sessions.parquet"
        is_other = path.name in files and path != workspace.sessions
        if is_other and {*schemas.SESSIONS.names} <= {*pq.read_schema(path).names}:
            yield path


def _name(workspace: Workspace, path: Path) -> str:
    if path.parent in (workspace.artifacts, workspace.taxonomy):
        return path.stem
    return path.relative_to(workspace.root).with_suffix("").as_posix()
