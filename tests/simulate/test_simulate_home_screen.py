"""Which tiles the policy shows, and which one a person clicks."""

from itertools import permutations

import pytest

from pipelines.simulate.content import world
from pipelines.simulate.draws import Draws, Purpose
from pipelines.simulate.home_screen import HomeScreen, position_chances
from pipelines.simulate.people import Person

N_SHOWN = 5


def person(holdings: frozenset[str] = frozenset(), last_tile: str | None = None) -> Person:
    """Somebody without any liking of their own."""
    taste = dict.fromkeys(world().app.tiles, 1.0)
    return Person(
        number=0, age=1, holdings=set(holdings), login="C1", login_habit=1, web_activity=1, app_activity=1,
        browsers=[], phone=None, taste=taste, last_tile=last_tile,
    )  # fmt: skip


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


def test_propensities_sum_to_one_over_tiles() -> None:
    propensity = HomeScreen(world()).propensity
    assert propensity.keys() == world().app.tiles.keys()
    for position in range(N_SHOWN):
        assert sum(chances[position] for chances in propensity.values()) == pytest.approx(1, abs=1e-3)


def test_logged_propensities_are_the_shares_in_which_tiles_are_shown() -> None:
    screen, draws, n_draws = HomeScreen(world()), Draws(7, Purpose.APP, 0), 20_000
    seen = {name: [0] * N_SHOWN for name in world().app.tiles}
    for _ in range(n_draws):
        shown = screen.show(draws)
        assert len(set(shown)) == N_SHOWN
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
    someone = person(frozenset({"home_loan"}), last_tile="send_money")
    chances = HomeScreen(world()).click_chances(someone, {"home_loans": 5.0, "travel": 9.0}, shown)
    assert chances == pytest.approx([weight / (sum(weights) + numbers.no_click) for weight in weights])
    assert sum(chances) < 1


def test_taste_is_a_factor_on_a_tile() -> None:
    screen, shown = HomeScreen(world()), ["savings", "home_loans", "insurance", "send_money", "retirement"]
    plain, keen = person(), person()
    keen.taste["insurance"] = 2.0
    chances = [screen.click_chances(someone, {}, shown) for someone in (plain, keen)]
    odds = [found[2] / found[0] for found in chances]
    assert odds[1] == pytest.approx(2 * odds[0])


def test_needs_multiply_and_none_is_neutral() -> None:
    of_needs, needs = HomeScreen(world()).of_needs, world().needs
    assert of_needs([]) == {}
    assert of_needs(["insure_home"]) == needs["insure_home"].tiles
    both = of_needs(["insure_home", "buy_home"])
    assert both["insurance"] == pytest.approx(
        needs["insure_home"].tiles["insurance"] * needs["buy_home"].tiles["insurance"]
    )
    assert both["credit_score"] == needs["buy_home"].tiles["credit_score"]
