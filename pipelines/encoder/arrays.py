"""Sessions as flat integer arrays: what the encoder reads, without a Python object a session.

Axis legend: N sessions, E events of all sessions, B sessions of a batch, T events of its longest, F fields.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    import torch

FIELDS: Final = ("page", "text", "event_type", "elapsed", "hour", "weekday", "channel")
PAGE, TEXT, EVENT_TYPE, ELAPSED, HOUR, WEEKDAY, CHANNEL = range(len(FIELDS))

PADDING: Final = 0
UNKNOWN: Final = 1
"""The token of a page or event type that the training part never showed, and of one that is hidden on purpose."""

N_ELAPSED: Final = 22
"""Buckets of the time since the previous event: 0 for a session's first event, then one a doubling from one second."""
N_HOURS: Final = 25
N_WEEKDAYS: Final = 8
CHANNEL_TOKENS: Final = {"web": 1, "app": 2}

_EDGES_SECONDS = 2.0 ** np.arange(N_ELAPSED - 2)
_HOUR_US = 3_600_000_000


@dataclass(frozen=True)
class Vocabulary:
    """The page keys (channel and page) and event types of the training part, most frequent first."""

    pages: tuple[str, ...]
    event_types: tuple[str, ...]

    @classmethod
    def of(cls, sessions: pa.Table, max_pages: int) -> "Vocabulary":
        """Returns the vocabulary of ``sessions`` (the training part), its pages cut to the ``max_pages`` commonest."""
        return cls(
            tuple(_by_frequency(_page_keys(sessions))[:max_pages]),
            tuple(_by_frequency(_event_field(sessions, "event_type"))),
        )

    @property
    def n_pages(self) -> int:
        """Number of page tokens, padding and unknown among them."""
        return len(self.pages) + 2

    @property
    def n_event_types(self) -> int:
        """Number of event type tokens, padding and unknown among them."""
        return len(self.event_types) + 2


class PaddedBatch(NamedTuple):
    """Sessions side by side, padded on the right with zeros."""

    tokens: "torch.Tensor"  # (B, T, F) int64
    lengths: "torch.Tensor"  # (B,) int64, each >= 1


@dataclass(frozen=True)
class SessionArrays:
    """N sessions, cut to their last ``max_events`` events, as one flat token array."""

    tokens: np.ndarray  # (E, F) int32
    offsets: np.ndarray  # (N + 1,) int64

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.offsets)

    def batch(self, rows: np.ndarray) -> PaddedBatch:
        """Returns the sessions ``rows`` (B,), padded to the longest of them."""
        import torch  # here: who only scores sessions has no use for it

        tokens, lengths = self.padded(rows)
        return PaddedBatch(torch.from_numpy(tokens), torch.from_numpy(lengths))

    def padded(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns tokens, int64 (B, T, F), and lengths, int64 (B,), of the sessions ``rows`` (B,)."""
        lengths = self.lengths[rows]
        steps = np.arange(lengths.max())
        inside = steps < lengths[:, None]  # (B, T)
        positions = np.where(inside, self.offsets[rows][:, None] + steps, 0)
        tokens = np.where(inside[:, :, None], self.tokens[positions], PADDING)
        return tokens.astype(np.int64), lengths

    def batches(self, batch_size: int) -> Iterator[np.ndarray]:
        """Yields the rows of batches of similar length, shortest first: little padding."""
        by_length = np.argsort(self.lengths, kind="stable")
        yield from np.split(by_length, range(batch_size, len(self), batch_size))


def page_keys(pages: pa.Table) -> list[str]:
    """Returns the key of each page of the catalogue: a web page and an app screen of one name are two pages."""
    keys: list[str] = pc.binary_join_element_wise(pages.column("channel"), pages.column("page"), "|").to_pylist()
    return keys


def session_arrays(
    sessions: pa.Table, vocabulary: Vocabulary, catalogue: Sequence[str], max_events: int
) -> SessionArrays:
    """Returns ``sessions`` (schemas.SESSIONS) as tokens.

    Args:
        sessions: N of them, in the order that is kept.
        vocabulary: of the training part.
        catalogue: page keys whose text vectors the encoder will be given; row i gets the text token i + 1.
        max_events: only the last so many events of a session are kept.
    """
    lengths = pc.list_value_length(sessions.column("events")).to_numpy().astype(np.int64)
    ends = np.cumsum(lengths)
    times_us = _event_field(sessions, "ts").cast(pa.int64()).to_numpy()
    keys = _page_keys(sessions)
    tokens = np.empty((len(times_us), len(FIELDS)), dtype=np.int32)
    tokens[:, PAGE] = _lookup(keys, vocabulary.pages, first=UNKNOWN + 1, missing=UNKNOWN)
    tokens[:, TEXT] = _lookup(keys, catalogue, first=1, missing=PADDING)
    tokens[:, EVENT_TYPE] = _lookup(
        _event_field(sessions, "event_type"), vocabulary.event_types, first=UNKNOWN + 1, missing=UNKNOWN
    )
    tokens[:, ELAPSED] = _elapsed_buckets(times_us, ends - lengths)
    tokens[:, HOUR] = 1 + times_us // _HOUR_US % 24
    tokens[:, WEEKDAY] = 1 + (times_us // (24 * _HOUR_US) + 3) % 7  # 1970-01-01 was a Thursday; Monday is 1
    channels = _lookup(sessions.column("channel"), tuple(CHANNEL_TOKENS), first=1, missing=PADDING)
    tokens[:, CHANNEL] = np.repeat(channels, lengths)
    kept = np.repeat(ends, lengths) - np.arange(len(times_us)) <= max_events
    return SessionArrays(tokens[kept], np.concatenate([[0], np.cumsum(np.minimum(lengths, max_events))]))


def _elapsed_buckets(times_us: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Time since the previous event, bucketed: the dwell on it, and known when the event itself comes."""
    seconds = np.diff(times_us, prepend=0) / 1e6
    buckets = 1 + np.searchsorted(_EDGES_SECONDS, seconds, side="right")
    buckets[starts] = 0
    return buckets


def _event_field(sessions: pa.Table, name: str) -> pa.ChunkedArray:
    return pc.struct_field(pc.list_flatten(sessions.column("events")), name)


def _page_keys(sessions: pa.Table) -> pa.ChunkedArray:
    """Page key of every event; null where an event has no page."""
    lengths = pc.list_value_length(sessions.column("events")).to_numpy()
    rows = np.repeat(np.arange(len(sessions)), lengths)
    pages = _event_field(sessions, "page")
    return pc.binary_join_element_wise(sessions.column("channel").combine_chunks().take(pa.array(rows)), pages, "|")


def _by_frequency(values: pa.ChunkedArray) -> list[str]:
    counts = [(-entry["counts"], entry["values"]) for entry in pc.value_counts(values).to_pylist()]
    return [value for _, value in sorted(pair for pair in counts if pair[1] is not None)]


def _lookup(values: pa.ChunkedArray, known: Sequence[str], first: int, missing: int) -> np.ndarray:
    """Token of each value: ``first`` + its place in ``known``, or ``missing``."""
    places = pc.index_in(values, value_set=pa.array(known, pa.string())).to_numpy()  # float with NaN where absent
    return np.where(np.isnan(places), missing, places + first) if places.dtype.kind == "f" else places + first
