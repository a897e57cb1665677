"""What changes from a day on: each scenario alone, two together, and none."""

from collections import Counter
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from simulated import Held, Line, block_of, day_of, held, made, moment, params_of
from tiny import Rows

from pipelines.errors import ParamsError
from pipelines.simulate.content import world
from pipelines.simulate.scenarios import BOT_WAVE, DEAD_TAG, INTENT_SHIFT, LAUNCH, TRACKER_RENAME, Kind

KINDS: tuple[Kind, ...] = (LAUNCH, INTENT_SHIFT, TRACKER_RENAME, DEAD_TAG, BOT_WAVE)
N_PEOPLE, N_DAYS, FROM_DAY, STRENGTH = 150, 28, 12, 0.4
NUMBERS = world().behaviour.scenarios


def planned(*scenarios: tuple[str, str, float]) -> str:
    written = (f'{{kind: {kind}, from: "{day}", strength: {strength}}}' for kind, day, strength in scenarios)
    return f"scenarios=[{', '.join(written)}]"


@cache
def bank(*scenarios: tuple[str, str, float]) -> tuple[list[Line], dict[str, Rows]]:
    return made(block_of(f"people={N_PEOPLE}", f"days={N_DAYS}", planned(*scenarios)))


def alone(kind: str) -> tuple[list[Line], dict[str, Rows]]:
    return bank((kind, "2026-01-17", STRENGTH))


def browsing(tables: dict[str, Rows]) -> Rows:
    """The web sessions that scenarios may touch (and a few applications and outcomes)."""
    return [row for row in tables["sessions"] if row["channel"] == "web"]


def path_of(line: Line) -> str:
    return str(line["page"]["url"]).removeprefix(world().traffic.web_host).split("?")[0]


def split_by_touch(kind: str) -> tuple[list[Held], list[Held]]:
    """The web sessions with their lines: those that the scenario touched, and the others."""
    lines, tables = alone(kind)
    found = [session for session in held(lines, tables) if session.session["channel"] == "web"]
    return [s for s in found if kind in s.session["touches"]], [s for s in found if not s.session["touches"]]


def share(sessions: list[Held], has: Callable[[Line], bool]) -> float:
    return float(np.mean([any(has(line) for line in session.lines) for session in sessions]))


@pytest.mark.parametrize("kind", [LAUNCH, INTENT_SHIFT, TRACKER_RENAME, DEAD_TAG])
def test_a_scenario_touches_its_share_of_web_sessions_from_its_day_on(kind: str) -> None:
    sessions = browsing(alone(kind)[1])
    assert not any(row["touches"] for row in sessions if day_of(row["start_ts"]) < FROM_DAY)
    after = [row["touches"] == [kind] for row in sessions if day_of(row["start_ts"]) >= FROM_DAY]
    assert len(after) > 300
    assert np.mean(after) == pytest.approx(STRENGTH, abs=0.08)  # applications and outcomes are not touched
    assert not any(row["touches"] for row in alone(kind)[1]["sessions"] if row["channel"] == "app")


@pytest.mark.parametrize("kind", [LAUNCH, INTENT_SHIFT, TRACKER_RENAME, DEAD_TAG])
def test_before_its_day_nothing_is_different(kind: str) -> None:
    def sessions(tables: dict[str, Rows]) -> Counter[tuple[str, str, int]]:
        rows = [row for row in tables["sessions"] if day_of(row["start_ts"]) < FROM_DAY]
        return Counter((row["client_id"], str(row["start_ts"]), row["n_events"]) for row in rows)

    assert sessions(alone(kind)[1]) == sessions(bank()[1])


def test_at_strength_zero_all_scenarios_together_change_no_byte() -> None:
    assert bank(*((kind, "2026-01-17", 0.0) for kind in KINDS)) == bank()


def test_a_launch_shows_its_pages_and_campaign_to_the_sessions_that_it_touches_alone() -> None:
    touched, others = split_by_touch(LAUNCH)
    assert share(touched, lambda line: path_of(line) in world().launch) > 0.6
    assert share(others, lambda line: path_of(line) in world().launch) == 0
    assert share(others, lambda line: line.get("utm", {}).get("campaign") == NUMBERS.launch_campaign) == 0
    assert share(touched, lambda line: line.get("utm", {}).get("campaign") == NUMBERS.launch_campaign) > 0.4
    seen = {path_of(line) for line in alone(LAUNCH)[0]} & world().launch.keys()
    assert seen == world().launch.keys()
    assert not {path_of(line) for line in bank()[0]} & world().launch.keys()


def test_an_intent_shift_brings_people_for_other_needs() -> None:
    _, tables = alone(INTENT_SHIFT)
    touched = [row["needs"] for row in browsing(tables) if row["touches"]]
    assert all(needs[0] in NUMBERS.shifts_to for needs in touched)
    assert {needs[0] for needs in touched} == set(NUMBERS.shifts_to)
    others = [row["needs"][0] in NUMBERS.shifts_to for row in browsing(tables) if not row["touches"]]
    assert np.mean(others) < 0.25


