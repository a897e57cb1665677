"""When drift is an alarm, and when an alarm is announced."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from pipelines.drift import policy

DAY = date(2026, 2, 22)


def write(drift: Path, day: date, *, alarm: bool, champion: str = "0001-a", drifted: bool = True) -> None:
    drift.mkdir(exist_ok=True)
    report = {
        "drifted": drifted,
        "signals": {"pages": {"score": 4.0 if drifted else 1.0, "limit": 3.2}, "gaps": {"score": 0.0, "limit": 3.0}},
        "alarm": alarm,
        "sentence": "ALARM",
        "window": {"from": str(day - timedelta(days=6)), "to": str(day + timedelta(days=1))},
        "versions": {"version": champion},
        "hashes": {"sessions": "abc"},
    }
    (drift / f"{day}.json").write_text(json.dumps(report), encoding="utf-8")


@pytest.mark.parametrize(
    ("drifted", "expected"),
    [
        ([False, False, True], []),  # one odd day
        ([False, True, True], [1, 2]),
        ([True, False, True], [0, 2]),
        ([True, True, False], []),  # it is over
        ([True, True, True], [0, 1, 2]),
    ],
)
def test_two_of_three_days_are_an_alarm(drifted: list[bool], expected: list[int]) -> None:
    days = [DAY - timedelta(days=2), DAY - timedelta(days=1), DAY]
    reaches = {one: 1.1 if has_drifted else 0.9 for one, has_drifted in zip(days, drifted, strict=True)}
    found = policy.days_of_alarm(reaches, DAY, 2, 3, 1.15)
    assert found == [str(days[place]) for place in expected]


@pytest.mark.parametrize(("at_once", "expected"), [(1.15, [str(DAY)]), (1.5, []), (None, [])])
def test_one_day_far_beyond_its_limits_is_an_alarm_alone(at_once: float | None, expected: list[str]) -> None:
    assert policy.days_of_alarm({DAY: 1.2}, DAY, 2, 3, at_once) == expected
    over = {DAY - timedelta(days=1): 1.2, DAY: 0.9}
    assert policy.days_of_alarm(over, DAY, 2, 3, at_once) == []


def test_another_champions_days_do_not_count(tmp_path: Path) -> None:
    write(tmp_path, DAY, alarm=False)
    write(tmp_path, DAY - timedelta(days=1), alarm=False, champion="0002-b")
    (tmp_path / policy.ANNOUNCED).write_text("[]", encoding="utf-8")
    assert policy.history(policy.reports(tmp_path), "0001-a") == {DAY: {"pages": 1.25, "gaps": 0.0}}


def test_an_alarm_is_announced_once_with_its_window_and_hashes(tmp_path: Path) -> None:
    write(tmp_path, DAY, alarm=True)
    decided = policy.decide(tmp_path, DAY, DAY + timedelta(days=1), 7, asked=False)
    assert decided.announce
    assert decided.extra["window"] == {"from": "2026-02-16", "to": "2026-02-23"}
    assert decided.extra["hashes"] == {"sessions": "abc"}
    policy.keep(tmp_path, DAY)
    write(tmp_path, DAY + timedelta(days=3), alarm=True)
    again = policy.decide(tmp_path, DAY + timedelta(days=3), DAY + timedelta(days=4), 7, asked=True)
    assert not again.announce
    assert "cool-down" in again.reason
    assert policy.decide(tmp_path, DAY, DAY + timedelta(days=1), 7, asked=False).announce, "the same day, cleared"


def test_a_month_of_monitoring_that_is_made_up_for_announces_nothing(tmp_path: Path) -> None:
    today = DAY + timedelta(days=30)
    for back in range(30, 3, -1):
        day = today - timedelta(days=back)
        write(tmp_path, day, alarm=True)
        assert not policy.decide(tmp_path, day, today, 7, asked=False).announce
    write(tmp_path, today - timedelta(days=1), alarm=True)
    assert policy.decide(tmp_path, today - timedelta(days=1), today, 7, asked=False).announce


def test_no_alarm_is_not_announced_even_when_asked(tmp_path: Path) -> None:
    write(tmp_path, DAY, alarm=False)
    assert policy.decide(tmp_path, DAY, DAY, 7, asked=True).reason == "no alarm"
