from itertools import permutations

import pytest

from pipelines.simulate.content import world
from pipelines.simulate.draws import Draws, Purpose
from pipelines.simulate.home_screen import HomeScreen, position_chances
from pipelines.simulate.people import Person


def person(**fields: object) -> Person:
    taste = dict.fromkeys(world().app.tiles, 1.0)
    defaults = {"number": 0, "age": 1, "region": "Lakes", "holdings": set(), "login": "C1", "login_habit": 1.0}
    return Person(
        **defaults | {"web_activity": 1, "app_activity": 1, "browsers": [], "phone": None, "taste": taste} | fields
    )


def test_position_chances_by_hand() -> None:
    # b comes second after a (1/4 x 2/3), or after c (1/4 x 2/3); c has the weight of a.
    chances = position_chances({"a": 1, "b": 2, "c": 1}, 2)
    assert chances["b"] == [0.5, pytest.approx(1 / 3, abs=1e-4)]
    assert chances["a"] == chances["c"] == [0.25, pytest.approx(1 / 3, abs=1e-4)]


def test_position_chances_against_all_orders() -> None:
    weights = {"a": 0.5, "b": 1.0, "c": 1.7, "d": 2.2, "e": 0.9}
    slow = {name: [0.0] * 3 for name in weights}
    for order in permutations(weights, 3):
        chance, left = 1.0, sum(weights.values())
        for name in order:
            chance, left = chance * weights[name] / left, left - weights[name]
        for position, name in enumerate(order):
            slow[name][position] += chance
    assert {name: pytest.approx(expected, abs=6e-5) for name, expected in slow.items()} == position_chances(weights, 3)


def test_logged_propensities_are_the_shares_in_which_tiles_are_shown() -> None:
    screen, draws, n_draws = HomeScreen(world()), Draws(7, Purpose.APP, 0), 20_000
    seen = {name: [0] * 5 for name in world().app.tiles}
    for _ in range(n_draws):
        shown = screen.show(draws)
        assert len(set(shown)) == 5
        for position, name in enumerate(shown):
            seen[name][position] += 1
    for name, counts in seen.items():
        for position, count in enumerate(counts):
            # 5 standard deviations of a share near 0.1 over 20,000 draws
            assert count / n_draws == pytest.approx(screen.propensity[name][position], abs=5 * (0.09 / n_draws) ** 0.5)


def test_click_chances_by_hand() -> None:
    tiles, numbers = world().app.tiles, world().behaviour.app
    shown = ["savings", "home_loans", "insurance", "send_money", "retirement"]
    weights = [tiles[name].popularity * factor for name, factor in zip(shown, numbers.positions, strict=True)]
    weights[1] *= 5 * tiles["home_loans"].holders  # the need for it, and holding one
    weights[3] *= numbers.habit
    someone = person(holdings={"home_loan"}, last_tile="send_money")
    chances = HomeScreen(world()).click_chances(someone, ["refinance"], shown)
    assert chances == pytest.approx([weight / (sum(weights) + numbers.no_click) for weight in weights])
    assert sum(chances) < 1


def test_two_needs_multiply_and_none_is_neutral() -> None:
    screen, shown = HomeScreen(world()), ["insurance", "home_loans", "savings", "send_money", "retirement"]
    ratios = []
    for needs in ([], ["insure"], ["insure", "buy_home"]):
        chances = screen.click_chances(person(), needs, shown)
        ratios.append(chances[0] / chances[3])
    factors = world().needs["insure"].tiles["insurance"], world().needs["buy_home"].tiles["insurance"]
    assert ratios[1] == pytest.approx(ratios[0] * factors[0])
    assert ratios[2] == pytest.approx(ratios[1] * factors[1])
