"""What a person does in the days of the simulation: visits to the website and the app, applications."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import NamedTuple

from pipelines.simulate.app_use import AppUse, AppVisit
from pipelines.simulate.content import NO_NEED, World
from pipelines.simulate.draws import Draws, Purpose, Weighted
from pipelines.simulate.home_screen import HomeScreen
from pipelines.simulate.people import Episode, Person, client_of, person
from pipelines.simulate.record import MS_PER_DAY, MS_PER_HOUR, MS_PER_SECOND, Event, Shown
from pipelines.simulate.visits import Visit, Visits
from pipelines.simulate.website import Website

_WARM_UP_MS = -7 * MS_PER_DAY  # visits are planned from here on and kept from the first day on


class Plan(NamedTuple):
    """Something that a person will do; sorts by time."""

    ms: int
    number: int  # breaks ties
    what: str  # browse, service, app, apply
    episode: Episode | None


@dataclass
class Traffic:
    """What everybody did, and how often."""

    events: list[Event] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    n_web_sessions: int = 0
    n_app_sessions: int = 0


class Bank:
    """Lives people's lives, one person at a time."""

    def __init__(self, world: World, seed: int, n_days: int, first_weekday: int) -> None:
        self._world, self._seed = world, seed
        self._end_ms = n_days * MS_PER_DAY
        self._n_days, self._first_weekday = n_days, first_weekday
        self._visits = Visits(world, Website(world))
        self._app = AppUse(world, HomeScreen(world))
        self._hours = Weighted(range(24), world.behaviour.clock.hours)

    def live(self, number: int, traffic: Traffic) -> None:
        """Adds to ``traffic`` what person ``number`` does."""
        life = _Life(person(self._world, self._seed, number, self._n_days), self._seed)
        for plan in self._plans(life):
            life.plan(*plan)
        while life.agenda:
            plan_ = heappop(life.agenda)
            ms = max(plan_.ms, life.free_ms)
            over = plan_.what == "browse" and plan_.episode and plan_.ms >= plan_.episode.end_ms
            if ms >= self._end_ms or over:
                continue
            self._do(life, plan_, ms, traffic)
            life.free_ms += int(life.web.quantile(self._world.behaviour.clock.pause_seconds) * MS_PER_SECOND)

    def _do(self, life: "_Life", plan: Plan, ms: int, traffic: Traffic) -> None:
        if plan.what == "app" and life.person.phone:
            visit = self._app.use(self._app_visit(life, ms), life.app)
            self._keep_app(life, visit, traffic)
        elif plan.what == "apply" and plan.episode:
            self._apply(life, plan.episode, ms, traffic)
        else:
            self._browse(life, plan.episode, ms, traffic)

    def _browse(self, life: "_Life", episode: Episode | None, ms: int, traffic: Traffic) -> None:
        need = episode.need if episode else NO_NEED
        others = [other for other in life.person.needs_at(ms) if other != need]
        events = self._visits.browse(self._visit(life, ms, need), life.web, others)
        self._keep_web(life, events, traffic)
        if episode is None or self._world.needs[need].product is None or episode.applied:
            return
        numbers = self._world.behaviour.applications
        if life.web.chance(numbers.start.bounce if len(events) == 1 else numbers.start.longer):
            episode.applied = True
            delay_ms = int(life.web.quantile(numbers.delay_hours) * MS_PER_HOUR)
            life.plan(events[-1].sent_ms + delay_ms, "apply", episode)

    def _apply(self, life: "_Life", episode: Episode, ms: int, traffic: Traffic) -> None:
        numbers = self._world.behaviour.applications
        submits = life.web.chance(numbers.submit)
        if life.person.phone and life.web.chance(numbers.in_app):
            app_visit = self._app.apply(self._app_visit(life, ms), life.app, episode.need, submits)
            self._keep_app(life, app_visit, traffic)
        else:
            self._keep_web(life, self._visits.apply(self._visit(life, ms, episode.need), life.web, submits), traffic)
        if submits:
            granted = self._world.needs[episode.need].grants
            life.person.holdings |= {granted} if granted else set()
            if life.web.chance(self._world.behaviour.needs.ends_when_granted):
                episode.end_ms = ms

    def _visit(self, life: "_Life", ms: int, need: str) -> Visit:
        main = life.web.chance(self._world.behaviour.people.main_device)
        device = life.person.browsers[0] if main else life.web.one_of(life.person.browsers)
        return Visit(client_of(life.person, device, self._world, life.web, ms), ms, need, life.person.login_habit)

    def _app_visit(self, life: "_Life", ms: int) -> AppVisit:
        assert life.person.phone
        client = client_of(life.person, life.person.phone, self._world, life.app, ms)
        return AppVisit(life.person, client, ms, life.person.needs_at(ms))

    def _keep_web(self, life: "_Life", events: list[Event], traffic: Traffic) -> None:
        traffic.n_web_sessions += 1
        traffic.events += events
        life.free_ms = events[-1].sent_ms

    def _keep_app(self, life: "_Life", visit: AppVisit, traffic: Traffic) -> None:
        traffic.n_app_sessions += 1
        traffic.events += visit.events
        traffic.shown += visit.shown
        life.free_ms = visit.ms

    def _plans(self, life: "_Life") -> Iterator[tuple[int, str, Episode | None]]:
        """Yields when somebody will come, and what for."""
        someone, behaviour = life.person, self._world.behaviour
        for episode in someone.episodes:
            days = self._world.needs[episode.need].gap_days / someone.web_activity
            for ms in self._times(life.web, days, episode.start_ms, episode.end_ms, behaviour.clock.weekdays.web):
                yield ms, "browse", episode
        service = behaviour.web.service_gap_days
        days = (service.customer if someone.login else service.other) / someone.web_activity
        for ms in self._times(life.web, days, _WARM_UP_MS, self._end_ms, behaviour.clock.weekdays.web):
            yield ms, "service", None
        if someone.phone:
            days = behaviour.app.gap_days / someone.app_activity
            for ms in self._times(life.app, days, _WARM_UP_MS, self._end_ms, behaviour.clock.weekdays.app):
                yield ms, "app", None

    def _times(
        self, draws: Draws, mean_days: float, start_ms: int, end_ms: int, weekdays: list[float]
    ) -> Iterator[int]:
        """Yields times with random gaps, at hours of the day and on days of the week when people come."""
        ms = start_ms
        while True:
            ms += int(draws.quantile(self._world.behaviour.clock.gap) * mean_days * MS_PER_DAY)
            if ms >= min(end_ms, self._end_ms):
                return
            day = ms // MS_PER_DAY
            if not draws.chance(weekdays[(self._first_weekday + day) % 7]):
                day += 2 + draws.integer(3)  # another day will do
            planned = day * MS_PER_DAY + draws.pick(self._hours) * MS_PER_HOUR + draws.integer(MS_PER_HOUR)
            if planned >= 0:
                yield planned


class _Life:
    """A person, the draws of this life, and what is planned."""

    def __init__(self, person: Person, seed: int) -> None:
        self.person = person
        self.web = Draws(seed, Purpose.WEB, person.number)
        self.app = Draws(seed, Purpose.APP, person.number)
        self.agenda: list[Plan] = []
        self.free_ms = 0
        self._n_plans = 0

    def plan(self, ms: int, what: str, episode: Episode | None) -> None:
        self._n_plans += 1
        heappush(self.agenda, Plan(ms, self._n_plans, what, episode))
