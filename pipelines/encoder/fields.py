"""What of an event the encoder reads, field by field, and how it becomes whole numbers.

Strings are hashed (CRC-32) once a distinct value, and only hashes of what the training part showed are kept: no page
name or search word lies in the encoder. A hash that training never showed is `UNKNOWN`, never another value's bucket.
"""

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

NOTHING: Final = 0
"""The token of padding, and of a field that is empty."""
UNKNOWN: Final = 1
"""The token of a value that the training part never showed, and of one that is hidden on purpose."""

N_ELAPSED: Final = 22
"""Buckets of the time since the previous event: 0 for a session's first event, then one a doubling from one second."""
N_HOURS: Final = 25
N_WEEKDAYS: Final = 8
MAX_WORDS: Final = 6
"""Of a path, a search or a referrer; the rest is not read."""

_EDGES_SECONDS = 2.0 ** np.arange(N_ELAPSED - 2)
_HOUR_US = 3_600_000_000
_SIZES: Final = {"elapsed": N_ELAPSED, "hour": N_HOURS, "weekday": N_WEEKDAYS}
_WORD: Final = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Field:
    """One field of an event.

    Kinds: `token` (the value as a whole), `words` (each of its words), `text` (the frozen vector of the page's text),
    and of the event's time `elapsed` (since the event before: the dwell on that one), `hour` and `weekday` (UTC).
    """

    name: str
    kind: str
    column: str  # of the session's events; `page` tells channels apart, `channel` is the session's
    known: tuple[int, ...] = ()  # hashes of the training part's values (token, words), most frequent first
    width: int = 1  # how many numbers an event has for it

    @property
    def n_tokens(self) -> int:
        """Number of tokens, those for nothing and unknown among them; 0 for a text."""
        return _SIZES.get(self.kind, 0 if self.kind == "text" else len(self.known) + 2)

    @cached_property
    def token_of(self) -> dict[int, int]:
        """The token of each known hash; made once, since a single session asks for a few of thousands."""
        return {found: token for token, found in enumerate(self.known, start=UNKNOWN + 1)}


class Flat(NamedTuple):
    """The events of some sessions, one after another."""

    lengths: np.ndarray  # (N,) int64, of the sessions
    columns: dict[str, pa.Array]  # (E,) each

    @classmethod
    def of(cls, sessions: pa.Table) -> "Flat":
        """Returns the events of ``sessions`` (schemas.SESSIONS)."""
        events = sessions.column("events")
        lengths = pc.list_value_length(events).to_numpy().astype(np.int64)
        flat = pc.list_flatten(events).combine_chunks()
        if isinstance(flat, pa.ChunkedArray):  # no chunk at all
            flat = pa.array([], flat.type)
        columns = dict(zip((one.name for one in flat.type), flat.flatten(), strict=True))
        owners = pa.array(np.repeat(np.arange(len(lengths)), lengths))
        channel = sessions.column("channel").combine_chunks().take(owners)
        key = pc.binary_join_element_wise(channel, columns["page"], "|")
        plain = {"path": columns["page"], "channel": channel}
        return cls(lengths, columns | plain | {"page": key})


