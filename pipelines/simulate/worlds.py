"""The worlds: what ties the website to the app and to applications. Two of them are there to say no.

- ``default``: the needs that make web sessions also move tile clicks and applications.
- ``null``: tile clicks and applications are a stranger's, who uses the same devices and login: no web signal may help.
  Who has the app applies there alone: an application on the website would tell what the next clicks are about.
- ``counts``: every page pushes one tile and one product, drawn by lot and apart from all needs, each time it is seen.
  How often each page was seen says all; order, time and text say nothing more.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from pipelines.simulate.content import World
from pipelines.simulate.draws import Draws, Purpose
from pipelines.simulate.record import MS_PER_DAY, Event

Name = Literal["default", "null", "counts"]


@dataclass(frozen=True)
class Laws:
    """What holds in a world."""

    strangers: bool = False  # who is in the app is not who is on the website
    by_page: bool = False  # pages seen, not needs, move clicks and applications
    ordered: bool = True  # a step on the website depends on the page before


LAWS: Final[dict[Name, Laws]] = {
    "default": Laws(),
    "null": Laws(strangers=True),
    "counts": Laws(by_page=True, ordered=False),
}


class PagePush:
    """The world ``counts``: the tile and the need with a product that each page pushes."""

    def __init__(self, world: World, seed: int) -> None:
        self._numbers = world.behaviour.by_page
        draws = Draws(seed, Purpose.PAGES)
        tiles = list(world.app.tiles)
        sellable = [name for name, need in world.needs.items() if need.product]
        self._tile = {path: draws.one_of(tiles) for path in world.pages}
        self._need = {path: draws.one_of(sellable) for path in world.pages}

    def factors(self, seen: Iterable[tuple[int, str]], ms: int) -> dict[str, float]:
        """Returns the factor on each pushed tile at a time, given (time, path) of the pages seen before."""
        since_ms = ms - int(self._numbers.days * MS_PER_DAY)
        counts: dict[str, int] = {}
        for seen_ms, path in seen:
            if path in self._tile and since_ms <= seen_ms < ms:  # a launch's pages push nothing
                tile = self._tile[path]
                counts[tile] = counts.get(tile, 0) + 1
        return {tile: self._power(min(count, self._numbers.most)) for tile, count in counts.items()}

    def sold(self, events: Iterable[Event], draws: Draws) -> list[str]:
        """Returns the needs whose product a session's pages sold."""
        paths = [event.page.path for event in events if event.name == "page_view"]
        return [self._need[path] for path in paths if path in self._need and draws.chance(self._numbers.start)]

    def _power(self, count: int) -> float:
        factor = 1.0
        for _ in range(count):  # products are the same on every CPU, powers are not
            factor *= self._numbers.factor
        return factor
