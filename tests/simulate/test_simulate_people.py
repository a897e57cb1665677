"""Who the people are, and what they browse with."""

from collections import Counter

import numpy as np
import pytest

from pipelines.simulate.content import NO_NEED, world
from pipelines.simulate.devices import Device, device
from pipelines.simulate.draws import Draws, Purpose
from pipelines.simulate.people import Person, Population, login_of
from pipelines.simulate.record import MS_PER_DAY

N_DAYS = 49
POPULATION = Population(world(), 7, N_DAYS)
PEOPLE = [POPULATION.person(number) for number in range(2000)]


def ids(device_: Device) -> list[str]:
    return [client.id for client in device_.clients]


def test_a_person_is_the_same_however_often_and_in_which_order_asked() -> None:
    again = Population(world(), 7, N_DAYS)
    assert [again.person(number) for number in (1500, 3, 2)] == [PEOPLE[number] for number in (1500, 3, 2)]


def test_customers_hold_something_and_only_they_have_a_login_or_the_app() -> None:
    for someone in PEOPLE:
        assert (someone.login is not None) == bool(someone.holdings)
        assert someone.login is not None or someone.phone is None
    app_share = np.mean([someone.phone is not None for someone in PEOPLE if someone.login])
    assert app_share == pytest.approx(world().behaviour.people.app_share_of_customers, abs=0.04)


def test_logins_differ() -> None:
    assert len({login_of(number) for number in range(50_000)}) == 50_000


def test_holdings_come_as_often_as_their_age_says() -> None:
    for name, shares in world().behaviour.people.holdings.items():
        for age, share in enumerate(shares):
            held = [name in someone.holdings for someone in PEOPLE if someone.age == age]
            assert np.mean(held) == pytest.approx(share, abs=5 * 0.5 / len(held) ** 0.5), name


def test_needs_fit_the_holdings_that_one_begins_with() -> None:
    for someone in PEOPLE:
        for episode in someone.episodes:
            need = world().needs[episode.need]
            assert need.needs_holding is None or need.needs_holding in someone.holdings
            assert need.unless_holding not in someone.holdings
            assert episode.end_ms > 0


def test_at_most_two_needs_at_a_time_and_often_none() -> None:
    n_needs = [len(someone.needs_at(day * MS_PER_DAY)) for someone in PEOPLE for day in range(N_DAYS)]
    assert max(n_needs) == 2
    assert 0.2 < np.mean(np.array(n_needs) == 0) < 0.6


def test_the_first_day_looks_like_any_other() -> None:
    shares = [np.mean([bool(someone.needs_at(day * MS_PER_DAY)) for someone in PEOPLE]) for day in range(N_DAYS)]
    assert max(shares) - min(shares) < 0.08


def test_every_need_is_somebodys() -> None:
    found = Counter(episode.need for someone in PEOPLE for episode in someone.episodes)
    assert found.keys() == world().needs.keys()
    assert NO_NEED not in found


def test_a_borrowed_browser_is_one_of_the_person_before_in_the_household() -> None:
    borrowed = 0
    owners = Counter(identifier for someone in PEOPLE for browser in someone.browsers for identifier in ids(browser))
    for someone in PEOPLE:
        own = someone.browsers[-1]
        if owners[ids(own)[0]] > 1 and someone.number % 2:
            borrowed += 1
            lender = PEOPLE[someone.number - 1]
            assert own in lender.browsers
            assert len(someone.browsers) > 1  # of their own, the main one
    assert max(owners.values()) == 2
    assert borrowed / (len(PEOPLE) / 2) == pytest.approx(world().behaviour.people.shares_a_device, abs=0.05)


def test_a_double_has_the_devices_and_login_and_nothing_else_of_the_person() -> None:
    same: Counter[str] = Counter()
    for someone in PEOPLE[:500]:
        double = POPULATION.double(someone)
        assert (double.number, double.login) == (someone.number, someone.login)
        assert (double.browsers, double.phone) == (someone.browsers, someone.phone)
        for name in ("age", "holdings", "taste", "episodes", "web_activity"):
            same[name] += getattr(double, name) == getattr(someone, name)
    assert not same["taste"] + same["web_activity"]
    assert same["age"] / 500 == pytest.approx(0.35, abs=0.1)  # as two strangers: .34 ** 2 + .42 ** 2 + .24 ** 2
    assert same["holdings"] < 100
    assert same["episodes"] < 30  # two people without any need


def test_a_cookie_is_kept_for_a_while_and_then_replaced() -> None:
    for someone in PEOPLE[:200]:
        for browser in someone.browsers:
            assert len(set(ids(browser))) == len(browser.clients) == len(browser.until_ms)
            assert browser.until_ms == sorted(browser.until_ms)
            assert browser.until_ms[-1] >= N_DAYS * MS_PER_DAY
            change_ms = browser.until_ms[0]
            assert browser.client(change_ms - 1) == browser.clients[0]
            assert len(browser.clients) == 1 or browser.client(change_ms) == browser.clients[1]


def test_short_cookies_are_replaced_more_often_and_apps_hardly_ever() -> None:
    per_kind: dict[str, list[int]] = {}
    for someone in PEOPLE:
        for one in _devices(someone):
            per_kind.setdefault(str(one.clients[0].kind.keeps), []).append(len(one.clients))
    means = {keeps: np.mean(counts) for keeps, counts in per_kind.items()}
    assert means["short_cookie"] > 6 > 3 > means["long_cookie"] > 1.2 > means["app_install"]


def test_a_clock_that_is_off_is_so_on_all_ids_of_a_device() -> None:
    kinds, tracker = world().traffic.app_clients, world().behaviour.tracker
    draws = Draws(7, Purpose.DEVICE, 0)
    made = [device(world(), draws, kinds, "app", "Lakes", N_DAYS * MS_PER_DAY) for _ in range(5000)]
    assert all(len({client.skew_ms for client in one.clients}) == 1 for one in made)
    share = np.mean([one.clients[0].skew_ms != 0 for one in made])
    assert share == pytest.approx(tracker.clock.share, abs=0.007)


def _devices(someone: Person) -> list[Device]:
    return [*someone.browsers, *([someone.phone] if someone.phone else [])]
