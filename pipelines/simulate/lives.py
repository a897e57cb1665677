"""What a person does in the days of the simulation: visits to the website and the app, applications."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from heapq import heappop, heappush
from typing import Final, NamedTuple

from pipelines.simulate.app_use import AppUse, AppVisit
from pipelines.simulate.content import NO_NEED, World
from pipelines.simulate.draws import Draws, Purpose, Weighted
from pipelines.simulate.home_screen import HomeScreen
from pipelines.simulate.people import Episode, Person, Population, login_of
from pipelines.simulate.record import MS_PER_DAY, MS_PER_HOUR, MS_PER_SECOND, Done, Event
from pipelines.simulate.scenarios import INTENT_SHIFT, LAUNCH, Scenarios
from pipelines.simulate.visits import Visit, Visits
from pipelines.simulate.website import Website
from pipelines.simulate.worlds import Laws, PagePush

_WARM_UP_MS: Final = -7 * MS_PER_DAY  # visits are planned from here on and kept from the first day on
_WEB: Final = frozenset({"browse", "service"})
_REST: Final = frozenset({"app", "apply", "outcome"})


class Plan(NamedTuple):
    """Something that a person will do; sorts by time."""

    ms: int
    number: int  # breaks ties
    what: str  # browse, service, app, apply, outcome
    episode: Episode | None


class Bank:
    """Lives people's lives, one person at a time."""

    def __init__(self, world: World, laws: Laws, seed: int, first: date, n_days: int, scenarios: Scenarios) -> None:
        self._world, self._laws, self._seed = world, laws, seed
        self._end_ms = n_days * MS_PER_DAY
        self._people = Population(world, seed, n_days)
        self._scenarios = scenarios
        self._calendar = _Calendar(world, first, n_days)
        self._visits = Visits(world, Website(world, laws.ordered), needs_show=not laws.by_page)
        self._home_screen = HomeScreen(world)
        self._app = AppUse(world, self._home_screen)
        self._push = PagePush(world, seed) if laws.by_page else None

    def live(self, number: int) -> list[Done]:
        """Returns what person ``number`` does, in order of time."""
        someone = self._people.person(number)
        if not self._laws.strangers:
            return self._lived(_Life(someone, self._seed, _WEB | _REST))
        stranger = self._people.double(someone)
        lived = self._lived(_Life(someone, self._seed, _WEB)) + self._lived(_Life(stranger, self._seed, _REST, 1))
        return sorted(lived, key=lambda done: done.events[0].sent_ms)

    def _lived(self, life: "_Life") -> list[Done]:
        for plan in self._plans(life):
            life.plan(*plan)
        while life.agenda:
            plan_ = heappop(life.agenda)
            ms = max(plan_.ms, life.free_ms)
            over = plan_.what == "browse" and plan_.episode and plan_.ms >= plan_.episode.end_ms
            if ms >= self._end_ms or over:
                continue
            self._do(life, plan_, ms)
            life.free_ms += int(life.web.quantile(self._world.behaviour.clock.pause_seconds) * MS_PER_SECOND)
        return life.done

    def _do(self, life: "_Life", plan: Plan, ms: int) -> None:
        if plan.what == "app" and life.person.phone:
            life.keep_app("app", self._app.use(self._app_visit(life, ms), life.app))
        elif plan.what == "apply" and plan.episode:
            self._apply(life, plan.episode, ms)
        elif plan.what == "outcome" and plan.episode:
            self._learn_outcome(life, plan.episode, ms)
        else:
            self._browse(life, plan.what, plan.episode, ms)

    def _browse(self, life: "_Life", what: str, episode: Episode | None, ms: int) -> None:
        need = episode.need if episode else NO_NEED
        touches = self._scenarios.touches(ms, life.changes)
        if INTENT_SHIFT in touches:
            need = self._scenarios.shifted_need(life.changes)
        others = [other for other in life.person.needs_at(ms) if other != need] if self._laws.ordered else []
        visit = self._visit(life, ms, need)
        visit.launch_pages = self._scenarios.launch_pages if LAUNCH in touches else []
        events = self._visits.browse(visit, life.web, others)
        life.keep_web(what, Done(life.person.number, events, [], _needs(events), touches))
        if self._push:
            for sold in self._push.sold(events, life.web):
                self._start(life, life.interest(sold, events[-1].sent_ms), events[-1].sent_ms)
        elif episode is not None:
            numbers = self._world.behaviour.applications.start
            if life.web.chance(numbers.bounce if len(events) == 1 else numbers.longer):
                self._start(life, episode, events[-1].sent_ms)

    def _start(self, life: "_Life", episode: Episode, ms: int) -> None:
        """Plans an application, the first one of its episode."""
        if episode.applied or self._world.needs[episode.need].product is None:
            return
        episode.applied = True
        delay_ms = int(life.web.quantile(self._world.behaviour.applications.delay_hours) * MS_PER_HOUR)
        life.plan(ms + delay_ms, "apply", episode)

    def _apply(self, life: "_Life", episode: Episode, ms: int) -> None:
        numbers = self._world.behaviour.applications
        submits = life.web.chance(numbers.submit)
        if life.person.phone and (life.copy or life.web.chance(numbers.in_app)):
            life.keep_app("apply", self._app.apply(self._app_visit(life, ms), life.app, episode.need, submits))
        else:
            events = self._visits.apply(self._visit(life, ms, episode.need), life.web, submits)
            life.keep_web("apply", Done(life.person.number, events, [], _needs(events)))
        if submits:
            delay_ms = int(life.web.quantile(numbers.decision_days) * MS_PER_DAY)
            life.plan(life.free_ms + delay_ms, "outcome", episode)

    def _learn_outcome(self, life: "_Life", episode: Episode, ms: int) -> None:
        """Tells a person of an application's outcome; who is approved holds the product and is a customer then."""
        numbers = self._world.behaviour.applications
        approved = life.web.chance(numbers.approved)
        if life.person.phone and (life.copy or life.web.chance(numbers.outcome_in_app)):
            visit = self._app.learn_outcome(self._app_visit(life, ms), life.app, episode.need, approved)
            life.keep_app("outcome", visit)
        else:
            events = self._visits.learn_outcome(self._visit(life, ms, episode.need), life.web, approved)
            life.keep_web("outcome", Done(life.person.number, events, [], _needs(events)))
        if approved:
            granted = self._world.needs[episode.need].grants
            life.person.holdings |= {granted} if granted else set()
            life.person.login = life.person.login or login_of(life.person.number)
            if life.web.chance(self._world.behaviour.needs.ends_when_granted):
                episode.end_ms = min(episode.end_ms, ms)

    def _visit(self, life: "_Life", ms: int, need: str) -> Visit:
        main = life.web.chance(self._world.behaviour.people.main_device)
        device = life.person.browsers[0] if main else life.web.one_of(life.person.browsers)
        return Visit(device.client(ms), ms, need, life.person.login, life.person.login_habit)

    def _app_visit(self, life: "_Life", ms: int) -> AppVisit:
        assert life.person.phone
        needs = life.person.needs_at(ms)
        factors = self._push.factors(life.seen, ms) if self._push else self._home_screen.of_needs(needs)
        return AppVisit(life.person, life.person.phone.client(ms), ms, needs, factors)

    def _plans(self, life: "_Life") -> Iterator[tuple[int, str, Episode | None]]:
        """Yields when somebody will come, and what for."""
        someone, behaviour = life.person, self._world.behaviour
        weekdays = behaviour.clock.weekdays
        for episode in someone.episodes:
            days = self._world.needs[episode.need].gap_days / someone.web_activity
            until_ms = min(episode.end_ms, self._end_ms)
            for ms in self._calendar.times(life.web, days, episode.start_ms, until_ms, weekdays.web, False):
                yield ms, "browse", episode
        service = behaviour.web.service_gap_days
        days = (service.customer if someone.login else service.other) / someone.web_activity
        for ms in self._calendar.times(life.web, days, _WARM_UP_MS, self._end_ms, weekdays.web, True):
            yield ms, "service", None
        if someone.phone:
            days = behaviour.app.gap_days / someone.app_activity
            for ms in self._calendar.times(life.app, days, _WARM_UP_MS, self._end_ms, weekdays.app, True):
                yield ms, "app", None


