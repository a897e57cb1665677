"""Sessions as flat integer arrays, in memory or mapped from a file: what the encoder reads, no Python object a session.

Axis legend: N sessions, E events of all sessions, B sessions of a batch, T events of its longest, K distinct events in
it, C token columns, P pages of the catalogue, U pages in a batch.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.cores import n_cores
from pipelines.encoder.fields import NOTHING, Field, Flat, columns_of, tokens_of


class PaddedBatch(NamedTuple):
    """Sessions side by side, padded on the right with zeros."""

    tokens: np.ndarray  # (B, T, C) int64; a text is a row of `texts`
    lengths: np.ndarray  # (B,) int64, each >= 1
    texts: np.ndarray  # (U + 1, text_dim) float32: of the pages in the batch; row 0, of events without one, is zero


class DistinctBatch(NamedTuple):
    """Sessions side by side, each event that is the same as another written once: what is read of it is read once."""

    events: np.ndarray  # (K, C) int64, the tokens of each distinct event; a text is a row of `texts`
    places: np.ndarray  # (B, T) int64, which of them each event is; padding on the right is any of them
    lengths: np.ndarray  # (B,) int64, each >= 1
    texts: np.ndarray  # (U + 1, text_dim) float32, as in PaddedBatch


@dataclass(frozen=True)
class SessionArrays:
    """N sessions, cut to their last ``max_events`` events, as one flat token array."""

    tokens: np.ndarray  # (E, C) int32
    offsets: np.ndarray  # (N + 1,) int64
    texts: np.ndarray  # (P + 1, text_dim) float32: text vectors of the catalogue behind a row of zeros
    text_column: int | None  # of the tokens; None where the encoder reads no texts

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.offsets)

    def part(self, rows: np.ndarray) -> "SessionArrays":
        """Returns the sessions ``rows`` (B,) as arrays of their own."""
        lengths = self.lengths[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        places = np.arange(offsets[-1]) + np.repeat(self.offsets[rows] - offsets[:-1], lengths)
        return replace(self, tokens=self.tokens[places], offsets=offsets)

    def batch(self, rows: np.ndarray) -> PaddedBatch:
        """Returns the sessions ``rows`` (B,), padded to the longest of them."""
        inside, positions, lengths = self._places(rows)
        tokens = np.where(inside[:, :, None], self.tokens[positions], NOTHING).astype(np.int64)
        return PaddedBatch(tokens, lengths, self._with_own_texts(tokens))

    def distinct(self, rows: np.ndarray) -> DistinctBatch:
        """Returns the sessions ``rows`` (B,), padded to the longest of them, each distinct event once."""
        inside, positions, lengths = self._places(rows)
        first, inverse = distinct_rows(self.tokens[positions[inside]])
        places = np.zeros(inside.shape, np.int64)
        places[inside] = inverse
        events = self.tokens[positions[inside][first]].astype(np.int64)
        return DistinctBatch(events, places, lengths, self._with_own_texts(events))

    def batches(self, batch_size: int) -> Iterator[np.ndarray]:
        """Yields the rows of batches of similar length, shortest first: little padding."""
        by_length = np.argsort(self.lengths, kind="stable")
        yield from (by_length[start : start + batch_size] for start in range(0, len(self), batch_size))

    def embedded(self, embed: Callable[[np.ndarray], np.ndarray], batch_size: int, width: int) -> np.ndarray:
        """Returns what ``embed`` makes of the rows (B,) of each batch, (B, D), in the order of the sessions.

        Batches are shared out among the cores. Threads within an operation would wait for each other longer than they
        work: events are few, and their vectors short.

        Returns:
            float32, (N, ``width``).
        """
        embeddings = np.empty((len(self), width), dtype=np.float32)

        def fill(rows: np.ndarray) -> None:
            embeddings[rows] = embed(rows)

        batches = list(self.batches(batch_size))
        if len(batches) < 2:  # for one session, waking a thread would cost as much as embedding it
            for rows in batches:
                fill(rows)
            return embeddings
        with ThreadPoolExecutor(min(n_cores(), len(batches))) as pool:
            try:
                deque(pool.map(fill, batches), maxlen=0)
            finally:
                pool.shutdown(cancel_futures=True)  # what failed, or was interrupted, is not finished first
        return embeddings

    def _places(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Which steps are events and where their tokens lie, (B, T) each, and how many events each session has."""
        starts, lengths = self.offsets[rows], self.offsets[rows + 1] - self.offsets[rows]
        steps = np.arange(lengths.max())
        inside = steps < lengths[:, None]
        return inside, np.where(inside, starts[:, None] + steps, starts[:, None]), lengths

    def _with_own_texts(self, tokens: np.ndarray) -> np.ndarray:
        """Names the texts in ``tokens`` (..., C), in place, by their rows in those returned: theirs alone."""
        if self.text_column is None:
            return self.texts[:1]
        pages, local = np.unique(tokens[..., self.text_column], return_inverse=True)
        shift = int(pages[0] != NOTHING)  # the row of zeros is there in any case
        tokens[..., self.text_column] = local.reshape(tokens.shape[:-1]) + shift
        return np.asarray(self.texts[np.append(np.zeros(shift, pages.dtype), pages)])