def test_a_renamed_event_has_its_new_name_in_the_sessions_touched_alone() -> None:
    ((old, new),) = NUMBERS.renamed_events.items()
    touched, others = split_by_touch(TRACKER_RENAME)
    assert share(touched, lambda line: line["event"]["name"] == old) == 0
    assert share(touched, lambda line: line["event"]["name"] == new) > 0.95
    assert share(others, lambda line: line["event"]["name"] == new) == 0
    plain = [[path_of(line) for line in lines] for lines in (alone(TRACKER_RENAME)[0], bank()[0])]
    assert len(plain[0]) == pytest.approx(len(plain[1]), rel=0.01)


def test_a_dead_area_sends_nothing_in_the_sessions_touched_and_as_ever_in_others() -> None:
    dead = {path for path, page in world().pages.items() if page.area == NUMBERS.dead_area}
    touched, others = split_by_touch(DEAD_TAG)
    assert share(touched, lambda line: path_of(line) in dead) == 0
    assert share(others, lambda line: path_of(line) in dead) > 0.1
    assert any(not session.lines for session in touched)  # those that saw nothing else


def test_a_wave_of_bots_adds_its_share_of_sessions_from_its_day_on() -> None:
    lines, tables = alone(BOT_WAVE)
    before = {row["client_id"] for row in bank()[1]["bots"]}
    wave = {row["client_id"] for row in tables["bots"]} - before
    n_web = len(browsing(bank()[1]))
    assert len(wave) == round(n_web * (N_DAYS - FROM_DAY) / N_DAYS * STRENGTH)
    assert not any(row["declared"] for row in tables["bots"] if row["client_id"] in wave)
    days = {day_of(moment(line["sent_at"])) for line in lines if line["client"]["id"] in wave}
    assert days == set(range(FROM_DAY, N_DAYS))
    people = [line for line in lines if line["client"]["id"] not in wave]
    assert people == bank()[0]  # people and everyday machines do as they did
    assert tables["sessions"] == bank()[1]["sessions"]


def test_two_waves_are_of_different_machines() -> None:
    _, tables = bank((BOT_WAVE, "2026-01-17", 0.1), (BOT_WAVE, "2026-01-27", 0.1))
    clients = [row["client_id"] for row in tables["bots"]]
    assert len(set(clients)) == len(clients) > len(bank()[1]["bots"]) + 50


def test_two_scenarios_touch_sessions_apart_from_each_other() -> None:
    _, tables = bank((LAUNCH, "2026-01-17", 0.5), (TRACKER_RENAME, "2026-01-17", 0.5))
    sessions = [row for row in browsing(tables) if day_of(row["start_ts"]) >= FROM_DAY]
    kinds = Counter(tuple(row["touches"]) for row in sessions)
    assert kinds[LAUNCH, TRACKER_RENAME] / len(sessions) == pytest.approx(0.25, abs=0.07)
    assert kinds[LAUNCH,] / len(sessions) == pytest.approx(0.25, abs=0.07)
    assert kinds[TRACKER_RENAME,] / len(sessions) == pytest.approx(0.25, abs=0.07)


@pytest.mark.parametrize("kind", KINDS)
def test_a_scenario_may_be_under_way_when_the_bank_opens(kind: str) -> None:
    block = block_of("people=40", "days=7", planned((kind, "2025-12-01", 1.0)))
    lines, tables = made(block)
    if kind == BOT_WAVE:
        assert len(tables["bots"]) - 2 == len(browsing(tables))
    else:
        touched = [row for row in browsing(tables) if row["touches"] == [kind]]
        assert len(touched) > 0.8 * len(browsing(tables))
    assert lines


@pytest.mark.parametrize("kind", KINDS)
def test_a_scenario_may_begin_after_the_last_day(kind: str) -> None:
    assert made(block_of("people=10", "days=3", planned((kind, "2027-01-01", 1.0)))) == made(
        block_of("people=10", "days=3")
    )


@pytest.mark.parametrize("name", ["null", "counts"])
def test_all_scenarios_at_once_work_in_every_world(name: str) -> None:
    every = planned(*((kind, "2026-01-07", 0.5) for kind in KINDS))
    lines, tables = made(block_of("people=60", "days=10", f"world={name}", every))
    assert {touch for row in tables["sessions"] for touch in row["touches"]} == {*KINDS} - {BOT_WAVE}
    assert lines


@pytest.mark.parametrize(
    ("scenario", "field"),
    [
        ('{kind: flood, from: "2026-01-10", strength: 0.1}', r"scenarios\.0\.kind"),
        ('{kind: launch, from: "soon", strength: 0.1}', r"scenarios\.0\.from"),
        ('{kind: launch, from: "2026-01-10", strength: 1.5}', r"scenarios\.0\.strength"),
        ('{kind: launch, from: "2026-01-10", strength: -0.1}', r"scenarios\.0\.strength"),
        ('{kind: launch, from: "2026-01-10"}', r"scenarios\.0\.strength"),
        ('{kind: launch, from: "2026-01-10", strength: 0.1, until: "2026-01-12"}', r"scenarios\.0\.until"),
    ],
)
def test_bad_values_are_refused_with_one_message(scenario: str, field: str) -> None:
    with pytest.raises(ParamsError, match=rf"^[^\n]*`simulate\.{field}`: [^\n]+$"):
        params_of(f"simulate.scenarios=[{scenario}]")
