"""Makes the demo bank: data/events, data/truth, data/demo_bank.json."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Final

import pyarrow as pa
from tqdm import tqdm

from pipelines.params import Params, Simulate
from pipelines.paths import Workspace
from pipelines.simulate import crowd, folder, truth
from pipelines.simulate.bots import Bots
from pipelines.simulate.content import world
from pipelines.simulate.mailbox import Mailbox
from pipelines.simulate.parcels import Group, Parcel
from pipelines.simulate.scenarios import BOT_WAVE

_PEOPLE_A_GROUP: Final = 100
_BOTS_A_GROUP: Final = 10
_WAVE_A_GROUP: Final = 1000


def run(workspace: Workspace, params: Params) -> None:
    """Writes the demo bank of ``params.simulate`` and ``params.seed``: the same values give the same bytes.

    Raises:
        SourceError: data/ holds files that are not the demo bank's.
    """
    folder.refuse_foreign_files(workspace)  # before the work, too
    block = params.simulate
    tables: dict[str, list[pa.Table]] = {name: [] for name in truth.TABLES}
    canaries: set[str] = set()
    counts: Counter[str] = Counter()
    with closing(Mailbox(block.start, block.days, params.seed, world().behaviour.tracker.malformed)) as mailbox:
        for parcel in made(block, params.seed):
            mailbox.put(parcel)
            for name, table in parcel.truth.items():
                tables[name].append(table)
            canaries.update(parcel.canaries)
            counts += parcel.counts
            counts["events"] += len(parcel.lengths)
        known = {name: pa.concat_tables(parts) for name, parts in tables.items()}
        folder.write(workspace, mailbox.files(), known, mailbox.broken, sorted(canaries))
    print(_summary(counts, known, block))


def made(block: Simulate, seed: int) -> Iterator[Parcel]:
    """Yields all parcels of a bank: its people's, its machines', and the waves of machines that scenarios bring."""
    groups = _groups("people", block.people, _PEOPLE_A_GROUP)
    n_bots = Bots(world(), seed, block.days, block.people).n_bots
    everyday = [*groups, *_groups("bots", n_bots, _BOTS_A_GROUP)]
    n_web = 0
    with tqdm(total=block.people, desc="simulate", unit="person", disable=not sys.stderr.isatty()) as bar:
        for group, parcel in zip(everyday, crowd.parcels(block, seed, everyday), strict=True):
            n_web += parcel.counts["web sessions"]
            bar.update(group.after - group.first if group.kind == "people" else 0)
            yield parcel
    waves = [scenario for scenario in block.scenarios if scenario.kind == BOT_WAVE]
    for at, wave in enumerate(waves):
        day = (wave.from_ - block.start).days
        n_days_left = max(block.days - max(day, 0), 0)
        n_runs = round(n_web * n_days_left / block.days * wave.strength)
        runs = _groups("wave", n_runs, _WAVE_A_GROUP, first=at << 24, from_day=max(day, 0))
        yield from crowd.parcels(block, seed, runs)


def _groups(kind: str, n: int, size: int, first: int = 0, from_day: int = 0) -> list[Group]:
    starts = range(first, first + n, size)
    return [Group(kind, start, min(start + size, first + n), from_day) for start in starts]  # type: ignore[arg-type]


def _summary(counts: Counter[str], known: dict[str, pa.Table], block: Simulate) -> str:
    n_cookies = len(known["identity"].column("client_id").unique())
    return (
        f"simulate: world {block.world}, {block.people} people, {n_cookies} cookies and apps, "
        f"{counts['events']} events, {counts['web sessions']} web sessions, {counts['app sessions']} app sessions, "
        f"{known['bots'].num_rows} bots with {counts['bot sessions']} runs\n"
        f"simulate: {counts['home_impression']} impressions, {counts['tile_click']} clicks, "
        f"{counts['application_submitted']} of {counts['application_started']} applications submitted, "
        f"{counts['application_approved']} approved"
    )