_FACTORS: Final = np.random.default_rng(0).integers(1, 2**62, 4096) * 2 + 1
"""Odd numbers that a row is hashed by."""


def distinct_rows(tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the first place of each distinct row of ``tokens`` (E, C), (K,), and which of them each row is, (E,).

    Rows are told apart by a hash, and compared whole: where two collide, they are sorted instead.
    """
    hashes = tokens.astype(np.int64) @ _FACTORS[: tokens.shape[1]]  # overflow wraps around
    _, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    if not np.array_equal(tokens[first][inverse], tokens):
        _, first, inverse = np.unique(tokens, axis=0, return_index=True, return_inverse=True)
    return first, inverse.reshape(-1)


def page_keys(pages: pa.Table) -> list[str]:
    """Returns the key of each page of the catalogue: a web page and an app screen of one name are two pages."""
    keys: list[str] = pc.binary_join_element_wise(pages.column("channel"), pages.column("page"), "|").to_pylist()
    return keys


def page_places(pages: pa.Table) -> dict[str, int]:
    """Returns by key the row of each page's text vector, from 1 on: row 0 is that of no page."""
    return {key: row for row, key in enumerate(page_keys(pages), start=1)}


def session_arrays(
    sessions: pa.Table, fields: Sequence[Field], places: Mapping[str, int], texts: np.ndarray, max_events: int
) -> SessionArrays:
    """Returns ``sessions`` (schemas.SESSIONS) as tokens.

    Args:
        sessions: N of them, in the order that is kept.
        fields: those that the encoder reads.
        places: of the P pages (page_places).
        texts: their text vectors behind a row of zeros, (P + 1, text_dim).
        max_events: only the last so many events of a session are kept.
    """
    tokens, offsets = cut_tokens(Flat.of(sessions), fields, places, max_events)
    return SessionArrays(tokens, offsets, texts, text_column(fields))


def cut_tokens(
    events: Flat, fields: Sequence[Field], places: Mapping[str, int], max_events: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the tokens (E, C) of each session's last ``max_events`` events, and the sessions' offsets (N + 1,)."""
    ends = np.cumsum(events.lengths)
    n_events = int(ends[-1]) if len(ends) else 0
    kept = np.repeat(ends, events.lengths) - np.arange(n_events) <= max_events
    lengths = np.minimum(events.lengths, max_events)
    return tokens_of(fields, events, places)[kept], np.concatenate([[0], np.cumsum(lengths)])


def text_column(fields: Sequence[Field]) -> int | None:
    """Returns which column of the tokens holds the texts."""
    columns = columns_of(fields)
    found: list[int] = [columns[one.name].start for one in fields if one.kind == "text"]
    return found[0] if found else None
