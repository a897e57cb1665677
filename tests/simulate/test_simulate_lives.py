"""What people do: when they come, what they apply for, what becomes of it."""

from collections import Counter
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from simulated import FIRST_DAY, bank_of, block_of, is_browsing, lives, on_web

from pipelines.simulate.content import NO_NEED, world
from pipelines.simulate.parcels import Group, Parcels
from pipelines.simulate.people import Person, Population
from pipelines.simulate.record import MS_PER_DAY, Done

N_PEOPLE = 300
OF_PRODUCT = {need.product: need for need in world().needs.values() if need.product}


def products(done: Done, name: str) -> list[str]:
    return [str((event.props or {})["product"]) for event in done.events if event.name == name]


def test_sessions_come_in_order_of_time_with_a_silence_between() -> None:
    shortest_ms = world().behaviour.clock.pause_seconds[0] * 1000
    for done in lives("default", N_PEOPLE):
        for before, after in pairwise(done):
            assert after.events[0].sent_ms - before.events[-1].sent_ms >= shortest_ms
        for session in done:
            times = [event.sent_ms for event in session.events]
            assert times == sorted(times)
            assert len({event.client for event in session.events}) == 1
            assert 0 <= times[0] < 49 * MS_PER_DAY


def test_applications_are_submitted_after_they_were_started_and_approved_after_that() -> None:
    n_approved = n_submitted = n_started = 0
    for life in lives("default", N_PEOPLE):
        started: Counter[str] = Counter()
        submitted: Counter[str] = Counter()
        for done in life:
            for product in products(done, "application_approved"):
                submitted[product] -= 1
                n_approved += 1
                assert submitted[product] >= 0
            started.update(products(done, "application_started"))
            submitted.update(products(done, "application_submitted"))
            assert all(count <= started[product] for product, count in submitted.items())
            n_submitted += len(products(done, "application_submitted"))
        n_started += sum(started.values())
        assert started.keys() <= OF_PRODUCT.keys()
    numbers = world().behaviour.applications
    assert n_submitted / n_started == pytest.approx(numbers.submit, abs=0.1)
    assert 0.5 * numbers.approved < n_approved / n_submitted <= numbers.approved + 0.1  # some only after the last day


def test_the_outcome_comes_within_days() -> None:
    days = []
    for life in lives("default", N_PEOPLE):
        submitted: dict[str, int] = {}
        for done in life:
            approved = products(done, "application_approved")
            days += [(done.events[0].sent_ms - submitted[product]) / MS_PER_DAY for product in approved]
            submitted |= dict.fromkeys(products(done, "application_submitted"), done.events[-1].sent_ms)
    longest = world().behaviour.applications.decision_days[-1]
    assert min(days) > 0
    assert np.quantile(days, 0.95) <= longest + 0.5
    assert 1 < np.median(days) < 5


def test_who_is_approved_holds_the_product_and_is_a_customer(monkeypatch: pytest.MonkeyPatch) -> None:
    people: dict[int, Person] = {}
    make = Population.person

    def noted(self: Population, number: int) -> Person:
        return people.setdefault(number, make(self, number))

    monkeypatch.setattr(Population, "person", noted)
    bank, untouched = bank_of(), Population(world(), 7, 49)
    n_new = n_granted = 0
    for number in range(N_PEOPLE):
        approved = [product for done in bank.live(number) for product in products(done, "application_approved")]
        granted = {OF_PRODUCT[product].grants for product in approved}
        before, after = make(untouched, number), people[number]
        assert after.holdings == before.holdings | (granted - {None})
        n_granted += after.holdings != before.holdings
        assert after.login == before.login or (before.login is None and granted)
        n_new += before.login is None and after.login is not None
    assert n_granted > 10
    assert n_new > 3


def test_a_prospect_logs_in_only_after_an_approval_and_some_do() -> None:
    people, n_logged_in = Population(world(), 7, 49), 0
    for number, life in enumerate(lives("default", N_PEOPLE)):
        if people.person(number).login:
            continue
        approved = False
        for done in life:
            logins = {event.login for event in done.events} - {None}
            assert approved or not logins
            n_logged_in += bool(logins)
            approved |= bool(products(done, "application_approved"))
        assert all(on_web(done) for done in life)
    assert n_logged_in


def test_the_app_always_knows_its_customer_and_shows_the_home_screen_first() -> None:
    app = [done for life in lives("default", N_PEOPLE) for done in life if not on_web(done)]
    assert len(app) > 500
    assert all(done.events[0].name == "home_impression" for done in app)
    assert all(event.login for done in app for event in done.events)
    assert all(len(done.shown) % 5 == 0 and done.shown for done in app)


def test_half_of_the_web_sessions_see_one_page_and_some_see_many() -> None:
    web = [done for life in lives("default", N_PEOPLE) for done in life if on_web(done)]
    lengths = np.array([sum(event.name == "page_view" for event in done.events) for done in web])
    assert 0.42 < np.mean(lengths == 1) < 0.6
    assert np.quantile(lengths, 0.99) > 15


def test_a_session_on_the_web_is_about_the_needs_that_one_has_or_none() -> None:
    people = Population(world(), 7, 49)
    for number, life in enumerate(lives("default", N_PEOPLE)):
        own = {episode.need for episode in people.person(number).episodes}
        assert {need for done in life if is_browsing(done) for need in done.needs} <= own | {NO_NEED}


def test_visits_about_ones_own_money_come_on_paydays() -> None:
    paydays = set(world().behaviour.clock.paydays)
    per_day: Counter[bool] = Counter()
    for life in lives("default", N_PEOPLE):
        for done in life:
            if not on_web(done):
                day = FIRST_DAY + timedelta(days=done.events[0].sent_ms // MS_PER_DAY)
                per_day[day.day in paydays] += 1
    n_paydays = sum((FIRST_DAY + timedelta(days=day)).day in paydays for day in range(49))
    assert per_day[True] / n_paydays > 1.5 * per_day[False] / (49 - n_paydays)


def test_two_people_of_a_household_log_in_on_one_cookie_in_some_seeds() -> None:
    assert any(_is_shared(seed) for seed in range(7, 12))


def _is_shared(seed: int) -> bool:
    """Whether a cookie has two logins, among the pairs of whom it is likely."""
    people, parcels = Population(world(), seed, 49), Parcels(block_of(), seed)
    for number in range(1, 600, 2):
        lender, borrower = people.person(number - 1), people.person(number)
        likely = lender.login and borrower.login and min(lender.login_habit, borrower.login_habit) > 0.4
        if likely and borrower.browsers[-1] in lender.browsers:
            identity = parcels.make(Group("people", number - 1, number + 1)).truth["identity"].to_pylist()
            if max(Counter(row["client_id"] for row in identity if row["login"]).values(), default=0) == 2:
                return True
    return False
