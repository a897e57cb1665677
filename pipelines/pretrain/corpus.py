"""The sessions as tokens in files that are mapped into memory: made once for the same tables and fields, read in parts.

Nothing here holds all events: sessions.parquet is read some sessions at a time, once to count values and once to write
tokens, and training maps the file, so the corpus may be larger than memory.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import pipelines.encoder
from pipelines import schemas
from pipelines.encoder import arrays
from pipelines.encoder.arrays import SessionArrays
from pipelines.encoder.fields import Counted, Field, Flat, fields_from
from pipelines.encoder.text import page_texts
from pipelines.encoder.text_table import TextTable
from pipelines.errors import ParamsError, TableError
from pipelines.params import Pretrain
from pipelines.paths import Workspace
from pipelines.tables import check_table, read_table

SESSIONS_A_READ: Final = 65_536
_NEAR_US: Final = 7 * 86_400_000_000
_READ: Final = ("channel", "events", "split")


@dataclass(frozen=True)
class Corpus:
    """All sessions of the table, in its order."""

    fields: tuple[Field, ...]
    arrays: SessionArrays
    text_table: TextTable
    split: np.ndarray  # (N,) int8: a place in schemas.SPLITS
    near: np.ndarray  # (N,) int64: the visitor's next session on this channel, in a week at most, both of the training
    # part; -1 where there is none

    def rows(self, part: str) -> np.ndarray:
        """Returns the row numbers of the sessions of one part of the split."""
        return np.flatnonzero(self.split == schemas.SPLITS.index(part))


def tokenised(workspace: Workspace, params: Pretrain) -> Corpus:
    """Returns the corpus of the workspace's sessions and pages, made now or before.

    Raises:
        TableError: sessions or pages are missing, or no session is in the training part.
        ParamsError: `pretrain.fields` names a column that session events lack, or the text model is not on disk.
    """
    check_table(workspace.sessions, schemas.SESSIONS)
    pages = read_table(workspace.pages, schemas.PAGES)
    folder = workspace.cache / "tokens" / key(workspace, params)
    if not folder.exists():
        shutil.rmtree(folder.parent, ignore_errors=True)  # of other tables or fields: nobody reads them again
        unfinished = folder.with_name("unfinished")
        unfinished.mkdir(parents=True)
        _write(unfinished, workspace.sessions, pages, params)
        unfinished.replace(folder)
    return _opened(folder, pages)


def key(workspace: Workspace, params: Pretrain) -> str:
    """Returns a hash of all that decides the tokens, the code among it."""
    chosen = params.model_dump_json(include={"fields", "max_events", "max_tokens", "text_model"})
    digest = hashlib.sha256(chosen.encode())
    for table in (workspace.sessions, workspace.pages):
        with table.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    package = Path(pipelines.encoder.__path__[0])
    for module in (*(package / f"{name}.py" for name in ("fields", "arrays", "text", "sentences")), Path(__file__)):
        digest.update(module.read_bytes())
    return digest.hexdigest()[:16]


def _write(folder: Path, sessions: Path, pages: pa.Table, params: Pretrain) -> None:
    table = TextTable.of(page_texts(pages), params.text_model)
    fields, n_events, n_sessions = _counted(sessions, params)
    width = sum(one.width for one in fields)
    tokens = np.lib.format.open_memmap(folder / "tokens.npy", "w+", np.int32, (n_events, width))
    offsets, split = np.zeros(n_sessions + 1, np.int64), np.zeros(n_sessions, np.int8)
    places, row = arrays.page_places(pages), 0
    for some in _batches(sessions, _READ):
        found, ends = arrays.cut_tokens(Flat.of(some), fields, places, params.max_events)
        until, start = row + len(some), offsets[row]
        tokens[start : start + len(found)] = found
        offsets[row : until + 1] = start + ends
        split[row:until] = pc.index_in(some.column("split"), pa.array(schemas.SPLITS)).to_numpy()
        row = until
    tokens.flush()
    near = _near(sessions, split == schemas.SPLITS.index("train"))
    for name, array in (("offsets", offsets), ("split", split), ("near", near), ("vectors", table.vectors)):
        np.save(folder / f"{name}.npy", array)
    written = {"fields": [asdict(one) for one in fields], "texts": table.texts}
    (folder / "meta.json").write_text(json.dumps(written))


def _counted(sessions: Path, params: Pretrain) -> tuple[tuple[Field, ...], int, int]:
    """The fields with their vocabularies; how many events are kept, and how many sessions there are."""
    asked = [Field(name, one.kind, one.column) for name, one in params.fields.items()]
    counted, n_events, n_sessions, n_train = Counted(asked), 0, 0, 0
    for some in _batches(sessions, _READ):
        train = some.filter(pc.equal(some.column("split"), "train"))
        events = Flat.of(train)
        for one in asked:
            if one.column not in events.columns:
                columns = ", ".join(sorted(events.columns))
                raise ParamsError(f"pretrain.fields.{one.name}.column: session events have {columns}; name one of them")
        counted.add(events)
        lengths = pc.list_value_length(some.column("events")).to_numpy()
        n_events += int(np.minimum(lengths, params.max_events).sum())
        n_sessions, n_train = n_sessions + len(some), n_train + len(train)
    if not n_train:
        raise TableError("sessions.parquet: no session is in the training part; move the dates of sessionize.split")
    return counted.fitted(params.max_tokens), n_events, n_sessions


def _near(sessions: Path, in_train: np.ndarray) -> np.ndarray:
    """The visitor's next session, by channel and time: Corpus.near."""
    whole = pq.read_table(sessions, columns=["visitor_id", "channel", "start_ts"])
    coded = [whole.column(name).combine_chunks().dictionary_encode().indices for name in ("channel", "visitor_id")]
    starts_us = whole.column("start_ts").cast(pa.int64()).to_numpy()
    channel, visitor = (codes.to_numpy() for codes in coded)
    order = np.lexsort((starts_us, channel, visitor))
    first, second = order[:-1], order[1:]
    same = (visitor[first] == visitor[second]) & (channel[first] == channel[second])
    close = starts_us[second] - starts_us[first] <= _NEAR_US
    near = np.full(len(order), -1, np.int64)
    chosen = same & close & in_train[first] & in_train[second]
    near[first[chosen]] = second[chosen]
    return near


def _batches(sessions: Path, columns: tuple[str, ...]) -> Iterator[pa.Table]:
    for batch in pq.ParquetFile(sessions).iter_batches(SESSIONS_A_READ, columns=list(columns)):
        yield pa.Table.from_batches([batch])


def _opened(folder: Path, pages: pa.Table) -> Corpus:
    meta = json.loads((folder / "meta.json").read_text())
    fields = fields_from(meta["fields"])
    offsets, split, near, vectors = (
        np.load(folder / f"{name}.npy") for name in ("offsets", "split", "near", "vectors")
    )
    tokens = np.asarray(np.load(folder / "tokens.npy", mmap_mode="r"))
    table = TextTable(tuple(meta["texts"]), vectors)
    inputs = SessionArrays(tokens, offsets, table.rows(page_texts(pages)), arrays.text_column(fields))
    return Corpus(fields, inputs, table, split, near)
