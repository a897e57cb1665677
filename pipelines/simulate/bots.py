"""Machines on the website: crawlers that say what they are, scrapers that do not, and waves of them."""

from collections.abc import Sequence
from typing import Final

from pipelines.simulate.behaviour import DeclaredBotNumbers
from pipelines.simulate.content import ClientKind, World
from pipelines.simulate.draws import Draws, Purpose
from pipelines.simulate.record import MS_PER_DAY, MS_PER_SECOND, Client, Done, Event
from pipelines.simulate.website import Website

_WAVE: Final = 1 << 32  # the machines of waves are numbered from here on


class Bots:
    """All machines of a bank: even numbers say what they are, odd ones pass for browsers."""

    def __init__(self, world: World, seed: int, n_days: int, n_people: int) -> None:
        self._world, self._seed, self._n_days = world, seed, n_days
        self._numbers = world.behaviour.bots
        self._popular = Website(world).popular
        self._browsers = [kind for kinds in world.traffic.web_clients.values() for kind in kinds]
        self.n_bots = 2 * (1 + n_people // self._numbers.people_per_bot)

    def live(self, number: int) -> list[Done]:
        """Returns the runs of machine ``number``."""
        draws = Draws(self._seed, Purpose.BOT, number)
        declared = number % 2 == 0
        client = self._client(draws, self._world.traffic.declared_bots if declared else self._browsers)
        numbers = self._numbers.declared if declared else self._numbers.undeclared
        days = range(self._n_days)
        if not declared:
            days_it_comes = draws.one_of(self._numbers.undeclared.days)
            return [self._run(draws, client, draws.integer(self._n_days), numbers) for _ in range(days_it_comes)]
        return [self._run(draws, client, day, numbers) for day in days]

    def wave(self, number: int, from_day: int) -> list[Done]:
        """Returns the one run of a machine of a wave, slow enough to pass for a person, under an id of its own."""
        draws = Draws(self._seed, Purpose.BOT, _WAVE + number)
        client = self._client(draws, self._browsers)
        day = from_day + draws.integer(max(self._n_days - from_day, 1))
        return [self._run(draws, client, day, self._numbers.wave)]

    def _client(self, draws: Draws, kinds: Sequence[ClientKind]) -> Client:
        return Client(draws.uuid(), "web", draws.one_of(kinds), draws.one_of(list(self._world.traffic.regions)))

    def _run(self, draws: Draws, client: Client, day: int, numbers: DeclaredBotNumbers) -> Done:
        """Returns a run over pages in no order and for no need, without a pause for reading."""
        ms = day * MS_PER_DAY + draws.integer(MS_PER_DAY // 2)
        events = []
        for _ in range(int(draws.quantile(numbers.pages))):
            page = draws.pick(self._popular)
            url = self._world.traffic.web_host + page.path.format(branch=1000, case=48_120_000, question=3000)
            events.append(Event(ms, client, "page_view", page, url))
            ms += int(draws.quantile(numbers.seconds) * MS_PER_SECOND)
        return Done(None, events, [], [])