class _Calendar:
    """When people come: hours of the day, days of the week, paydays."""

    def __init__(self, world: World, first: date, n_days: int) -> None:
        self._numbers = world.behaviour.clock
        self._weekday = first.weekday()
        self._hours = Weighted(range(24), self._numbers.hours)
        paydays = {day for day in range(n_days) if (first + timedelta(days=day)).day in self._numbers.paydays}
        self._near_payday = {day + off: day for day in paydays for off in (2, 1, -1, -2, 0)}  # the day itself last

    def times(
        self, draws: Draws, mean_days: float, start_ms: int, end_ms: int, weekdays: list[float], money: bool
    ) -> Iterator[int]:
        """Yields times with random gaps, at hours and on days when people come; for ``money``, drawn to paydays."""
        ms = start_ms
        while True:
            ms += int(draws.quantile(self._numbers.gap) * mean_days * MS_PER_DAY)
            if ms >= end_ms:
                return
            day = ms // MS_PER_DAY
            if money and day in self._near_payday and draws.chance(self._numbers.payday_pull):
                day = self._near_payday[day]
            elif not draws.chance(weekdays[(self._weekday + day) % 7]):
                day += 2 + draws.integer(3)  # another day will do
            planned = day * MS_PER_DAY + draws.pick(self._hours) * MS_PER_HOUR + draws.integer(MS_PER_HOUR)
            if planned >= 0:
                yield planned


