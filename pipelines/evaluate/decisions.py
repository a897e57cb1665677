"""Tile decisions: one home-screen impression with exactly one click on a tile that it showed."""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.evaluate.history import Moments
from pipelines.evaluate.inputs import times_us
from pipelines.params import TileRanking


@dataclass(frozen=True)
class Decisions:
    """M decisions over K tiles, in order of time."""

    impression_ids: list[str]
    at_us: np.ndarray  # int64 (M,)
    customers: pa.Array  # (M,), null where nobody was logged in
    visitors: np.ndarray  # (M,)
    tiles: list[str]  # (K,), sorted
    position: np.ndarray  # int16 (M, K): place on the screen from 0, -1 where a tile was not shown
    clicked: np.ndarray  # int64 (M,)
    clicked_us: np.ndarray  # int64 (M,): when

    def __len__(self) -> int:
        return len(self.at_us)

    @property
    def shown(self) -> np.ndarray:
        """Bool (M, K)."""
        return self.position >= 0

    @property
    def moments(self) -> Moments:
        return Moments(self.at_us, self.customers)

    @property
    def people(self) -> np.ndarray:
        """Who decided, (M,): the customer, or the device where nobody was logged in."""
        people = pc.coalesce(self.customers, pa.array(self.visitors, pa.string()))
        return np.asarray(people.to_numpy(zero_copy_only=False))


@dataclass(frozen=True)
class _Impression:
    at_us: int
    customer: str | None
    visitor: str
    tiles: list[str]


def find_decisions(events: pa.Table, params: TileRanking) -> Decisions:
    """Returns the decisions in ``events``; an impression without its one click, or with a doubled id, is none."""
    impressions = _impressions(_only(events, params.impression_event), params)
    clicks = _clicks(_only(events, params.click_event), params)
    decided = sorted(
        (impression.at_us, identifier)
        for identifier, impression in impressions.items()
        if len(clicks[identifier]) == 1 and clicks[identifier][0][1] in impression.tiles
    )
    identifiers = [identifier for _, identifier in decided]
    chosen = [impressions[identifier] for identifier in identifiers]
    tiles = sorted({tile for impression in chosen for tile in impression.tiles})
    column = {tile: place for place, tile in enumerate(tiles)}
    position = np.full((len(chosen), len(tiles)), -1, dtype=np.int16)
    for row, impression in enumerate(chosen):
        position[row, [column[tile] for tile in impression.tiles]] = np.arange(len(impression.tiles))
    return Decisions(
        impression_ids=identifiers,
        at_us=np.array([impression.at_us for impression in chosen], dtype=np.int64),
        customers=pa.array([impression.customer for impression in chosen], pa.string()),
        visitors=np.array([impression.visitor for impression in chosen], dtype=object),
        tiles=tiles,
        position=position,
        clicked=np.array([column[clicks[identifier][0][1]] for identifier in identifiers], dtype=np.int64),
        clicked_us=np.array([clicks[identifier][0][0] for identifier in identifiers], dtype=np.int64),
    )


def split_of(decisions: Decisions, sessions: pa.Table) -> np.ndarray:
    """Returns the split of the session that holds each decision, (M,); "none" where no session does."""
    starts, ends = times_us(sessions.column("start_ts")), times_us(sessions.column("end_ts"))
    visitors, splits = sessions.column("visitor_id").to_numpy(), sessions.column("split").to_numpy()
    known = set(decisions.visitors)
    by_visitor: defaultdict[str, list[int]] = defaultdict(list)
    for row in np.argsort(starts, kind="stable"):
        if visitors[row] in known:
            by_visitor[visitors[row]].append(int(row))
    found = np.full(len(decisions), "none", dtype=object)
    for number, (visitor, at_us) in enumerate(zip(decisions.visitors, decisions.at_us, strict=True)):
        holding = [row for row in by_visitor[visitor] if starts[row] <= at_us <= ends[row]]
        if holding:
            found[number] = splits[holding[-1]]
    return found


def earlier_per_tile(decisions: Decisions, of_tiles: np.ndarray, happened_us: np.ndarray) -> np.ndarray:
    """Returns (M, K) sums of ``of_tiles`` (M, K) over what the same person saw strictly before each decision."""
    _, person = np.unique(decisions.people, return_inverse=True)
    order = np.lexsort((happened_us, person))
    earlier = np.zeros(of_tiles.shape)
    bounds = np.append(np.flatnonzero(np.diff(person[order], prepend=-1)), len(order))
    for start, end in pairwise(bounds):
        rows = order[start:end]
        summed = np.vstack([np.zeros(of_tiles.shape[1]), np.cumsum(of_tiles[rows], axis=0)])
        earlier[rows] = summed[np.searchsorted(happened_us[rows], decisions.at_us[rows], side="left")]
    return earlier


def _only(events: pa.Table, event_type: str) -> pa.Table:
    return events.filter(pc.equal(events.column("event_type"), event_type))


def _impressions(events: pa.Table, params: TileRanking) -> dict[str, _Impression]:
    found: dict[str, _Impression] = {}
    seen: Counter[str] = Counter()
    columns = [events.column(name).to_pylist() for name in ("customer_id", "visitor_id", "properties")]
    for at_us, customer, visitor, properties in zip(times_us(events.column("ts")), *columns, strict=True):
        values = _properties(properties)
        identifier, tiles = _identifier(values.get(params.impression_id)), _tiles(values.get(params.tiles))
        if identifier is None or tiles is None:
            continue
        seen[identifier] += 1
        found[identifier] = _Impression(int(at_us), customer, visitor, tiles)
    return {identifier: impression for identifier, impression in found.items() if seen[identifier] == 1}


def _clicks(events: pa.Table, params: TileRanking) -> defaultdict[str, list[tuple[int, str]]]:
    clicks: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    columns = [events.column(name).to_pylist() for name in ("element", "properties")]
    for at_us, tile, properties in zip(times_us(events.column("ts")), *columns, strict=True):
        identifier = _identifier(_properties(properties).get(params.impression_id))
        if identifier is not None and tile is not None:
            clicks[identifier].append((int(at_us), tile))
    return clicks


def _properties(text: str | None) -> dict[str, object]:
    """The properties of an event; what is no JSON object says nothing, like an event without any."""
    try:
        values = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _identifier(value: object) -> str | None:
    return str(value) if isinstance(value, str | int) and value != "" else None


def _tiles(value: object) -> list[str] | None:
    """The shown tiles, or None where the value is no list of different names."""
    if not isinstance(value, list):
        return None
    tiles = [tile for tile in value if isinstance(tile, str)]
    return tiles if tiles and len(set(tiles)) == len(value) else None
