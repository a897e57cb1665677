import ast
import re
from itertools import pairwise
from pathlib import Path

import pytest

import pipelines.simulate
from pipelines.simulate.content import NO_NEED, World, world

MODULES = sorted(Path(pipelines.simulate.__file__).parent.glob("*.py"))


@pytest.fixture(scope="module")
def bank() -> World:
    return world()


def test_the_bank_is_as_large_as_promised(bank: World) -> None:
    wanted = [page for page in bank.pages.values() if page.needs]
    shared = [page for page in wanted if len(set(page.needs) - {NO_NEED}) >= 2]
    assert len(wanted) >= 60
    assert len(shared) >= len(wanted) / 2
    assert len(bank.needs) >= 12
    assert len(bank.app.tiles) in range(8, 11)
    assert len(bank.app.screens) >= 12


def test_titles_and_texts_are_written_and_unique(bank: World) -> None:
    assert len({page.title for page in bank.pages.values()}) == len(bank.pages)
    assert len({page.text for page in bank.pages.values()}) == len(bank.pages)
    assert all(5 <= len(page.text.split()) <= 40 and page.text.endswith((".", "?")) for page in bank.pages.values())


def test_every_name_that_content_uses_exists(bank: World) -> None:
    numbers, roles = bank.behaviour, {page.role for page in bank.pages.values()}
    for page in bank.pages.values():
        assert set(page.needs) <= {*bank.needs, NO_NEED}, page.path
    for name, need in bank.needs.items():
        assert len(need.weight) == len(numbers.people.ages), name
        assert need.leads_to is None or need.leads_to in bank.needs, name
        assert set(need.tiles) <= set(bank.app.tiles), name
        assert {need.needs_holding, need.unless_holding, need.grants} <= {*numbers.people.holdings, None}, name
        assert (need.product is None) == (need.apply is None), name
        assert need.apply is None or bank.pages[need.apply].role == "apply", name
        assert need.lasts in numbers.needs.lasts, name
    for tile in bank.app.tiles.values():
        assert tile.screen in {screen.path for screen in bank.app.screens}
        assert tile.holding is None or tile.holding in numbers.people.holdings
    assert set(numbers.web.dwell_seconds) == set(numbers.web.steps) == roles
    assert {role for steps in numbers.web.steps.values() for role in steps} <= roles
    assert set(bank.traffic.campaigns.values()) <= {page.area for page in bank.pages.values()}
    assert set(numbers.people.devices) == set(bank.traffic.web_clients)
    kinds = [kind for kinds in bank.traffic.web_clients.values() for kind in kinds] + bank.traffic.app_clients
    assert {kind.keeps for kind in kinds} == set(numbers.web.keeps)


def test_every_need_can_land_walk_and_be_searched_for(bank: World) -> None:
    for need in bank.needs:
        roles = {page.role for page in bank.pages.values() if page.needs.get(need)}
        assert {"home", "hub"} <= roles, need
        assert len(bank.needs[need].queries) >= 5, need


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


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_the_simulator_imports_nothing_of_the_pipeline_but_its_nouns(module: Path) -> None:
    allowed = ("pipelines.params", "pipelines.paths", "pipelines.errors", "pipelines.simulate")
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert all(name.startswith(allowed) for name in names if name.split(".")[0] == "pipelines")


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_no_draw_goes_through_a_function_that_differs_between_cpus(module: Path) -> None:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    called = {
        node.func.attr for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert not called & {"exp", "log", "pow", "power", "sqrt", "normal", "exponential", "poisson", "gamma", "lognormal"}


def _lists(node: object) -> list[list[float]]:
    if isinstance(node, dict):
        return [found for child in node.values() for found in _lists(child)]
    return [node] if isinstance(node, list) else []
