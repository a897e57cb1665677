"""What a group of people or machines sends to the bank's server, and what is true of it: made apart, group by group.

Every person and every machine has streams of draws of its own, so groups may be made in any order, on any number of
cores, and more people leave the others as they are.
"""

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate
from typing import Final, Literal, NamedTuple

import pyarrow as pa

from pipelines.params import Simulate
from pipelines.simulate import personal, truth
from pipelines.simulate.bots import Bots
from pipelines.simulate.content import world
from pipelines.simulate.draws import Draws, Purpose, generator
from pipelines.simulate.lives import Bank
from pipelines.simulate.record import IMPRESSION, MS_PER_DAY, Done, Event
from pipelines.simulate.scenarios import Scenarios
from pipelines.simulate.tracker import UNHARMED, Post, Writer, event_ids
from pipelines.simulate.worlds import LAWS

_STREAM: Final = {"people": 0, "bots": 1 << 42, "wave": 1 << 43}  # where the numbers of streams of each kind begin


class Group(NamedTuple):
    """Whom a parcel comes from: numbers ``first`` to ``after`` (excluded)."""

    kind: Literal["people", "bots", "wave"]
    first: int
    after: int
    from_day: int = 0  # of a wave


@dataclass
class Parcel:
    """What a group sent before the last day ended: its lines by day of arrival, end to end."""

    received_ms: "array[int]"
    lengths: "array[int]"  # of the lines, in bytes
    content: bytes
    truth: dict[str, pa.Table]
    canaries: list[str]
    counts: Counter[str]

    @property
    def lines(self) -> list[bytes]:
        ends = accumulate(self.lengths)
        return [self.content[end - length : end] for end, length in zip(ends, self.lengths, strict=True)]


class Parcels:
    """Makes parcels of one bank."""

    def __init__(self, block: Simulate, seed: int) -> None:
        self._seed, self._world = seed, world()
        self._end_ms = block.days * MS_PER_DAY
        self._start = block.start
        planned = [(scenario.kind, scenario.from_, scenario.strength) for scenario in block.scenarios]
        self._scenarios = Scenarios(self._world, block.start, planned)
        self._bank = Bank(self._world, LAWS[block.world], seed, block.start, block.days, self._scenarios)
        self._bots = Bots(self._world, seed, block.days, block.people)
        self._post = Post(self._world.behaviour.tracker)
        self._writer = Writer(block.start, block.days, self._world.behaviour.tracker)

    def make(self, group: Group) -> Parcel:
        """Returns the parcel of ``group``."""
        parcel = _Open(self._start)
        for number in range(group.first, group.after):
            lived = self._lived(group, number)
            if group.kind != "people" and lived:
                parcel.rows["bots"].append((lived[0].events[0].client.id, group.kind == "bots" and number % 2 == 0))
            self._send(parcel, lived, _STREAM[group.kind] + number)
        return parcel.closed()

    def _lived(self, group: Group, number: int) -> list[Done]:
        if group.kind == "people":
            return self._bank.live(number)
        return self._bots.live(number) if group.kind == "bots" else self._bots.wave(number, group.from_day)

    def _send(self, parcel: "_Open", lived: Sequence[Done], stream: int) -> None:
        n_events = sum(len(done.events) for done in lived)
        ids = iter(event_ids(self._seed, stream, n_events))
        arrival, fault = generator(self._seed, Purpose.ARRIVAL, stream), Draws(self._seed, Purpose.FAULT, stream)
        ways = zip(self._post.fates(n_events, arrival), self._post.delays_ms(n_events, arrival), strict=True)
        line, end_ms = self._writer.line, self._end_ms
        for done in lived:
            parcel.visited(done)
            for event in self._scenarios.tracked(done.events, done.touches):
                fate, delay_ms = next(ways)
                if fate is UNHARMED:
                    ms, identifier = event.sent_ms + delay_ms, next(ids)
                    if ms < end_ms:
                        parcel.lines.append((ms, line(event, identifier, ms)))
                        parcel.arrived(event, identifier)
                    continue
                written: Sequence[str] = ()
                if fate.personal and done.person is not None and event.client.platform == "web":
                    event, written = personal.plant(event, stream + len(parcel.canaries), fault)
                known = None if fate.no_id else next(ids)
                arrived_ms = [ms for ms in self._post.arrivals_ms(event, fate, delay_ms, fault) if ms < end_ms]
                parcel.lines += [(ms, line(event, known, ms)) for ms in arrived_ms]
                if arrived_ms:
                    parcel.arrived(event, known)
                    parcel.canaries += written


class _Open:
    """A parcel while it is being filled."""

    def __init__(self, start: date) -> None:
        self._start_ms = (start - date(1970, 1, 1)).days * MS_PER_DAY
        self.lines: list[tuple[int, bytes]] = []  # with the time of arrival
        self.canaries: list[str] = []
        self.counts: Counter[str] = Counter()
        self._names: list[str] = []  # of the events that arrived
        self.rows: dict[str, list[tuple[object, ...]]] = {name: [] for name in truth.TABLES}
        self.logged: set[object] = set()
        self._clients: dict[tuple[str, int], str | None] = {}
        self._ahead: dict[str, int] = {}

    def visited(self, done: Done) -> None:
        """Notes what is true of a visit."""
        first, last = done.events[0], done.events[-1]
        client = first.client
        if client.skew_ms:
            self._ahead[client.id] = client.skew_ms
        if done.person is None:
            self.counts["bot sessions"] += 1
            return
        self.counts[f"{client.platform} sessions"] += 1
        key = client.id, done.person
        self._clients[key] = self._clients.get(key) or next((e.login for e in done.events if e.login), None)
        times_ms = self._start_ms + first.sent_ms, self._start_ms + last.sent_ms
        self.rows["sessions"].append(
            (client.id, done.person, client.platform, *times_ms, len(done.events), done.needs, sorted(done.touches))
        )
        self.rows["impressions"] += [(*shown, done.needs) for shown in done.shown]

    def arrived(self, event: Event, identifier: str | None) -> None:
        """Notes what is true of an event that arrived."""
        self._names.append(event.name)
        if identifier and event.need is not None:
            self.rows["intents"].append((identifier, event.need))
        if event.name == IMPRESSION and event.props:
            self.logged.add(event.props["impression_id"])

    def closed(self) -> Parcel:
        self.counts.update(self._names)
        rows = self.rows
        rows["identity"] = [(client, login, person) for (client, person), login in self._clients.items()]
        rows["clocks"] = list(self._ahead.items())
        rows["impressions"] = [row for row in rows["impressions"] if row[0] in self.logged]
        tables = {name: truth.table(name, rows[name]) for name in truth.TABLES}
        return packed(self.lines, tables, self.canaries, self.counts)


def packed(
    lines: Sequence[tuple[int, bytes]], tables: dict[str, pa.Table], canaries: list[str], counts: Counter[str]
) -> Parcel:
    """Returns a parcel of ``lines`` (time of arrival in ms, content): one piece, quick to hand to another process."""
    by_day = sorted(lines, key=lambda line: line[0] // MS_PER_DAY)
    received_ms, lengths = array("q", [ms for ms, _ in by_day]), array("q", [len(line) for _, line in by_day])
    return Parcel(received_ms, lengths, b"".join([line for _, line in by_day]), tables, canaries, counts)
