"""One sorted table out of several, in memory that does not grow with them: each is read some sessions at a time."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
import pyarrow.parquet as pq

from pipelines.schemas import SESSIONS
from pipelines.sessionize.sessions import CUT

ROW_GROUP: Final = 131_072
"""Sessions a row group of sessions.parquet. Row groups are full, whatever the buckets were: same rows, same bytes."""
_HELD: Final = 2_048
"""Sessions of each part that are in memory at once, about a megabyte. Parts are Arrow files: sixty-five readers of
Parquet held .7 GB of ten million events, whatever they were asked for at a time, and gigabytes of a hundred million."""


def write_part(sessions: Iterable[pa.Table], path: Path) -> None:
    """Writes the sessions (CUT) of a bucket, to be merged, as an Arrow file."""
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_file(path, CUT, options=options) as writer:
        for some in sessions:
            writer.write_table(some, max_chunksize=_HELD)


@dataclass(frozen=True)
class Kept:
    """A file of sessions, sorted by start and id, less those that are dropped: a part, or a former sessions.parquet."""

    path: Path
    dropped: pa.Array | None = None

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yields the sessions: of a part _HELD at a time, of the former table, of which there is one, a row group."""
        if self.path.suffix == ".parquet":
            yield from pq.ParquetFile(self.path, buffer_size=2**20).iter_batches(ROW_GROUP, columns=CUT.names)
            return
        with pa.ipc.open_file(self.path) as file:
            yield from map(file.get_batch, range(file.num_record_batches))


def merged(parts: list[Kept]) -> Iterator[pa.Table]:
    """Yields the sessions (CUT) of ``parts``, by start and id."""
    sources = [_Source(part) for part in parts]
    while sources := [source for source in sources if source.fill()]:
        until = min(source.last for source in sources)  # all that sorts up to here has been read, of every part
        heads = [head for head in (source.take(until) for source in sources) if len(head)]
        if len(heads) == 1:
            yield heads[0]
            continue
        together = pa.concat_tables(heads).combine_chunks()
        start_us, session_id = _keys(together)
        yield together.take(pa.array(np.lexsort((session_id, start_us))))


def dataset(parts: Sequence[Path]) -> pa.dataset.Dataset:
    """Returns the sessions (CUT) of ``parts``, in no order, as DuckDB reads them: the columns that a query names."""
    return pa.dataset.dataset([str(part) for part in parts], schema=CUT, format="ipc")


def write_sessions(sessions: Iterable[pa.Table], dress: Callable[[pa.Table], pa.Table], path: Path) -> int:
    """Writes schemas.SESSIONS: ``dress`` adds to a row group what the buckets did not know; returns how many."""
    n_sessions = 0
    with pq.ParquetWriter(path, SESSIONS, compression="zstd") as writer:
        for group in _grouped(sessions):
            writer.write_table(dress(group).select(SESSIONS.names).cast(SESSIONS), row_group_size=ROW_GROUP)
            n_sessions += len(group)
        if not n_sessions:
            writer.write_table(SESSIONS.empty_table())
    return n_sessions


def _grouped(sessions: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The sessions, ROW_GROUP at a time, in one chunk: the bytes of a Parquet file depend on chunks."""
    held: list[pa.Table] = []
    n_held = 0
    for some in sessions:
        held.append(some)
        n_held += len(some)
        while n_held >= ROW_GROUP:
            table = pa.concat_tables(held)
            yield table.slice(0, ROW_GROUP).combine_chunks()
            held, n_held = [table.slice(ROW_GROUP)], n_held - ROW_GROUP
    if n_held:
        yield pa.concat_tables(held).combine_chunks()


class _Source:
    """One sorted part, and what of it has been read and not yet been taken."""

    def __init__(self, part: Kept) -> None:
        self._batches = part.batches()
        self._dropped = part.dropped
        self._table = CUT.empty_table()
        self._start_us, self._session_id = _keys(self._table)

    @property
    def last(self) -> tuple[int, bytes]:
        """Start and id of the last session that has been read."""
        return int(self._start_us[-1]), bytes(self._session_id[-1])

    def fill(self) -> bool:
        """Reads on when all has been taken; returns whether there is something to take."""
        while not len(self._table):
            batch = next(self._batches, None)
            if batch is None:
                return False
            table = pa.Table.from_batches([batch]).cast(CUT)
            if self._dropped is not None:
                table = table.filter(pc.invert(pc.is_in(table.column("session_id"), value_set=self._dropped)))
            self._hold(table)
        return True

    def take(self, until: tuple[int, bytes]) -> pa.Table:
        """Returns the sessions up to start and id ``until``, included."""
        start_us, session_id = until
        first, end = (
            np.searchsorted(self._start_us, start_us, "left"),
            np.searchsorted(self._start_us, start_us, "right"),
        )
        n = first + np.searchsorted(self._session_id[first:end], session_id, "right")
        head = self._table.slice(0, n)
        self._table = self._table.slice(n)
        self._start_us, self._session_id = self._start_us[n:], self._session_id[n:]
        return head

    def _hold(self, table: pa.Table) -> None:
        self._table = table
        self._start_us, self._session_id = _keys(table)


def _keys(sessions: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """What the table is sorted by: start in microseconds and id, (N,) each."""
    ids = sessions.column("session_id").to_numpy().astype("S32")
    return sessions.column("start_ts").cast(pa.int64()).to_numpy(), ids
