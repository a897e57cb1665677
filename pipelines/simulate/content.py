"""The bank's content, read from ``content/*.yaml`` and checked: pages, needs, app, traffic."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel, ConfigDict

from pipelines.simulate.behaviour import Behaviour

NO_NEED: Final = "none"
"""The need of a visit that has none: service visits, and browsing."""

_FOLDER: Final = Path(__file__).parent / "content"


class Entry(BaseModel):
    """A block of a content file: frozen, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Page(Entry):
    """A page of the website."""

    path: str
    role: str
    area: str
    popularity: float
    title: str
    text: str
    needs: dict[str, float]
    clicks: list[str] = []


class Need(Entry):
    """Something that a person wants for a while."""

    weight: list[float]
    lasts: str
    gap_days: float
    tiles: dict[str, float]
    queries: list[str]
    needs_holding: str | None = None
    unless_holding: str | None = None
    leads_to: str | None = None
    product: str | None = None
    grants: str | None = None
    apply: str | None = None


class Screen(Entry):
    """A screen of the app."""

    path: str
    title: str
    text: str
    weight: float


class Tile(Entry):
    """A tile of the app's home screen."""

    screen: str
    policy: float
    popularity: float
    holding: str | None = None
    holders: float = 1.0


class App(Entry):
    """The app."""

    screens: list[Screen]
    tiles: dict[str, Tile]


class ClientKind(Entry):
    """What the tracker says of a browser or an app, and how long its id lives."""

    device: str
    os: str
    browser: str
    ua: str
    weight: float = 1.0
    keeps: str | None = None


class EntryKind(Entry):
    """A way in which a web session begins."""

    weight: float
    roles: dict[str, float]
    referrer: str | None = None
    source: str | None = None
    medium: str | None = None
    campaign: bool = False


class Question(Entry):
    """A question that a customer posted in the forum, and the needs whose people read it."""

    title: str
    needs: list[str]


class Traffic(Entry):
    """Where visits come from, and what they are made with."""

    web_host: str
    app_scheme: str
    regions: dict[str, float]
    web_clients: dict[str, list[ClientKind]]
    app_clients: list[ClientKind]
    declared_bots: list[ClientKind]
    entries: dict[str, EntryKind]
    campaigns: dict[str, str]
    common_queries: list[str]
    hostile_queries: list[str]
    community_titles: list[Question]
    hostile_titles: list[str]


@dataclass(frozen=True)
class World:
    """Everything that the simulated bank is made of."""

    pages: Mapping[str, Page]  # by path
    needs: Mapping[str, Need]
    app: App
    traffic: Traffic
    behaviour: Behaviour
    launch: Mapping[str, Page]  # pages of a product that is not yet on the website, by path


@cache
def world() -> World:
    """Returns the bank of the content files."""
    return World(
        pages=_pages("pages"),
        needs={name: Need.model_validate(need) for name, need in _read("needs").items()},
        app=App.model_validate(_read("app")),
        traffic=Traffic.model_validate(_read("traffic")),
        behaviour=Behaviour.model_validate(_read("behaviour")),
        launch=_pages("launch"),
    )


def _pages(name: str) -> dict[str, Page]:
    pages = [Page.model_validate(page) for page in _read(name)]
    return {page.path: page for page in pages}


def _read(name: str) -> Any:
    return yaml.load((_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
