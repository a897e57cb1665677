"""Makes the demo bank: data/events, data/truth, data/demo_bank.json."""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import pyarrow as pa
from tqdm import tqdm

from pipelines.params import Params, Simulate
from pipelines.paths import Workspace
from pipelines.simulate import bots, faults, folder, personal, tracker, truth
from pipelines.simulate.content import world
from pipelines.simulate.draws import Draws, Purpose
from pipelines.simulate.lives import Bank, Traffic
from pipelines.simulate.record import MS_PER_DAY, Client, Event

_GZIP_LEVEL: Final = 6


@dataclass(frozen=True)
class Happened:
    """A finished bank, before it is written."""

    traffic: Traffic
    events: Sequence[Event]  # in the order in which they happened; bots and planted data included
    ids: Sequence[str]
    bots: Sequence[Client]
    canaries: Sequence[str]
    arrived: Sequence[tracker.Arrival]


def run(workspace: Workspace, params: Params) -> None:
    """Writes the demo bank of ``params.simulate`` and ``params.seed``: the same values give the same bytes.

    Raises:
        SourceError: data/ holds files that are not the demo bank's.
    """
    folder.refuse_foreign_files(workspace)  # before the work, too
    happened = simulate(params.simulate, params.seed)
    files, broken = day_files(happened, params.simulate, params.seed)
    folder.write(workspace, files, truth_tables(happened, broken), sorted(set(happened.canaries)))
    print(_summary(happened, params.simulate))


def simulate(block: Simulate, seed: int) -> Happened:
    """Returns all that happens in the days of ``block``."""
    bank = Bank(world(), seed, block.days, block.start.weekday())
    traffic = Traffic()
    for number in tqdm(range(block.people), desc="simulate", unit="person", disable=not sys.stderr.isatty()):
        bank.live(number, traffic)
    crawled, machines = bots.crawl(world(), seed, block.days, block.people)
    numbers = world().behaviour.tracker
    in_order = sorted(traffic.events + crawled, key=lambda event: event.sent_ms)
    events, canaries = personal.plant(in_order, numbers.personal, Draws(seed, Purpose.FAULT))
    arrived = tracker.arrivals(events, numbers, block.days, seed)
    return Happened(traffic, events, tracker.event_ids(seed, len(events)), machines, canaries, arrived)


def day_files(happened: Happened, block: Simulate, seed: int) -> tuple[dict[str, bytes], list[tuple[str, int, str]]]:
    """Returns a compressed file for each day of arrival, by name, and the (file, line, kind) of each broken line."""
    writer = tracker.Writer(block.start)
    days: list[list[bytes]] = [[] for _ in range(block.days)]
    for arrival in happened.arrived:
        line = writer.line(happened.events[arrival.event], happened.ids[arrival.event], arrival.received_ms)
        days[arrival.received_ms // MS_PER_DAY].append(line)
    broken = faults.break_lines(days, world().behaviour.tracker.malformed, Draws(seed, Purpose.FAULT, 1))
    names = [f"{block.start + timedelta(days=day)}.jsonl.gz" for day in range(block.days)]
    gzip = pa.Codec("gzip", compression_level=_GZIP_LEVEL)  # Arrow's own zlib, not the system's: same bytes everywhere
    files = {name: gzip.compress(b"".join(lines), asbytes=True) for name, lines in zip(names, days, strict=True)}
    return files, [(names[day], line, kind) for day, line, kind in broken]


def truth_tables(happened: Happened, broken: Sequence[tuple[str, int, str]]) -> dict[str, pa.Table]:
    """Returns what is true of the events that arrived, by name of the table."""
    arrived = sorted({arrival.event for arrival in happened.arrived})
    events = [happened.events[at] for at in arrived]
    return {
        "intents": truth.intents(events, [happened.ids[at] for at in arrived]),
        "identity": truth.identity(events),
        "impressions": truth.impressions(happened.traffic.shown, events),
        "bots": truth.bots(happened.bots),
        "malformed": truth.malformed(broken),
    }


def _summary(happened: Happened, block: Simulate) -> str:
    names = Counter(event.name for event in happened.events)
    cookies = {event.client.id for event in happened.events if event.client.platform == "web"}
    traffic, n_bots = happened.traffic, len(happened.bots)
    return (
        f"simulate: {block.people} people, {len(cookies) - n_bots} cookies, {len(happened.arrived)} events, "
        f"{traffic.n_web_sessions} web sessions, {traffic.n_app_sessions} app sessions, {n_bots} bots\n"
        f"simulate: {names['home_impression']} impressions, {names['tile_click']} clicks, "
        f"{names['application_submitted']} of {names['application_started']} applications submitted"
    )
