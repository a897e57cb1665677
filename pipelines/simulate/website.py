"""The website as chances: where a visit lands and where each step leads, given what the visitor wants."""

from functools import cache

from pipelines.simulate.content import NO_NEED, EntryKind, Page, World
from pipelines.simulate.draws import Draws, Weighted

SEARCH = "/search"
_WANTED = 2.0  # a page draws a need this strongly at least for its area to count as one that the need is about


class Website:
    """Pages to be drawn: all chances come from the content files, none from anything learnt.

    Without ``ordered`` the pages of a session are drawn one by one from those that the need wants, whatever came
    before.
    """

    def __init__(self, world: World, ordered: bool = True) -> None:
        self._world = world
        self._ordered = ordered
        self._pages = list(world.pages.values())
        self._numbers = world.behaviour.web
        self.entries = Weighted(list(world.traffic.entries), [entry.weight for entry in world.traffic.entries.values()])
        self.popular = Weighted(self._pages, [page.popularity for page in self._pages])
        self.step = cache(self._step)
        self.landing = cache(self._landing)
        needs = (*world.needs, NO_NEED)
        self._wanted = {need: self._pages_for(need) for need in needs}
        self._campaigns = {need: self._fitting_campaigns(need) for need in needs}

    def next_page(self, draws: Draws, need: str, last: Page, seen: set[str]) -> Page:
        """Returns the page after ``last``; pages already ``seen`` are mostly passed over."""
        if not self._ordered:
            return self.any_page(draws, need)
        chances = self.popular if draws.chance(self._numbers.noise) else self.step(need, last.role, last.area)
        page = draws.pick(chances)
        if page.path in seen and not draws.chance(self._numbers.revisit):
            page = draws.pick(chances)
        return page

    def first_page(self, draws: Draws, need: str, entry: str, area: str | None) -> Page:
        """Returns the page that a session begins with."""
        return draws.pick(self.landing(need, entry, area)) if self._ordered else self.any_page(draws, need)

    def any_page(self, draws: Draws, need: str) -> Page:
        """Returns a page that the need wants, or any, independent of all others."""
        return draws.pick(self.popular if draws.chance(self._numbers.noise) else self.step(need, "", ""))

    def campaign(self, draws: Draws, need: str) -> str:
        """Returns the campaign that brought a visitor: mostly, not always, one for what they want."""
        fitting = self._campaigns[need]
        fits = bool(fitting) and draws.chance(self._numbers.campaign_fits)
        return draws.one_of(fitting if fits else list(self._world.traffic.campaigns))

    def _step(self, need: str, role: str, area: str) -> Weighted[Page]:
        """From a page of ``role`` in ``area``; from anywhere, where they are empty."""
        steps, same_area = self._numbers.steps.get(role, {}), self._numbers.same_area
        pages, wants = self._wanted[need]
        weights = [
            want * (steps.get(page.role, 0.0) if role else 1.0) * (same_area if page.area == area else 1.0)
            for page, want in zip(pages, wants, strict=True)
        ]
        return Weighted(pages, weights) if any(weights) else self.popular

    def _landing(self, need: str, entry: str, area: str | None) -> Weighted[Page]:
        """Pages that an ``entry`` leads to; a campaign's are in its ``area``, whatever the visitor wants."""
        roles = self._world.traffic.entries[entry].roles
        if area:
            pages = [page for page in self._pages if page.area == area]
            weights = [roles.get(page.role, 0.0) * page.popularity for page in pages]
        else:
            pages, wants = self._wanted[need]
            weights = [roles.get(page.role, 0.0) * want for page, want in zip(pages, wants, strict=True)]
        return Weighted(pages, weights) if any(weights) else self.popular

    def _pages_for(self, need: str) -> tuple[list[Page], list[float]]:
        """Returns the pages that a need wants at all, and how much."""
        pages = [page for page in self._pages if page.needs.get(need)]
        return pages, [page.needs[need] for page in pages]

    def _fitting_campaigns(self, need: str) -> list[str]:
        areas = {page.area for page in self._pages if page.needs.get(need, 0.0) >= _WANTED}
        return [name for name, area in self._world.traffic.campaigns.items() if area in areas]


def utm(entry: EntryKind, campaign: str | None) -> dict[str, str] | None:
    """Returns the marks that a link of ``entry`` carries, if it carries any."""
    marks = {"source": entry.source, "medium": entry.medium, "campaign": campaign}
    return {name: mark for name, mark in marks.items() if mark} or None
