"""Visits to the website: walks over its pages, searches, logins, applications."""

from dataclasses import dataclass, field
from typing import Final

from pipelines.simulate.content import NO_NEED, Page, World
from pipelines.simulate.draws import Draws
from pipelines.simulate.record import MS_PER_SECOND, Client, Event
from pipelines.simulate.website import SEARCH, Website, utm

_LOGIN, _ACCOUNTS, _THANKS = "/login", "/online-banking", "/apply/thank-you"
_RESPONSE_MS: Final = 900  # the site's answer to a form
_N_BRANCHES: Final = 400


@dataclass
class Visit:
    """A visit while it goes on."""

    client: Client
    ms: int
    need: str
    login_habit: float
    login: str | None = None  # set once the visitor has logged in
    last_url: str | None = None  # the last page, or the site that the visitor came from
    utm: dict[str, str] | None = None
    seen: set[str] = field(default_factory=set)
    events: list[Event] = field(default_factory=list)


class Visits:
    """Makes visits; every draw comes from the ``draws`` of the person."""

    def __init__(self, world: World, website: Website) -> None:
        self._world = world
        self._numbers = world.behaviour.web
        self._website = website

    def browse(self, visit: Visit, draws: Draws, others: list[str]) -> list[Event]:
        """Returns the events of a visit for ``visit.need``, which may go on with one of ``others``."""
        numbers = self._numbers
        n_pages = 1 if draws.chance(numbers.bounce_share) else int(draws.quantile(numbers.pages))
        login_share = numbers.login.service if visit.need == NO_NEED else numbers.login.need
        logs_in = visit.client.login is not None and draws.chance(login_share * visit.login_habit)
        login_at = draws.integer(n_pages) if logs_in else None
        page = self._land(visit, draws)
        for position in range(n_pages):
            if position:
                page = self._advance(visit, draws, page, others)
            self._view(visit, draws, page)
            if position == login_at:
                self._log_in(visit, draws)
        return visit.events

    def apply(self, visit: Visit, draws: Draws, submits: bool) -> list[Event]:
        """Returns the events of a visit that starts an application, and submits it or not."""
        numbers, need = self._world.behaviour.applications, self._world.needs[visit.need]
        page = self._land(visit, draws)
        self._view(visit, draws, page)
        if visit.client.login and draws.chance(numbers.login):
            self._log_in(visit, draws)
        if draws.chance(numbers.look_first):
            self._view(visit, draws, self._website.next_page(draws, visit.need, page, visit.seen))
        form = self._world.pages[need.apply or ""]
        props: dict[str, object] = {"product": need.product}
        self._view(visit, draws, form)
        self._add(visit, form, "application_started", target=form.path, props=props)
        visit.ms += int(draws.quantile(numbers.form_seconds) * MS_PER_SECOND)
        if submits:
            self._add(visit, form, "application_submitted", target=form.path, props=props)
            visit.ms += _RESPONSE_MS
            self._view(visit, draws, self._world.pages[_THANKS])
        return visit.events

    def _land(self, visit: Visit, draws: Draws) -> Page:
        name = draws.pick(self._website.entries)
        entry = self._world.traffic.entries[name]
        campaign = self._website.campaign(draws, visit.need) if entry.campaign else None
        area = self._world.traffic.campaigns[campaign] if campaign else None
        visit.last_url, visit.utm = entry.referrer, utm(entry, campaign)
        return draws.pick(self._website.landing(visit.need, name, area))

    def _advance(self, visit: Visit, draws: Draws, page: Page, others: list[str]) -> Page:
        if others and draws.chance(self._numbers.other_need):
            visit.need = draws.one_of(others)
        if draws.chance(self._numbers.search):
            page = self._world.pages[SEARCH]
            self._add(visit, page, "search", query=self._query(visit.need, draws), referrer=visit.last_url)
            self._leave(visit, draws, page)
        return self._website.next_page(draws, visit.need, page, visit.seen)

    def _view(self, visit: Visit, draws: Draws, page: Page) -> None:
        """Records a page view (and perhaps a click on the page), and lets the time on the page go by."""
        url = self._url(page, draws)
        campaign = (visit.utm or {}).get("campaign")
        if campaign and not visit.events:
            url = f"{url}?utm_campaign={campaign}"
        self._add(visit, page, "page_view", url=url, referrer=visit.last_url)
        visit.seen.add(page.path)
        if page.clicks and draws.chance(self._numbers.click):
            visit.ms += int(draws.quantile(self._numbers.dwell) * MS_PER_SECOND)
            self._add(visit, page, "click", url=url, target=draws.one_of(page.clicks))
        self._leave(visit, draws, page, url)

    def _leave(self, visit: Visit, draws: Draws, page: Page, url: str | None = None) -> None:
        seconds = draws.quantile(self._numbers.dwell) * self._numbers.dwell_seconds[page.role]
        visit.ms += int(seconds * MS_PER_SECOND)
        visit.last_url = url or self._url(page, draws)

    def _log_in(self, visit: Visit, draws: Draws) -> None:
        page = self._world.pages[_LOGIN]
        self._view(visit, draws, page)
        visit.login = visit.client.login
        self._add(visit, page, "login")
        visit.ms += _RESPONSE_MS
        self._view(visit, draws, self._world.pages[_ACCOUNTS])

    def _query(self, need: str, draws: Draws) -> str:
        numbers, queries = self._numbers, self._world.traffic.common_queries
        if draws.chance(numbers.hostile_query):
            return draws.one_of(self._world.traffic.hostile_queries)
        if need != NO_NEED and not draws.chance(numbers.common_query):
            queries = self._world.needs[need].queries
        query = draws.one_of(queries)
        if draws.chance(numbers.typo):
            at = draws.integer(len(query))
            query = query[:at] + query[at + 1 :]
        return query

    def _url(self, page: Page, draws: Draws) -> str:
        number = draws.integer(_N_BRANCHES) if "{" in page.path else 0
        return self._world.traffic.web_host + page.path.format(branch=1000 + number, case=48_120_000 + number)

    def _add(
        self,
        visit: Visit,
        page: Page,
        name: str,
        *,
        url: str | None = None,
        target: str | None = None,
        props: dict[str, object] | None = None,
        query: str | None = None,
        referrer: str | None = None,
    ) -> None:
        url = url or self._world.traffic.web_host + page.path
        marks = None if visit.events else visit.utm
        visit.events.append(
            Event(
                visit.ms, visit.client, name, url, page.title, page.text,
                visit.need, visit.login, target, props, referrer, query, marks,
            )
        )  # fmt: skip
