"""The people: age, holdings, slowly changing needs, browsers and their cookies."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from pipelines.simulate.content import ClientKind, Need, World
from pipelines.simulate.draws import Draws, Purpose, Weighted
from pipelines.simulate.record import MS_PER_DAY, Client

_LOOKBACK_DAYS = (90, 180)  # needs begin this long before the first day, so that it looks like any other


@dataclass
class Episode:
    """A need, from when to when."""

    need: str
    start_ms: int
    end_ms: int
    applied: bool = False


@dataclass
class Device:
    """A browser or phone of a person, and the id it has at the moment."""

    kind: ClientKind
    platform: str
    client: Client | None = None
    kept_until_ms: int = 0


@dataclass
class Person:
    """Somebody who may visit the website, and may be a customer of the bank."""

    number: int
    age: int  # 0 young, 1 middle, 2 senior
    region: str
    holdings: set[str]
    login: str | None
    login_habit: float
    web_activity: float
    app_activity: float
    browsers: list[Device]
    phone: Device | None  # with the app
    taste: dict[str, float]  # factor on each tile, for life
    episodes: list[Episode] = field(default_factory=list)
    last_tile: str | None = None

    @property
    def id(self) -> str:
        return f"person-{self.number}"

    def needs_at(self, ms: int) -> list[str]:
        """Returns the needs at a time, the one that lasts longest first."""
        return list(dict.fromkeys(e.need for e in self.episodes if e.start_ms <= ms < e.end_ms))


def person(world: World, seed: int, number: int, n_days: int) -> Person:
    """Returns person ``number``: the same one whatever the number of people."""
    draws = Draws(seed, Purpose.PERSON, number)
    numbers = world.behaviour.people
    age = draws.pick(Weighted(range(len(numbers.ages)), list(numbers.ages.values())))
    holdings = {name for name, shares in numbers.holdings.items() if draws.chance(shares[age])}
    has_app = bool(holdings) and draws.chance(numbers.app_share_of_customers)
    someone = Person(
        number=number,
        age=age,
        region=draws.pick(Weighted(list(world.traffic.regions), list(world.traffic.regions.values()))),
        holdings=holdings,
        login=f"C{1_000_000 + (number * 7919 + 1_234_567) % 9_000_000}" if holdings else None,
        login_habit=draws.quantile(numbers.login_habit),
        web_activity=draws.quantile(numbers.activity),
        app_activity=draws.quantile(numbers.activity),
        browsers=_browsers(world, draws),
        phone=Device(_kind(world.traffic.app_clients, draws), "app") if has_app else None,
        taste={tile: draws.one_of(world.behaviour.app.taste) for tile in world.app.tiles},
    )
    end_ms = n_days * MS_PER_DAY
    lines = [*_line(world, someone, draws, end_ms), *_line(world, someone, draws, end_ms, second=True)]
    someone.episodes = sorted(lines, key=lambda episode: (episode.start_ms - episode.end_ms, episode.start_ms))
    return someone


def client_of(person: Person, device: Device, world: World, draws: Draws, ms: int) -> Client:
    """Returns the client that ``device`` is at a time: a new one when its cookie is gone."""
    if device.client is None or ms >= device.kept_until_ms:
        days = draws.quantile(world.behaviour.web.keeps[device.kind.keeps or ""])
        age = draws.uniform() if device.client is None else 0.0  # the first cookie may be of any age
        device.kept_until_ms = ms + int((1 - age) * days * MS_PER_DAY)
        device.client = Client(draws.uuid(), device.platform, device.kind, person.region, person.id, person.login)
    return device.client


def _browsers(world: World, draws: Draws) -> list[Device]:
    """Returns the browsers of a person, the main one first."""
    shares = world.behaviour.people.devices
    kinds = [kinds for name, kinds in world.traffic.web_clients.items() if draws.chance(shares[name])]
    browsers = [Device(_kind(choices, draws), "web") for choices in kinds or [*world.traffic.web_clients.values()][:1]]
    return [browsers.pop(draws.integer(len(browsers))), *browsers]


def _kind(kinds: list[ClientKind], draws: Draws) -> ClientKind:
    return draws.pick(Weighted(kinds, [kind.weight for kind in kinds]))


def _line(world: World, person: Person, draws: Draws, end_ms: int, second: bool = False) -> Iterator[Episode]:
    """Yields needs one after another, with rests between them, from before the first day to the last."""
    numbers = world.behaviour.needs
    rest_days = numbers.second_rest_days if second else numbers.rest_days
    ms, last = -int(draws.quantile(_LOOKBACK_DAYS) * MS_PER_DAY), None
    while True:
        ms += int(draws.quantile(rest_days) * MS_PER_DAY)
        last = draws.pick(_next_needs(world, person, last))
        lasts_ms = int(draws.quantile(numbers.lasts[world.needs[last].lasts]) * MS_PER_DAY)
        if ms >= end_ms:
            return
        if ms + lasts_ms > 0:
            yield Episode(last, ms, ms + lasts_ms)
        ms += lasts_ms


def _next_needs(world: World, person: Person, last: str | None) -> Weighted[str]:
    follows = world.needs[last].leads_to if last else None
    weights = [
        need.weight[person.age] * (world.behaviour.needs.leads_to if name == follows else 1) * _possible(need, person)
        for name, need in world.needs.items()
        if name != last
    ]
    return Weighted([name for name in world.needs if name != last], weights)


def _possible(need: Need, person: Person) -> bool:
    required = need.needs_holding is None or need.needs_holding in person.holdings
    return required and need.unless_holding not in person.holdings
