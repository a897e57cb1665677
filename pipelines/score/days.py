"""The output of ``score``: day=DATE/ with the tables of the sessions that start on that UTC day, and lineage.json.

A day's folder is moved to its place whole. One whose sessions, facts, catalogue and champion are those of its lineage
stays.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from tqdm import tqdm

from pipelines import schemas
from pipelines.drift.facts import facts
from pipelines.params import Window
from pipelines.paths import Workspace
from pipelines.score import inputs, window
from pipelines.score.scorer import TABLES, Scorer
from pipelines.tables import check_table, read_table

ROWS: Final = 8_192
"""Sessions in memory, and in a row group: full ones, so that the bytes of a day do not depend on the window."""
LINEAGE: Final = "lineage.json"


@dataclass(frozen=True)
class Day:
    """What became of a day; ``fresh``: it was scored now."""

    day: date
    n_sessions: int
    n_abstained: int
    fresh: bool


def write(cut: Workspace, scorer: Scorer, asked: Window, output: Path, read: Mapping[str, Any]) -> list[Day]:
    """Writes the days of the sessions of ``cut`` (schemas.SESSIONS, by start) that ``asked`` holds.

    A day between bounds that ``asked`` names, and without a session now, is removed from ``output``.

    Args:
        cut: with sessions and the events that they were cut from.
        scorer: by whom.
        asked: the window.
        output: the folder of the days.
        read: inputs.listed of the raw files, kept in the lineage of the days that are written now.
    """
    scratch = output / ".score" / "day"
    by_day = groupby(_chunks(cut.sessions, asked), key=lambda chunk: chunk[0])
    catalogue = _catalogue(scorer.pages)
    written = []
    for day, chunks in tqdm(by_day, desc="score", unit=" days", disable=None):
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        _write_sessions((table for _, table in chunks), cut.events, scratch)
        made_of = {"champion_version": scorer.held.version, **_hashes(scratch), "catalogue": catalogue}
        written.append(_write_day(day, made_of, read, scorer, scratch, output / f"day={day}"))
    if asked.from_ and asked.to:
        with_sessions = {one.day for one in written}
        for day in found(output):
            if asked.from_ <= day < asked.to and day not in with_sessions:
                shutil.rmtree(output / f"day={day}")
    return written


def found(output: Path) -> list[date]:
    """Returns the days that are complete in ``output``, in order."""
    return sorted(date.fromisoformat(file.parent.name[4:]) for file in output.glob(f"day=*/{LINEAGE}"))


def read(output: Path, name: str, asked: Window) -> pa.Table:
    """Returns the scored table ``name`` (one of TABLES) of the days that ``asked`` holds.

    Raises:
        TableError: a table is not as ``score`` writes it.
    """
    schema = TABLES[name]
    days = [
        day for day in found(output) if (not asked.from_ or day >= asked.from_) and (not asked.to or day < asked.to)
    ]
    tables = [read_table(output / f"day={day}" / f"{name}.parquet", schema) for day in days]
    return pa.concat_tables(tables) if tables else schema.empty_table()


def holds(output: Path, day: date, version: str, files: Sequence[Path]) -> bool:
    """Whether ``output`` holds the ``day``, scored by the champion ``version`` from ``files`` that did not change."""
    lineage = output / f"day={day}" / LINEAGE
    if not lineage.exists():
        return False
    known: dict[str, Any] = json.loads(lineage.read_text("utf-8"))
    return known["made_of"]["champion_version"] == version and inputs.unchanged(known["read"], files)


def _write_day(
    day: date, made_of: dict[str, str], read: Mapping[str, Any], scorer: Scorer, scratch: Path, target: Path
) -> Day:
    """Scores the sessions in ``scratch`` and moves it to ``target``, unless that was made of the same."""
    lineage = target / LINEAGE
    if lineage.exists():
        known: dict[str, Any] = json.loads(lineage.read_text("utf-8"))
        if known["made_of"] == made_of and known["files"] == _hashes(target):
            return Day(day, known["n_sessions"], known["n_abstained"], fresh=False)
    counts = _score(scorer, scratch)
    record = scorer.held.manifest.record.model_dump(exclude={"version"})
    described = {
        "day": str(day),
        **counts,
        "made_of": made_of,
        "read": read,
        "champion": record,
        "files": _hashes(scratch),
    }
    (scratch / LINEAGE).write_text(json.dumps(described, indent=1) + "\n", "utf-8")
    if target.exists():
        target.rename(scratch.with_name("replaced"))
    scratch.rename(target)
    shutil.rmtree(scratch.with_name("replaced"), ignore_errors=True)
    return Day(day, **counts, fresh=True)


def _score(scorer: Scorer, folder: Path) -> dict[str, int]:
    """Writes what the champion makes of sessions.parquet beside it, a row group at a time."""
    n_sessions = n_abstained = 0
    with (
        pq.ParquetFile(folder / "sessions.parquet") as sessions,
        pq.ParquetWriter(folder / "embeddings.parquet", TABLES["embeddings"], compression="zstd") as embeddings,
        pq.ParquetWriter(folder / "intents.parquet", TABLES["intents"], compression="zstd") as intents,
    ):
        for group in range(sessions.num_row_groups):
            tables = scorer.score(sessions.read_row_group(group))
            embeddings.write_table(tables["embeddings"])
            intents.write_table(tables["intents"])
            n_sessions += len(tables["intents"])
            n_abstained += pc.sum(tables["intents"].column("abstained")).as_py()
    return {"n_sessions": n_sessions, "n_abstained": n_abstained}


def _write_sessions(chunks: Iterable[pa.Table], events: Path, folder: Path) -> None:
    """Writes the sessions and their facts, which no champion made."""
    with (
        pq.ParquetWriter(folder / "sessions.parquet", schemas.SESSIONS, compression="zstd") as sessions,
        pq.ParquetWriter(folder / "facts.parquet", schemas.FACTS, compression="zstd") as seen,
    ):
        for chunk in chunks:
            sessions.write_table(chunk)
            seen.write_table(facts(events, chunk))


def _chunks(path: Path, asked: Window) -> Iterator[tuple[date, pa.Table]]:
    """The sessions that start in ``asked``, by day: full chunks of ROWS, and what is left of the day."""
    held, day = schemas.SESSIONS.empty_table(), date.min
    for part_day, part in _by_day(path, asked):
        if part_day != day and len(held):
            yield day, held
            held = held.slice(len(held))
        day, held = part_day, pa.concat_tables([held, part])
        while len(held) >= ROWS:
            yield day, held.slice(0, ROWS).combine_chunks()
            held = held.slice(ROWS)
        held = held.combine_chunks()
    if len(held):
        yield day, held


def _by_day(path: Path, asked: Window) -> Iterator[tuple[date, pa.Table]]:
    """The sessions, which are in order of their start, in runs of one day each."""
    check_table(path, schemas.SESSIONS)
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(ROWS, columns=schemas.SESSIONS.names):
            sessions = window.starting_in(pa.Table.from_batches([batch]).cast(schemas.SESSIONS), asked)
            days = pc.cast(sessions.column("start_ts"), pa.timestamp("us")).cast(pa.date32(), safe=False)
            for day in pc.unique(days).sort().to_pylist():
                yield day, sessions.filter(pc.equal(days, pa.scalar(day, pa.date32())))


def _catalogue(pages: pa.Table) -> str:
    texts = json.dumps(pages.select(["page", "channel", "title", "text"]).to_pylist(), ensure_ascii=False)
    return hashlib.sha256(texts.encode()).hexdigest()


def _hashes(folder: Path) -> dict[str, str]:
    return {name: _hash(folder / f"{name}.parquet") for name in TABLES if (folder / f"{name}.parquet").exists()}


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
