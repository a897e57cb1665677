"""The bank's content: large enough, written out, and naming nothing that is not there."""

import re
from itertools import pairwise

import pytest

from pipelines.simulate.content import NO_NEED, World, world


@pytest.fixture(scope="module")
def bank() -> World:
    return world()


def test_the_bank_is_as_large_as_promised(bank: World) -> None:
    wanted = [page for page in bank.pages.values() if page.needs]
    shared = [page for page in wanted if len(set(page.needs) - {NO_NEED}) >= 2]
    assert len(bank.pages) >= 150
    assert len({page.area for page in bank.pages.values()}) >= 10
    assert len(shared) >= 0.75 * len(wanted)
    assert len(bank.needs) >= 25
    assert len(bank.app.tiles) >= 12
    assert len(bank.app.screens) >= 30
    assert len(bank.traffic.community_titles) >= 100
    assert min(len(bank.traffic.hostile_titles), len(bank.traffic.hostile_queries)) >= 20


def test_titles_and_texts_are_written_and_unique(bank: World) -> None:
    pages = [*bank.pages.values(), *bank.launch.values()]
    assert len({page.title for page in pages}) == len({page.text for page in pages}) == len(pages)
    for page in pages:
        assert len(re.findall(r"[.?!](?=\s|$)", page.text)) >= 2, page.path
        assert 10 <= len(page.text.split()) <= 60, page.path
        assert page.text.endswith((".", "?")), page.path
    assert len({screen.path for screen in bank.app.screens}) == len(bank.app.screens)
    titles = [question.title for question in bank.traffic.community_titles] + bank.traffic.hostile_titles
    assert len(set(titles)) == len(titles)


def test_pages_of_a_launch_are_new_and_nobody_is_drawn_to_them(bank: World) -> None:
    assert len(bank.launch) >= 5
    assert not bank.launch.keys() & bank.pages.keys()
    assert not {page.area for page in bank.launch.values()} & {page.area for page in bank.pages.values()}
    assert not any(page.needs or page.popularity for page in bank.launch.values())
    words = {word for page in bank.launch.values() for word in _words(page.title, page.text) if len(word) > 4}
    known = {word for page in bank.pages.values() for word in _words(page.title, page.text)}
    assert len(words - known) > len(words & known)


def test_every_name_that_pages_and_needs_use_exists(bank: World) -> None:
    numbers = bank.behaviour
    for page in bank.pages.values():
        assert set(page.needs) <= {*bank.needs, NO_NEED}, page.path
    for name, need in bank.needs.items():
        assert len(need.weight) == len(numbers.people.ages), name
        assert need.leads_to is None or need.leads_to in bank.needs, name
        assert set(need.tiles) <= set(bank.app.tiles), name
        assert {need.needs_holding, need.unless_holding, need.grants} <= {*numbers.people.holdings, None}, name
        assert (need.product is None) == (need.apply is None), name
        assert need.product is not None or need.grants is None, name
        assert need.apply is None or bank.pages[need.apply].role == "apply", name
        assert need.lasts in numbers.needs.lasts, name
    for question in bank.traffic.community_titles:
        assert question.needs, question.title
        assert set(question.needs) <= set(bank.needs), question.title
    products = [need.product for need in bank.needs.values() if need.product]
    assert len(set(products)) == len(products)


def test_every_name_that_the_app_uses_exists(bank: World) -> None:
    screens = {screen.path for screen in bank.app.screens}
    assert {"/home", "/apply", "/apply/status"} <= screens
    for tile in bank.app.tiles.values():
        assert tile.screen in screens
        assert tile.holding is None or tile.holding in bank.behaviour.people.holdings
    assert len(bank.behaviour.app.positions) == bank.behaviour.app.shown < len(bank.app.tiles)
    for name, need in bank.needs.items():
        assert need.tiles, name
        assert max(need.tiles.values()) >= 4, name