@dataclass
class _Life:
    """A person, the draws of this life, what is planned, and what was done and is kept of it."""

    person: Person
    seed: int
    keeps: frozenset[str]  # the kinds of plans that anybody sees
    copy: int = 0  # 1: a double's draws, not the person's; a double keeps off the website where there is an app
    agenda: list[Plan] = field(default_factory=list)
    done: list[Done] = field(default_factory=list)
    seen: list[tuple[int, str]] = field(default_factory=list)  # pages viewed: time, path
    free_ms: int = 0

    def __post_init__(self) -> None:
        stream = 2 * self.person.number + self.copy
        self.web = Draws(self.seed, Purpose.WEB, stream)
        self.app = Draws(self.seed, Purpose.APP, stream)
        self.changes = Draws(self.seed, Purpose.SCENARIO, stream)
        self._n_plans = 0
        self._interests: dict[str, Episode] = {}

    def plan(self, ms: int, what: str, episode: Episode | None) -> None:
        self._n_plans += 1
        heappush(self.agenda, Plan(ms, self._n_plans, what, episode))

    def interest(self, need: str, ms: int) -> Episode:
        """Returns the one episode of a product that pages sold."""
        return self._interests.setdefault(need, Episode(need, ms, ms))

    def keep_web(self, what: str, done: Done) -> None:
        self.seen += [(event.sent_ms, event.page.path) for event in done.events if event.name == "page_view"]
        self._keep(what, done, done.events[-1].sent_ms)

    def keep_app(self, what: str, visit: AppVisit) -> None:
        self._keep(what, Done(self.person.number, visit.events, visit.shown, visit.needs or [NO_NEED]), visit.ms)

    def _keep(self, what: str, done: Done, ends_ms: int) -> None:
        self.free_ms = ends_ms
        if what in self.keeps:
            self.done.append(done)


def _needs(events: list[Event]) -> list[str]:
    return list(dict.fromkeys(event.need or NO_NEED for event in events))
