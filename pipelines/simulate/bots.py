"""Machines on the website: a few that say what they are, a few that do not."""

from collections.abc import Sequence

from pipelines.simulate.content import ClientKind, World
from pipelines.simulate.draws import Draws, Purpose
from pipelines.simulate.record import MS_PER_DAY, MS_PER_SECOND, Client, Event
from pipelines.simulate.website import Website


def crawl(world: World, seed: int, n_days: int, n_people: int) -> tuple[list[Event], list[Client]]:
    """Returns what all bots did, and who they were: the declared ones first, then as many that pass for browsers."""
    n_each = 1 + n_people // world.behaviour.bots.people_per_bot
    website = Website(world)
    browsers = [kind for kinds in world.traffic.web_clients.values() for kind in kinds]
    events: list[Event] = []
    clients: list[Client] = []
    for number in range(2 * n_each):
        draws = Draws(seed, Purpose.BOT, number)
        declared = number < n_each
        clients.append(_client(draws, world, world.traffic.declared_bots if declared else browsers))
        numbers = world.behaviour.bots.declared if declared else world.behaviour.bots.undeclared
        n_visits = n_days if declared else draws.one_of(world.behaviour.bots.undeclared.days)
        for visit in range(n_visits):
            day = visit if declared else draws.integer(n_days)
            n_pages = int(draws.quantile(numbers.pages))
            start_ms = day * MS_PER_DAY + draws.integer(MS_PER_DAY // 2)
            events += _run(draws, website, world.traffic.web_host, clients[-1], start_ms, n_pages, numbers.seconds)
    return events, clients


def _client(draws: Draws, world: World, kinds: Sequence[ClientKind]) -> Client:
    kind = draws.one_of(kinds)
    return Client(draws.uuid(), "web", kind, draws.one_of(list(world.traffic.regions)), None, None)


def _run(
    draws: Draws, website: Website, host: str, client: Client, ms: int, n_pages: int, seconds: Sequence[float]
) -> list[Event]:
    """Returns a run over pages in no order and for no need, without a pause for reading."""
    events = []
    for _ in range(n_pages):
        page = draws.pick(website.popular)
        url = host + page.path.format(branch=1000, case=48_120_000)
        events.append(Event(ms, client, "page_view", url, page.title, page.text))
        ms += int(draws.quantile(seconds) * MS_PER_SECOND)
    return events
