"""Visits to the app: the home screen with its tiles, service screens, applications and their outcome."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import fsum

from pipelines.simulate.content import NO_NEED, Screen, World
from pipelines.simulate.draws import Draws, Weighted
from pipelines.simulate.home_screen import HomeScreen
from pipelines.simulate.people import Person
from pipelines.simulate.record import IMPRESSION, MS_PER_SECOND, Client, Event, Shown

_HOME, _APPLY, _STATUS = "/home", "/apply", "/apply/status"
_ID_LETTERS = 12
_RESPONSE_MS = 400  # the app's answer to a tap
_TRUTH_DIGITS = 6


@dataclass
class AppVisit:
    """A visit to the app while it goes on."""

    person: Person
    client: Client
    ms: int
    needs: list[str]
    factors: Mapping[str, float]  # what moves the person towards each tile beyond taste, holdings and habit
    events: list[Event] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)


class AppUse:
    """Makes app visits; every draw comes from the ``draws`` of the person."""

    def __init__(self, world: World, home_screen: HomeScreen) -> None:
        self._world = world
        self._numbers = world.behaviour.app
        self._home_screen = home_screen
        self._screens = {screen.path: screen for screen in world.app.screens}
        self._services = Weighted(world.app.screens, [screen.weight for screen in world.app.screens])

    def use(self, visit: AppVisit, draws: Draws) -> AppVisit:
        """Goes through the home screen, perhaps more than once, and some service screens."""
        n_screens = int(draws.quantile(self._numbers.screens))
        while True:
            self._home(visit, draws)
            if not draws.chance(self._numbers.home_again):
                break
        for _ in range(n_screens):
            self._view(visit, draws, draws.pick(self._services))
        return visit

    def apply(self, visit: AppVisit, draws: Draws, need: str, submits: bool) -> AppVisit:
        """Opens the app to apply for the product of ``need``."""
        self._home(visit, draws)
        screen = self._screens[_APPLY]
        props: dict[str, object] = {"product": self._world.needs[need].product}
        self._view(visit, draws, screen)
        self._add(visit, screen, "application_started", target=screen.path, props=props)
        visit.ms += int(draws.quantile(self._world.behaviour.applications.form_seconds) * MS_PER_SECOND)
        if submits:
            self._add(visit, screen, "application_submitted", target=screen.path, props=props)
        return visit

    def learn_outcome(self, visit: AppVisit, draws: Draws, need: str, approved: bool) -> AppVisit:
        """Opens the app to read what became of an application."""
        self._home(visit, draws)
        screen = self._screens[_STATUS]
        self._view(visit, draws, screen)
        if approved:
            self._add(visit, screen, "application_approved", props={"product": self._world.needs[need].product})
        return visit

    def _home(self, visit: AppVisit, draws: Draws) -> None:
        screens = self._home_screen
        tiles = screens.show(draws)
        chances = screens.click_chances(visit.person, visit.factors, tiles)
        propensities = [screens.propensity[tile][position] for position, tile in enumerate(tiles)]
        impression_id = f"imp-{draws.letters(_ID_LETTERS)}"
        props: dict[str, object] = {"impression_id": impression_id, "tiles": tiles, "propensities": propensities}
        home = self._screens[_HOME]
        self._add(visit, home, IMPRESSION, props=props)
        visit.shown += [
            Shown(impression_id, tile, position, propensities[position], round(chances[position], _TRUTH_DIGITS))
            for position, tile in enumerate(tiles)
        ]
        visit.ms += int(draws.quantile(self._numbers.dwell) * MS_PER_SECOND)
        place = draws.place([*chances, 1.0 - fsum(chances)])
        if place < len(tiles):
            clicked = tiles[place]
            self._add(visit, home, "tile_click", target=clicked, props={"impression_id": impression_id})
            visit.ms += _RESPONSE_MS
            self._view(visit, draws, self._screens[self._world.app.tiles[clicked].screen])
            visit.person.last_tile = clicked

    def _view(self, visit: AppVisit, draws: Draws, screen: Screen) -> None:
        self._add(visit, screen, "page_view")
        visit.ms += int(draws.quantile(self._numbers.dwell) * MS_PER_SECOND)

    def _add(
        self,
        visit: AppVisit,
        screen: Screen,
        name: str,
        target: str | None = None,
        props: dict[str, object] | None = None,
    ) -> None:
        url = self._world.traffic.app_scheme + screen.path
        need = visit.needs[0] if visit.needs else NO_NEED
        visit.events.append(Event(visit.ms, visit.client, name, screen, url, need, visit.person.login, target, props))
