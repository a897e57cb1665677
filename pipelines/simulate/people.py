"""The people: age, holdings, slowly changing needs, the devices they use."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from typing import Final

from pipelines.simulate import devices
from pipelines.simulate.content import Need, World
from pipelines.simulate.devices import Device
from pipelines.simulate.draws import Draws, Purpose, Weighted
from pipelines.simulate.record import MS_PER_DAY

_LOOKBACK_DAYS: Final = (90, 180)  # needs begin this long before the first day, so that it looks like any other
_DOUBLE: Final = 1 << 40  # what a double's number is ahead of the person's: streams of draws of its own
_FIRST_LOGIN, _N_LOGINS, _STRIDE = 1_000_000, 9_000_000, 7919  # a prime: logins of neighbours look unrelated


@dataclass
class Episode:
    """A need, from when to when."""

    need: str
    start_ms: int
    end_ms: int
    applied: bool = False


@dataclass
class Person:
    """Somebody who may visit the website, and may be a customer of the bank."""

    number: int
    age: int  # 0 young, 1 middle, 2 senior
    holdings: set[str]
    login: str | None  # null: not yet a customer
    login_habit: float
    web_activity: float
    app_activity: float
    browsers: list[Device]
    phone: Device | None  # with the app
    taste: dict[str, float]  # factor on each tile, for life
    episodes: list[Episode] = field(default_factory=list)
    last_tile: str | None = None

    def needs_at(self, ms: int) -> list[str]:
        """Returns the needs at a time, the one that lasts longest first."""
        return list(dict.fromkeys(e.need for e in self.episodes if e.start_ms <= ms < e.end_ms))


def login_of(number: int) -> str:
    """Returns the login that person ``number`` has, or gets on becoming a customer."""
    return f"C{_FIRST_LOGIN + (number * _STRIDE + 1_234_567) % _N_LOGINS}"


class Population:
    """The people of a bank by number: each the same one whatever the number of people."""

    def __init__(self, world: World, seed: int, n_days: int) -> None:
        self._world, self._seed = world, seed
        self._numbers = world.behaviour.people
        self._end_ms = n_days * MS_PER_DAY
        self._regions = Weighted(list(world.traffic.regions), list(world.traffic.regions.values()))
        self._ages = Weighted(range(len(self._numbers.ages)), list(self._numbers.ages.values()))
        needs = world.needs.values()
        # The holdings that decide which needs somebody can have.
        self._decisive = {holding for need in needs for holding in (need.needs_holding, need.unless_holding) if holding}
        self._needs_after = cache(self._next_needs)
        self._devices = lru_cache(2)(self._draw_devices)  # the person's before, too: who borrows asks again

    def person(self, number: int) -> Person:
        """Returns person ``number``."""
        draws, numbers = Draws(self._seed, Purpose.PERSON, number), self._numbers
        age = draws.pick(self._ages)
        holdings = {name for name, shares in numbers.holdings.items() if draws.chance(shares[age])}
        has_app = bool(holdings) and draws.chance(numbers.app_share_of_customers)
        borrows = draws.chance(numbers.shares_a_device) and number % 2 == 1
        browsers, phone = self._devices(number)
        someone = Person(
            number=number,
            age=age,
            holdings=holdings,
            login=login_of(number) if holdings else None,
            login_habit=draws.quantile(numbers.login_habit),
            web_activity=draws.quantile(numbers.activity),
            app_activity=draws.quantile(numbers.activity),
            # A borrowed browser is the last one of the person before, who lives in the same household.
            browsers=browsers + (self._devices(number - 1)[0][-1:] if borrows else []),
            phone=phone if has_app else None,
            taste={tile: draws.one_of(self._world.behaviour.app.taste) for tile in self._world.app.tiles},
        )
        lines = [*self._line(someone, draws), *self._line(someone, draws, second=True)]
        someone.episodes = sorted(lines, key=lambda episode: (episode.start_ms - episode.end_ms, episode.start_ms))
        return someone

    def double(self, someone: Person) -> Person:
        """Returns a stranger with the devices and the login of ``someone``: other needs, holdings, tastes and age."""
        stranger = self.person(someone.number + _DOUBLE)
        return replace(
            stranger, number=someone.number, login=someone.login, browsers=someone.browsers, phone=someone.phone,
            app_activity=someone.app_activity, login_habit=someone.login_habit,
        )  # fmt: skip

    def _draw_devices(self, number: int) -> tuple[list[Device], Device]:
        """Returns the browsers of a person, the main one first, and the phone that an app would be on."""
        region = Draws(self._seed, Purpose.HOUSEHOLD, number // 2).pick(self._regions)
        draws = Draws(self._seed, Purpose.DEVICE, number)
        found = devices.browsers(self._world, draws, region, self._end_ms)
        phone = devices.device(self._world, draws, self._world.traffic.app_clients, "app", region, self._end_ms)
        return found, phone

    def _line(self, person: Person, draws: Draws, second: bool = False) -> Iterator[Episode]:
        """Yields needs one after another, with rests between them, from before the first day to the last."""
        numbers = self._world.behaviour.needs
        rest_days = numbers.second_rest_days if second else numbers.rest_days
        decisive = frozenset(person.holdings & self._decisive)
        ms, last = -int(draws.quantile(_LOOKBACK_DAYS) * MS_PER_DAY), None
        while True:
            ms += int(draws.quantile(rest_days) * MS_PER_DAY)
            last = draws.pick(self._needs_after(last, person.age, decisive))
            lasts_ms = int(draws.quantile(numbers.lasts[self._world.needs[last].lasts]) * MS_PER_DAY)
            if ms >= self._end_ms:
                return
            if ms + lasts_ms > 0:
                yield Episode(last, ms, ms + lasts_ms)
            ms += lasts_ms

    def _next_needs(self, last: str | None, age: int, holdings: frozenset[str]) -> Weighted[str]:
        needs, leads_to = self._world.needs, self._world.behaviour.needs.leads_to
        follows = needs[last].leads_to if last else None
        possible = {
            name: need.weight[age] * (leads_to if name == follows else 1)
            for name, need in needs.items()
            if name != last and _possible(need, holdings)
        }
        return Weighted(list(possible), list(possible.values()))


def _possible(need: Need, holdings: frozenset[str]) -> bool:
    required = need.needs_holding is None or need.needs_holding in holdings
    return required and need.unless_holding not in holdings
