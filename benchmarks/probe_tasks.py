"""What frozen probes ask of a web session of the demo bank: its true need, its last page, an application, a return."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.encoder.fields import Flat
from pipelines.evaluate.history import DAY_US, session_keys
from pipelines.evaluate.inputs import Inputs
from pipelines.evaluate.outcomes import conversions, outcome_events, usable_split
from pipelines.evaluate.truth import NO_NEED, true_needs
from pipelines.params import Conversion

MAX_FIT: Final = 12_000
"""Sessions that a probe is fitted on: enough for two digits, bounded in time."""
RETURN_DAYS: Final = 7
MIN_SESSIONS: Final = 20
"""Of a class in the fitting part; a rarer one has too few to be learnt, and its sessions are left out everywhere."""


@dataclass(frozen=True)
class Task:
    """N sessions, in the order of the table that they are rows of."""

    name: str
    sessions: pa.Table  # schemas.SESSIONS: what may be read of each
    targets: np.ndarray  # int64 (N,), classes from 0 on
    part: np.ndarray  # (N,): fit, valid or test

    def of(self, *parts: str) -> np.ndarray:
        """Returns the rows of the ``parts``, one part after the other."""
        return np.concatenate([np.flatnonzero(self.part == part) for part in parts])

    @property
    def visitors(self) -> np.ndarray:
        return np.asarray(self.sessions.column("visitor_id").to_numpy())


def tasks(inputs: Inputs, params: Conversion, seed: int) -> list[Task]:
    """Returns the four tasks, on web sessions."""
    return [needs(inputs, seed), next_page(inputs, seed), conversion(inputs, params, seed), returns(inputs, seed)]


def needs(inputs: Inputs, seed: int) -> Task:
    """Returns the task of naming the need that made a session."""
    rows = np.flatnonzero(_is_web(inputs))
    return task("need", inputs.sessions.take(rows), true_needs(inputs, rows), inputs.split[rows], seed)


def next_page(inputs: Inputs, seed: int) -> Task:
    """Returns the task of naming the last page that a session viewed, by what came before it."""
    rows = np.flatnonzero(_is_web(inputs))
    sessions = inputs.sessions.take(rows)
    events = Flat.of(sessions)
    owner = np.repeat(np.arange(len(sessions)), events.lengths)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(events.lengths) - events.lengths, events.lengths)
    viewed = pc.and_(pc.equal(events.columns["event_type"], "page_view"), pc.is_valid(events.columns["path"]))
    last = np.full(len(sessions), -1)
    at = np.flatnonzero(viewed.to_numpy(zero_copy_only=False))
    np.maximum.at(last, owner[at], place[at])
    kept = place < last[owner]
    known = np.flatnonzero(last > 0)
    pages = np.full(len(sessions), "", dtype=object)
    ends = np.cumsum(events.lengths) - events.lengths + last
    pages[known] = events.columns["path"].take(pa.array(ends[known])).to_numpy(zero_copy_only=False)
    flat = pc.list_flatten(sessions.column("events")).combine_chunks().filter(pa.array(kept))
    offsets = pa.array(np.concatenate([[0], np.cumsum(np.maximum(last, 0))]), pa.int32())
    column = sessions.column_names.index("events")
    before = sessions.set_column(column, sessions.field("events"), pa.ListArray.from_arrays(offsets, flat))
    return task("next_page", before, pages, inputs.split[rows], seed)


def conversion(inputs: Inputs, params: Conversion, seed: int) -> Task:
    """Returns the task of telling whether an application follows, within the horizon of `evaluate.conversion`."""
    rows = np.flatnonzero(_is_web(inputs))
    keys = session_keys(inputs.sessions, rows)
    reached = conversions(keys, outcome_events(inputs.events, params), inputs.identity, params.horizon_days).reached
    named = np.where(reached.any(axis=1), "yes", "no").astype(object)
    return task("conversion", inputs.sessions.take(rows), named, _judged(inputs, rows, params.horizon_days), seed)


def returns(inputs: Inputs, seed: int) -> Task:
    """Returns the task of telling whether the visitor comes to the website again within RETURN_DAYS."""
    rows = np.flatnonzero(_is_web(inputs))
    visitors, starts, ends = (
        inputs.visitors[rows], inputs.times_us("start_ts")[rows], inputs.times_us("end_ts")[rows],
    )  # fmt: skip
    order = np.lexsort((starts, visitors))
    first, second = order[:-1], order[1:]
    again = (visitors[first] == visitors[second]) & (starts[second] - ends[first] <= RETURN_DAYS * DAY_US)
    named = np.full(len(rows), "no", dtype=object)
    named[first[again]] = "yes"
    return task("return", inputs.sessions.take(rows), named, _judged(inputs, rows, RETURN_DAYS), seed)


def task(name: str, sessions: pa.Table, named: np.ndarray, split: np.ndarray, seed: int) -> Task:
    """Returns a task whose classes are the values of ``named``; "" and "none" say nothing, rare ones are left out.

    Of the training part at most MAX_FIT sessions fit, drawn at random.
    """
    part = np.where(split == "train", "fit", split).astype(object)
    said = (named != "") & (named != NO_NEED)
    fit = np.random.default_rng(seed).permutation(np.flatnonzero(said & (part == "fit")))[:MAX_FIT]
    classes, counts = np.unique(named[fit].astype(str), return_counts=True)
    classes = classes[counts >= MIN_SESSIONS]
    drawn = np.zeros(len(named), dtype=bool)
    drawn[fit] = True
    kept = said & (drawn | np.isin(part, ["valid", "test"])) & np.isin(named.astype(str), classes)
    rows = np.flatnonzero(kept)
    targets = np.searchsorted(classes, named[rows].astype(str))
    return Task(name, sessions.take(rows), targets, part[rows].astype(str))


def _judged(inputs: Inputs, rows: np.ndarray, horizon_days: float) -> np.ndarray:
    """The part of each session, "" where its horizon reaches into a later part or beyond the data."""
    start, end = inputs.times_us("start_ts"), inputs.times_us("end_ts")
    return usable_split(inputs.split, start, end, int(end.max()), round(horizon_days * DAY_US))[rows]


def _is_web(inputs: Inputs) -> np.ndarray:
    return np.asarray(pc.equal(inputs.sessions.column("channel"), "web").to_numpy())