def test_every_name_that_behaviour_and_traffic_use_exists(bank: World) -> None:
    numbers, roles = bank.behaviour, {page.role for page in bank.pages.values()}
    areas = {page.area for page in bank.pages.values()}
    own_pages = {"/", "/search", "/login", "/online-banking", "/apply/thank-you", "/apply/status"}
    assert {*own_pages, "/community/questions/{question}"} <= bank.pages.keys()
    assert set(numbers.web.dwell_seconds) == set(numbers.web.steps) == roles
    assert {role for steps in numbers.web.steps.values() for role in steps} <= roles
    assert {role for entry in bank.traffic.entries.values() for role in entry.roles} <= roles
    assert {page.role for page in bank.launch.values()} <= roles
    assert set(bank.traffic.campaigns.values()) <= areas
    assert any(entry.campaign for entry in bank.traffic.entries.values())
    assert set(numbers.people.devices) == set(bank.traffic.web_clients)
    kinds = [kind for kinds in bank.traffic.web_clients.values() for kind in kinds] + bank.traffic.app_clients
    assert {kind.keeps for kind in kinds} == set(numbers.web.keeps)
    assert numbers.tracker.renamed.before != numbers.tracker.renamed.after


def test_every_name_that_scenarios_use_exists(bank: World) -> None:
    numbers = bank.behaviour.scenarios
    assert numbers.dead_area in {page.area for page in bank.pages.values()}
    assert numbers.launch_campaign not in bank.traffic.campaigns  # as new as its pages
    assert len(set(numbers.shifts_to)) == len(numbers.shifts_to) > 0
    assert set(numbers.shifts_to) <= set(bank.needs)
    assert set(numbers.renamed_events) <= {"page_view", "search", "click", "login"}
    assert not set(numbers.renamed_events) & set(numbers.renamed_events.values())


def test_every_need_can_land_walk_and_be_searched_for(bank: World) -> None:
    for need in bank.needs:
        roles = {page.role for page in bank.pages.values() if page.needs.get(need)}
        assert {"home", "hub"} <= roles, need
        assert len(set(bank.needs[need].queries)) == len(bank.needs[need].queries) >= 5, need
        questions = [question for question in bank.traffic.community_titles if need in question.needs]
        assert len(questions) >= 2, need


def test_tables_of_quantiles_ascend(bank: World) -> None:
    tables = [table for table in _lists(bank.behaviour.model_dump(exclude={"people": {"holdings"}})) if len(table) > 1]
    exempt = (bank.behaviour.clock.hours, *bank.behaviour.clock.weekdays.model_dump().values())
    ascending = [table for table in tables if table not in (*exempt, bank.behaviour.app.positions)]
    assert len(ascending) >= 20
    assert all(table == sorted(table) for table in ascending)


def test_the_exponential_gap_has_mean_one(bank: World) -> None:
    gap = bank.behaviour.clock.gap
    assert sum((a + b) / 2 for a, b in pairwise(gap)) / (len(gap) - 1) == pytest.approx(1, abs=0.05)


def test_no_page_stays_so_long_that_it_ends_a_session(bank: World) -> None:
    longest = bank.behaviour.web.dwell[-1] * max(bank.behaviour.web.dwell_seconds.values())
    assert longest + bank.behaviour.web.dwell[-1] < 1800


def test_all_hosts_are_reserved_for_examples(bank: World) -> None:
    hosts = re.findall(r"https?://([^/\s)'\"]+)", repr(bank.traffic))
    assert hosts
    assert all(host.endswith(".example") for host in hosts)


def _words(*texts: str) -> list[str]:
    return re.findall(r"[a-z]+", " ".join(texts).lower())


def _lists(node: object) -> list[list[float]]:
    if isinstance(node, dict):
        return [found for child in node.values() for found in _lists(child)]
    return [node] if isinstance(node, list) and not isinstance(node[0], str) else []
