"""The worlds that are there to say no: what does not depend on what, exactly where it can be said exactly."""

import random
from collections import Counter
from itertools import pairwise

import pytest
from simulated import bank_of, is_browsing, lives, on_web, params_of

from pipelines.errors import ParamsError
from pipelines.simulate.content import NO_NEED, world
from pipelines.simulate.people import Person, Population
from pipelines.simulate.record import MS_PER_DAY, Done
from pipelines.simulate.worlds import LAWS, Name, PagePush

N_PEOPLE, SEED = 300, 7
LOOKBACK_MS = 14 * MS_PER_DAY


@pytest.mark.parametrize(
    ("written", "name"), [("null", "null"), ('"null"', "null"), ("default", "default"), ("counts", "counts")]
)
def test_a_world_is_named_in_params_and_null_may_stand_bare(written: str, name: str) -> None:
    assert params_of(f"simulate.world={written}").simulate.world == name


def test_an_unknown_world_is_refused() -> None:
    with pytest.raises(ParamsError, match=r"`simulate\.world`: Input should be 'default', 'null' or 'counts'"):
        params_of("simulate.world=heaven")


def needs_overlap(name: Name) -> tuple[float, float]:
    """The share of (web session, later app session) of a person with a need in common; the same, shuffled."""
    pairs = []
    for life in lives(name, N_PEOPLE):
        web = [done for done in life if on_web(done)]
        for app in (done for done in life if done.shown):
            for seen in web:
                wanted, moved = set(seen.needs) - {NO_NEED}, set(app.needs) - {NO_NEED}
                if wanted and moved and 0 < app.events[0].sent_ms - seen.events[0].sent_ms < LOOKBACK_MS:
                    pairs.append((wanted, moved))
    strangers = [moved for _, moved in pairs]
    random.Random(SEED).shuffle(strangers)
    shuffled = [bool(wanted & moved) for (wanted, _), moved in zip(pairs, strangers, strict=True)]
    return sum(bool(wanted & moved) for wanted, moved in pairs) / len(pairs), sum(shuffled) / len(pairs)


def test_web_needs_are_those_behind_clicks_in_default_and_in_null_by_chance_alone() -> None:
    together, by_chance = needs_overlap("default")
    assert together > 0.6 > 0.1 > by_chance
    together, by_chance = needs_overlap("null")
    assert together == pytest.approx(by_chance, abs=0.04)


def test_the_web_of_null_is_that_of_default_but_for_applications_and_their_outcomes() -> None:
    n_browsing = 0
    for null, default in zip(lives("null", N_PEOPLE), lives("default", N_PEOPLE), strict=True):
        browsing = [done for done in null if is_browsing(done)]
        assert browsing == [done for done in default if is_browsing(done)]
        n_browsing += len(browsing)
    assert n_browsing > 2000


def test_in_null_who_has_the_app_applies_there_so_that_the_website_hears_nothing_of_the_strangers_needs() -> None:
    people, n_applied = Population(world(), SEED, 49), Counter[bool]()
    for number, life in enumerate(lives("null", N_PEOPLE)):
        for done in life:
            if any(event.name == "application_started" for event in done.events):
                n_applied[on_web(done)] += 1
                assert on_web(done) == (people.person(number).phone is None)
    assert min(n_applied[True], n_applied[False]) > 20


def test_in_null_clicks_are_a_strangers_with_the_login_and_the_phone_of_the_person() -> None:
    people = Population(world(), SEED, 49)
    for number, life in enumerate(lives("null", 100)):
        someone = people.person(number)
        double = people.double(someone)
        for done in life:
            if not on_web(done):
                assert someone.phone
                assert done.events[0].client in someone.phone.clients
                assert {event.login for event in done.events} == {someone.login}
                assert done.needs == (double.needs_at(done.events[0].sent_ms) or [NO_NEED]) or _was_granted(life)


def _was_granted(life: list[Done]) -> bool:
    """Whether an application was approved, which may have ended a need."""
    return any(event.name == "application_approved" for done in life for event in done.events)


def area_repeats(name: Name) -> tuple[int, float, int]:
    """Steps within an area; the same after shuffling each session, on average; all steps."""
    draws, repeats, shuffled, n_steps = random.Random(SEED), 0, 0, 0
    for life in lives(name, N_PEOPLE):
        for done in life:
            if not is_browsing(done):
                continue
            viewed = [event.page for event in done.events if event.name == "page_view"]
            # a login is always followed by the accounts page
            areas = [page.area for page in viewed if page.path not in ("/login", "/online-banking")]
            n_steps += len(areas) - 1
            repeats += sum(a == b for a, b in pairwise(areas))
            for _ in range(4):
                draws.shuffle(areas)
                shuffled += sum(a == b for a, b in pairwise(areas))
    return repeats, shuffled / 4, n_steps


def test_the_pages_of_a_session_have_an_order_in_default_and_none_in_counts() -> None:
    repeats, shuffled, n_steps = area_repeats("default")
    assert repeats - shuffled > 0.05 * n_steps
    repeats, shuffled, n_steps = area_repeats("counts")
    assert abs(repeats - shuffled) < 4 * (0.25 * n_steps) ** 0.5


