"""Browsers and phones, and the ids that a tracker gives them: cookies that expire, clocks that are off."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.simulate.content import ClientKind, World
from pipelines.simulate.draws import Draws, Weighted
from pipelines.simulate.record import MS_PER_DAY, MS_PER_MINUTE, Client


@dataclass(frozen=True)
class Device:
    """A browser or phone: its clients one after another, whoever uses it."""

    clients: list[Client]
    until_ms: list[int]  # when each is replaced

    def client(self, ms: int) -> Client:
        return self.clients[bisect_right(self.until_ms, ms)]


def device(world: World, draws: Draws, kinds: Sequence[ClientKind], platform: str, region: str, end_ms: int) -> Device:
    """Returns a device of one of ``kinds`` with all its ids up to ``end_ms``; the first of them may be of any age."""
    kind = draws.pick(Weighted(kinds, [kind.weight for kind in kinds]))
    lives = world.behaviour.web.keeps[kind.keeps or ""]
    clock = world.behaviour.tracker.clock
    skew_ms = int(draws.quantile(clock.minutes) * MS_PER_MINUTE) if draws.chance(clock.share) else 0
    until_ms = [int(draws.uniform() * draws.quantile(lives) * MS_PER_DAY)]
    while until_ms[-1] < end_ms:
        until_ms.append(until_ms[-1] + int(draws.quantile(lives) * MS_PER_DAY))
    return Device([Client(draws.uuid(), platform, kind, region, skew_ms) for _ in until_ms], until_ms)


def browsers(world: World, draws: Draws, region: str, end_ms: int) -> list[Device]:
    """Returns the browsers of a person, the main one first."""
    shares = world.behaviour.people.devices
    kinds = [kinds for name, kinds in world.traffic.web_clients.items() if draws.chance(shares[name])]
    kinds = kinds or [*world.traffic.web_clients.values()][:1]
    found = [device(world, draws, choices, "web", region, end_ms) for choices in kinds]
    return [found.pop(draws.integer(len(found))), *found]
