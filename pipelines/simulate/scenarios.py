"""What changes from a chosen day on: each scenario touches a share of the sessions, alone or with others."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from pipelines.simulate.content import Need, Page, World
from pipelines.simulate.draws import Draws
from pipelines.simulate.record import MS_PER_DAY, Event

Kind = Literal["launch", "intent_shift", "tracker_rename", "dead_tag", "bot_wave"]

LAUNCH: Final[Kind] = "launch"  # a new product: its pages, never seen before, and a campaign for it
INTENT_SHIFT: Final[Kind] = "intent_shift"  # people come for other needs
TRACKER_RENAME: Final[Kind] = "tracker_rename"  # an update of the tracker calls an event by another name
DEAD_TAG: Final[Kind] = "dead_tag"  # one area of the website sends nothing any more
BOT_WAVE: Final[Kind] = "bot_wave"  # scrapers that pass for people, as many sessions as the share says


@dataclass(frozen=True)
class Scenario:
    """A change of the bank."""

    kind: Kind
    from_day: int  # days after the first
    strength: float  # the share of sessions that it touches


class Scenarios:
    """The scenarios of a bank; a session asks which of them touch it."""

    def __init__(self, world: World, first: date, planned: Sequence[tuple[Kind, date, float]]) -> None:
        changes = [Scenario(kind, (day - first).days, strength) for kind, day, strength in planned]
        self._touching = [scenario for scenario in changes if scenario.kind != BOT_WAVE]  # a wave only adds sessions
        self._numbers = world.behaviour.scenarios
        self._areas = frozenset(page.path for page in world.pages.values() if page.area == self._numbers.dead_area)
        needs: dict[str, Need] = {name: world.needs[name] for name in self._numbers.shifts_to}
        self._shifted = list(needs)
        self.launch_pages: list[Page] = list(world.launch.values())

    def touches(self, ms: int, draws: Draws) -> frozenset[str]:
        """Returns the scenarios that touch a person's session which begins now; draws once for each under way."""
        running = [scenario for scenario in self._touching if ms >= scenario.from_day * MS_PER_DAY]
        return frozenset(scenario.kind for scenario in running if draws.chance(scenario.strength))

    def shifted_need(self, draws: Draws) -> str:
        return draws.one_of(self._shifted)

    def tracked(self, events: list[Event], touches: frozenset[str]) -> list[Event]:
        """Returns what the tracker sends of a session's events."""
        if DEAD_TAG in touches:
            events = [event for event in events if event.page.path not in self._areas]
        if TRACKER_RENAME in touches:
            names = self._numbers.renamed_events
            events = [event._replace(name=names.get(event.name, event.name)) for event in events]
        return events