def test_in_counts_searches_and_forum_titles_say_nothing_of_the_need() -> None:
    traffic = world().traffic
    allowed = {question.title for question in traffic.community_titles} | {None, *traffic.hostile_titles}
    fits, n_titles = 0, 0
    needs_of = {question.title: question.needs for question in traffic.community_titles}
    own = {query for need in world().needs.values() for query in need.queries} - set(traffic.common_queries)
    for life in lives("counts", N_PEOPLE):
        for event in (event for done in life for event in done.events):
            assert event.query not in own or event.query is None
            assert event.title in allowed
            if event.title in needs_of and event.need != NO_NEED:
                n_titles += 1
                fits += event.need in needs_of[event.title]
    by_lot = sum(len(needs) for needs in needs_of.values()) / len(needs_of) / len(world().needs)
    assert n_titles > 30
    assert abs(fits / n_titles - by_lot) < 4 * (by_lot / n_titles) ** 0.5


def test_pages_of_a_launch_push_nothing() -> None:
    push, launch = PagePush(world(), SEED), next(iter(world().launch))
    assert push.factors([(0, launch)], 1) == {}


def test_page_pushes_count_views_of_fourteen_days_and_six_at_most() -> None:
    push, numbers = PagePush(world(), SEED), world().behaviour.by_page
    first, second = list(world().pages)[:2]
    ((tile, factor),) = push.factors([(0, first)], 1).items()
    assert factor == numbers.factor
    assert push.factors([(0, first)] * 3, 1) == {tile: pytest.approx(numbers.factor**3)}
    assert push.factors([(0, first)] * 30, 1) == {tile: pytest.approx(numbers.factor**numbers.most)}
    end_ms = int(numbers.days * MS_PER_DAY)
    assert push.factors([(0, first)], end_ms) == {tile: factor}
    assert push.factors([(0, first)], end_ms + 1) == {}  # too long ago
    assert push.factors([(5, first)], 5) == {}  # not yet seen
    (other,) = push.factors([(0, second)], 1)
    assert other != tile  # with this seed
    assert push.factors([(0, first), (0, second), (0, first)], 1) == {tile: pytest.approx(factor**2), other: factor}


def test_in_counts_click_chances_are_base_times_factor_to_the_views_by_hand() -> None:
    push, people, numbers = PagePush(world(), SEED), Population(world(), SEED, 49), world().behaviour.by_page
    pushed = {path: next(iter(push.factors([(0, path)], 1))) for path in world().pages}
    n_pushed = n_shown = 0
    for number, life in enumerate(lives("counts", N_PEOPLE)):
        someone, views = people.person(number), list[tuple[int, str]]()
        for done in life:
            ms = done.events[0].sent_ms
            counts = Counter(pushed[path] for at, path in views if ms - numbers.days * MS_PER_DAY <= at < ms)
            factors = {tile: numbers.factor ** min(count, numbers.most) for tile, count in counts.items()}
            _check_clicks(someone, done, factors)
            n_shown += len(done.shown)
            n_pushed += sum(shown.tile in factors for shown in done.shown)
            if on_web(done):
                views += [(event.sent_ms, event.page.path) for event in done.events if event.name == "page_view"]
            _grant(someone, done)
    assert n_shown > 5000
    assert n_pushed > 0.1 * n_shown


def _check_clicks(someone: Person, done: Done, factors: dict[str, float]) -> None:
    """Checks the click chances of an app session, and notes which tile was clicked last."""
    numbers, tiles = world().behaviour.app, world().app.tiles
    clicked = {str((e.props or {})["impression_id"]): e.target for e in done.events if e.name == "tile_click"}
    for start in range(0, len(done.shown), numbers.shown):
        weights = []
        for shown in done.shown[start : start + numbers.shown]:
            tile = tiles[shown.tile]
            weight = tile.popularity * someone.taste[shown.tile] * factors.get(shown.tile, 1)
            weight *= tile.holders if tile.holding in someone.holdings else 1
            weight *= numbers.habit if shown.tile == someone.last_tile else 1
            weights.append(weight * numbers.positions[shown.position])
        total = sum(weights) + numbers.no_click
        for shown, weight in zip(done.shown[start : start + numbers.shown], weights, strict=True):
            assert shown.click_probability == pytest.approx(weight / total, abs=1e-6)
        someone.last_tile = clicked.get(done.shown[start].impression_id, someone.last_tile)


def _grant(someone: Person, done: Done) -> None:
    products = {need.product: need.grants for need in world().needs.values()}
    for event in done.events:
        granted = products[str((event.props or {})["product"])] if event.name == "application_approved" else None
        someone.holdings |= {granted} if granted else set()


def test_in_counts_pages_sell_and_needs_do_not() -> None:
    people, fits = Population(world(), SEED, 49), []
    products = {need.product: name for name, need in world().needs.items()}
    for number, life in enumerate(lives("counts", N_PEOPLE)):
        own = {episode.need for episode in people.person(number).episodes}
        started = [event for done in life for event in done.events if event.name == "application_started"]
        fits += [products[str((event.props or {})["product"])] in own for event in started]
    assert len(fits) > 100
    assert sum(fits) / len(fits) < 0.3


def test_every_world_has_its_laws() -> None:
    assert set(LAWS) == {"default", "null", "counts"}
    assert bank_of("counts").live(0) != bank_of("default").live(0)
