"""Visits to the website: walks over its pages, searches, logins, applications and their outcome."""

from dataclasses import dataclass, field
from typing import Final

from pipelines.simulate.content import NO_NEED, Page, World
from pipelines.simulate.draws import Draws, Weighted
from pipelines.simulate.record import MS_PER_SECOND, Client, Event
from pipelines.simulate.website import SEARCH, Website, utm

_LOGIN, _ACCOUNTS, _THANKS, _STATUS = "/login", "/online-banking", "/apply/thank-you", "/apply/status"
_QUESTION: Final = "/community/questions/{question}"
_RESPONSE_MS: Final = 900  # the site's answer to a form
_N_BRANCHES: Final = 400
_FIRST_BRANCH, _FIRST_CASE, _FIRST_QUESTION = 1000, 48_120_000, 3000


@dataclass
class Visit:
    """A visit while it goes on."""

    client: Client
    ms: int
    need: str
    customer: str | None  # the login that the visitor has
    login_habit: float
    launch_pages: list[Page] = field(default_factory=list)  # what a product launch shows to this visit
    login: str | None = None  # set once the visitor has logged in
    last_url: str | None = None  # the last page, or the site that the visitor came from
    utm: dict[str, str] | None = None
    seen: set[str] = field(default_factory=set)
    events: list[Event] = field(default_factory=list)


class Visits:
    """Makes visits; every draw comes from the ``draws`` of the person."""

    def __init__(self, world: World, website: Website, needs_show: bool = True) -> None:
        """With ``needs_show`` off, searches and forum titles say nothing of the need."""
        self._world = world
        self._numbers = world.behaviour.web
        self._website = website
        self._needs_show = needs_show
        questions = list(enumerate(world.traffic.community_titles))
        fits = self._numbers.question_fits
        self._questions = {
            need: Weighted(
                questions, [fits if need in question.needs and needs_show else 1 for _, question in questions]
            )
            for need in (*world.needs, NO_NEED)
        }

    def browse(self, visit: Visit, draws: Draws, others: list[str]) -> list[Event]:
        """Returns the events of a visit for ``visit.need``, which may go on with one of ``others``."""
        numbers = self._numbers
        n_pages = 1 if draws.chance(numbers.bounce_share) else int(draws.quantile(numbers.pages))
        login_share = numbers.login.service if visit.need == NO_NEED else numbers.login.need
        logs_in = visit.customer is not None and draws.chance(login_share * visit.login_habit)
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
        if visit.customer and draws.chance(numbers.login):
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

    def learn_outcome(self, visit: Visit, draws: Draws, approved: bool) -> list[Event]:
        """Returns the events of a visit that reads what became of an application, from the link in a mail."""
        visit.utm = {"source": "service", "medium": "email"}
        if visit.customer:
            self._log_in(visit, draws)
        page = self._world.pages[_STATUS]
        self._view(visit, draws, page)
        if approved:
            self._add(visit, page, "application_approved", props={"product": self._world.needs[visit.need].product})
        return visit.events

    def _land(self, visit: Visit, draws: Draws) -> Page:
        name = draws.pick(self._website.entries)
        entry = self._world.traffic.entries[name]
        if visit.launch_pages and draws.chance(self._world.behaviour.scenarios.launch_lands):
            visit.last_url, visit.utm = entry.referrer, utm(entry, self._world.behaviour.scenarios.launch_campaign)
            return draws.one_of(visit.launch_pages)
        campaign = self._website.campaign(draws, visit.need) if entry.campaign else None
        area = self._world.traffic.campaigns[campaign] if campaign else None
        visit.last_url, visit.utm = entry.referrer, utm(entry, campaign)
        return self._website.first_page(draws, visit.need, name, area)

    def _advance(self, visit: Visit, draws: Draws, page: Page, others: list[str]) -> Page:
        if visit.launch_pages and draws.chance(self._world.behaviour.scenarios.launch_steps):
            return draws.one_of(visit.launch_pages)
        if others and draws.chance(self._numbers.other_need):
            visit.need = draws.one_of(others)
        if draws.chance(self._numbers.search):
            page = self._world.pages[SEARCH]
            self._add(visit, page, "search", query=self._query(visit.need, draws), referrer=visit.last_url)
            self._leave(visit, draws, page)
        return self._website.next_page(draws, visit.need, page, visit.seen)

    def _view(self, visit: Visit, draws: Draws, page: Page) -> None:
        """Records a page view (and perhaps a click on the page), and lets the time on the page go by."""
        url, title = self._url(page, draws), None
        if page.path == _QUESTION:
            url, title = self._question(visit.need, draws)
        campaign = (visit.utm or {}).get("campaign")
        if campaign and not visit.events:
            url = f"{url}?utm_campaign={campaign}"
        self._add(visit, page, "page_view", url=url, referrer=visit.last_url, title=title)
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
        visit.login = visit.customer
        self._add(visit, page, "login")
        visit.ms += _RESPONSE_MS
        self._view(visit, draws, self._world.pages[_ACCOUNTS])

    def _query(self, need: str, draws: Draws) -> str:
        numbers, queries = self._numbers, self._world.traffic.common_queries
        if draws.chance(numbers.hostile_query):
            return draws.one_of(self._world.traffic.hostile_queries)
        if need != NO_NEED and self._needs_show and not draws.chance(numbers.common_query):
            queries = self._world.needs[need].queries
        query = draws.one_of(queries)
        return _mistyped(query, draws) if draws.chance(numbers.typo) else query

    def _question(self, need: str, draws: Draws) -> tuple[str, str]:
        """Returns the address and the title of a question in the forum, which may be there to steer a reader."""
        hostile = self._world.traffic.hostile_titles
        if draws.chance(self._numbers.hostile_title):
            number = draws.integer(len(hostile))
            title, number = hostile[number], len(self._world.traffic.community_titles) + number
        else:
            number, question = draws.pick(self._questions[need])
            title = question.title
        return self._world.traffic.web_host + _QUESTION.format(question=_FIRST_QUESTION + number), title

    def _url(self, page: Page, draws: Draws) -> str:
        if "{" not in page.path:
            return self._world.traffic.web_host + page.path
        number = draws.integer(_N_BRANCHES)
        ids = {"branch": _FIRST_BRANCH + number, "case": _FIRST_CASE + number, "question": _FIRST_QUESTION}
        return self._world.traffic.web_host + page.path.format(**ids)

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
        title: str | None = None,
    ) -> None:
        url = url or self._world.traffic.web_host + page.path
        marks = None if visit.events else visit.utm
        visit.events.append(
            Event(
                visit.ms, visit.client, name, page, url, visit.need, visit.login,
                target, props, referrer, query, marks, title,
            )
        )  # fmt: skip


def _mistyped(query: str, draws: Draws) -> str:
    """Returns the query with a letter left out, doubled, or swapped with the next."""
    at = draws.integer(len(query))
    slip = draws.integer(3)
    if slip == 0 and len(query) > 1:
        return query[:at] + query[at + 1 :]
    if slip == 1:
        return query[:at] + query[at] + query[at:]
    return query[:at] + query[at + 1 : at + 2] + query[at] + query[at + 2 :]
