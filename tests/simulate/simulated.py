"""The demo bank as its readers see it: files and parcels read back."""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
from tiny import REPOSITORY, Rows

from pipelines import params as params_file
from pipelines.params import Params, Simulate
from pipelines.paths import Workspace
from pipelines.simulate import stage
from pipelines.simulate.content import world
from pipelines.simulate.lives import Bank
from pipelines.simulate.parcels import Parcel
from pipelines.simulate.record import MS_PER_DAY, Done
from pipelines.simulate.scenarios import Kind, Scenarios
from pipelines.simulate.worlds import LAWS, Name

N_PEOPLE, N_DAYS = 500, 49
FIRST_DAY = date(2026, 1, 5)

Line = dict[str, Any]


def params_of(*overrides: str) -> Params:
    """The repository's params with these values instead."""
    return params_file.load(REPOSITORY / "params.yaml", overrides)


def block_of(*overrides: str) -> Simulate:
    """The block ``simulate`` of params.yaml with these values instead: block_of("people=10")."""
    return params_of(*(f"simulate.{override}" for override in overrides)).simulate


def bank_of(
    name: Name = "default", seed: int = 7, n_days: int = N_DAYS, planned: Iterable[tuple[Kind, date, float]] = ()
) -> Bank:
    """The lives of a bank, nothing of them sent."""
    return Bank(world(), LAWS[name], seed, FIRST_DAY, n_days, Scenarios(world(), FIRST_DAY, list(planned)))


@cache
def lives(name: Name, n_people: int, seed: int = 7) -> list[list[Done]]:
    """What each person of a world does: made once, read only."""
    bank = bank_of(name, seed)
    return [bank.live(number) for number in range(n_people)]


def on_web(done: Done) -> bool:
    return done.events[0].client.platform == "web"


def is_browsing(done: Done) -> bool:
    """Whether a web session is neither an application nor the look at one's outcome."""
    names, pages = {event.name for event in done.events}, {event.page.path for event in done.events}
    return on_web(done) and "application_started" not in names and "/apply/status" not in pages


def files(workspace: Workspace) -> list[Path]:
    return sorted((workspace.data / "events").iterdir())


def truth(workspace: Workspace, name: str) -> Rows:
    rows: Rows = pq.read_table(workspace.truth / f"{name}.parquet").to_pylist()
    return rows


def whole_lines(workspace: Workspace) -> Iterator[bytes]:
    """Every line that is not one of the broken ones, in order of arrival."""
    broken = {(row["file"], row["line"]) for row in truth(workspace, "malformed")}
    for file in files(workspace):
        for number, line in enumerate(gzip.decompress(file.read_bytes()).splitlines(), start=1):
            if (file.name, number) not in broken:
                yield line


def made(block: Simulate, seed: int = 7) -> tuple[list[Line], dict[str, Rows]]:
    """A bank's lines and truth, nothing of them written."""
    parcels: list[Parcel] = list(stage.made(block, seed))
    lines = [json.loads(line) for parcel in parcels for line in parcel.lines]
    names = parcels[0].truth
    return lines, {name: [row for parcel in parcels for row in parcel.truth[name].to_pylist()] for name in names}


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def day_of(moment_: datetime) -> int:
    """Days after the first."""
    first = datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, tzinfo=UTC)
    return int((moment_ - first).total_seconds() * 1000 // MS_PER_DAY)


class Held(NamedTuple):
    """A true session and the lines that arrived of it."""

    session: dict[str, Any]
    lines: list[Line]


def held(lines: Iterable[Line], tables: dict[str, Rows]) -> list[Held]:
    """Every true session with its lines; lines that two sessions of a shared browser could have are in neither."""
    ahead = {row["client_id"]: row["ahead_ms"] for row in tables["clocks"]}
    sessions = defaultdict(list)
    for row in tables["sessions"]:
        sessions[row["client_id"]].append(Held(row, []))
    for line in lines:
        client = line["client"]["id"]
        at_ms = _ms(moment(line["sent_at"])) - ahead.get(client, 0)
        times = ((found, _ms(found.session["start_ts"]), _ms(found.session["end_ts"])) for found in sessions[client])
        possible = [found for found, start_ms, end_ms in times if start_ms <= at_ms <= end_ms]
        if len(possible) == 1:
            possible[0].lines.append(line)
    return [found for of_client in sessions.values() for found in of_client]


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
