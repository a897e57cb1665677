"""What the simulation records: clients, events, sessions, impressions."""

from typing import NamedTuple

from pipelines.simulate.content import ClientKind, Page, Screen

IMPRESSION = "home_impression"

MS_PER_SECOND = 1000
MS_PER_MINUTE = 60_000
MS_PER_HOUR = 3_600_000
MS_PER_DAY = 86_400_000


class Client(NamedTuple):
    """A cookie of a browser, or an installed app."""

    id: str
    platform: str
    kind: ClientKind
    region: str
    skew_ms: int = 0  # how far its clock is ahead


class Event(NamedTuple):
    """An event as it happened; times are milliseconds since the first day."""

    sent_ms: int
    client: Client
    name: str
    page: Page | Screen
    url: str
    need: str | None = None  # what it was for; null: a bot
    login: str | None = None
    target: str | None = None
    props: dict[str, object] | None = None
    referrer: str | None = None
    query: str | None = None
    utm: dict[str, str] | None = None
    title: str | None = None  # instead of the page's own


class Shown(NamedTuple):
    """A tile of a home-screen impression, with the chance that it was shown there and that it was clicked."""

    impression_id: str
    tile: str
    position: int
    propensity: float
    click_probability: float


class Done(NamedTuple):
    """A visit to the website or the app, as it went."""

    person: int | None  # null: a bot
    events: list[Event]
    shown: list[Shown]
    needs: list[str]  # all that the visitor had in mind, not only what the visit was about
    touches: frozenset[str] = frozenset()  # the scenarios that changed it