@dataclass
class Counted:
    """How often the training part shows each value: what ``fitted`` makes fields of."""

    fields: Sequence[Field]
    of: dict[str, Counter[int]] = field(default_factory=dict)
    most_words: Counter[str] = field(default_factory=Counter)

    def add(self, events: Flat) -> None:
        """Counts ``events``, of training sessions."""
        for one in self.fields:
            counter = self.of.setdefault(one.name, Counter())
            if one.kind in ("token", "words"):
                values = pc.value_counts(events.columns[one.column])
                counts = values.field("counts").to_numpy()
                for value, count in zip(values.field("values").to_pylist(), counts.tolist(), strict=True):
                    hashes = hashed(value, one.kind)
                    self.most_words[one.name] = max(self.most_words[one.name], len(hashes))
                    for found in hashes:
                        counter[found] += count
            else:
                seen, counts = np.unique(_numbers(one, events, {}), return_counts=True)
                counter.update(dict(zip(seen.tolist(), counts.tolist(), strict=True)))

    def fitted(self, max_tokens: int) -> tuple[Field, ...]:
        """Returns the fields with their vocabularies, cut to the ``max_tokens`` commonest values.

        A field that holds one value throughout is left out: there is nothing to learn of it.
        """
        kept = []
        for one in self.fields:
            counts = self.of[one.name]
            known = tuple(sorted(counts, key=lambda value: (-counts[value], value)))[:max_tokens]
            if len(counts) > 1 or (one.kind == "words" and known) or one.column == "page":
                known = known if one.kind in ("token", "words") else ()
                kept.append(Field(one.name, one.kind, one.column, known, max(1, self.most_words[one.name])))
        return tuple(kept)


def hashed(value: str | None, kind: str) -> list[int]:
    """Returns the hash of a `token`'s value, or of the first ``MAX_WORDS`` of the `words` in it."""
    if value is None:
        return []
    parts = [value] if kind == "token" else _WORD.findall(value.lower())[:MAX_WORDS]
    return [zlib.crc32(part.encode()) for part in parts]


def tokens_of(fields: Sequence[Field], events: Flat, places: Mapping[str, int]) -> np.ndarray:
    """Returns the tokens of the events, int32 (E, C), the columns of each field side by side.

    Args:
        fields: fitted ones.
        events: E of them.
        places: by page key, the row of the text vectors that the encoder will be given, from 1 on.
    """
    columns = [_numbers(one, events, places).reshape(-1, one.width) for one in fields]
    return np.concatenate(columns, axis=1).astype(np.int32)


def columns_of(fields: Iterable[Field]) -> dict[str, slice]:
    """Returns which columns of the tokens each field has."""
    found, start = {}, 0
    for one in fields:
        found[one.name] = slice(start, start + one.width)
        start += one.width
    return found


def fields_from(written: Iterable[dict[str, Any]]) -> tuple[Field, ...]:
    """Returns the fields that were written as JSON."""
    return tuple(Field(**{**one, "known": tuple(one["known"])}) for one in written)


def _numbers(one: Field, events: Flat, places: Mapping[str, int]) -> np.ndarray:
    """The numbers of one field, (E,) or (E, width)."""
    if one.kind in ("token", "words", "text"):
        coded = events.columns[one.column].dictionary_encode("encode")  # null is a value, too
        return np.asarray(_of_values(one, coded.dictionary.to_pylist(), places)[coded.indices.to_numpy()])
    times_us = events.columns["ts"].view(pa.int64()).to_numpy()
    if one.kind == "elapsed":
        return _elapsed_buckets(times_us, np.cumsum(events.lengths) - events.lengths)
    if one.kind == "hour":
        return np.asarray(1 + times_us // _HOUR_US % 24)
    return np.asarray(1 + (times_us // (24 * _HOUR_US) + 3) % 7)  # 1970-01-01 was a Thursday; Monday is 1


def _of_values(one: Field, values: list[str | None], places: Mapping[str, int]) -> np.ndarray:
    """The numbers of each distinct value."""
    if one.kind == "text":
        return np.array([places.get(value or "", NOTHING) for value in values], np.int64)
    table = np.full((len(values), one.width), NOTHING)
    for row, value in enumerate(values):
        for column, found in enumerate(hashed(value, one.kind)[: one.width]):
            table[row, column] = one.token_of.get(found, UNKNOWN)
    return table


def _elapsed_buckets(times_us: np.ndarray, starts: np.ndarray) -> np.ndarray:
    seconds = np.diff(times_us, prepend=0) / 1e6
    buckets = 1 + np.searchsorted(_EDGES_SECONDS, seconds, side="right")
    buckets[starts] = 0
    return np.asarray(buckets)
