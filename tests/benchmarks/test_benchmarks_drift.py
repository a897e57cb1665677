"""Windows into which drift is mixed, and how late an alarm comes."""

from datetime import date

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pytest
from drifting import observed
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset

from benchmarks.drift_banks import FROM_DAY
from benchmarks.drift_evidently import preset
from benchmarks.drift_windows import Judge, Sessions, alarms, delay_days, mixed
from pipelines.drift.calibration import Thresholds
from pipelines.drift.signals import SIGNALS
from pipelines.params import Alarm

FIRST = date(2026, 1, 5)
RULE = Alarm(drifted=2, of=3, at_once=1.15)


def sessions(n_sessions: int, seed: int, first_day: int = 0, n_days: int = 28) -> Sessions:
    rows = observed(n_sessions, seed, first_day=first_day, n_days=n_days)
    return Sessions.of(rows, np.zeros((n_sessions, 2)), FIRST)


def test_a_strength_is_the_share_of_sessions_that_are_touched_from_the_day_on() -> None:
    calm, touched = sessions(6000, 1), sessions(1000, 2, FROM_DAY, 4)
    found = mixed(calm, touched, "launch", 0.3, np.random.default_rng(0))
    is_touched = pc.starts_with(found.rows.column("session_id"), "2-").to_numpy()
    assert not is_touched[found.days < FROM_DAY].any()
    assert is_touched[found.days >= FROM_DAY].mean() == pytest.approx(300 / (300 + 0.7 * 6000 * 4 / 28), abs=0.05)
    wave = mixed(calm, touched, "bot_wave", 0.3, np.random.default_rng(0))
    near = (calm.days > FROM_DAY - 10) & (calm.days < FROM_DAY + 4)
    assert len(wave.days) - near.sum() == pytest.approx(300, abs=45), "beside all the others"


def test_a_window_ends_with_its_last_day_and_meets_the_same_weekdays() -> None:
    own = sessions(400, 1)
    judge = Judge(own, Thresholds.of(own.rows, window_days=2, false_alarm_rate=0.05, seed=7))
    assert set(own.days[judge.window(own, 8)]) == {7, 8}
    assert set(own.days[judge.like(8)] % 7) == {0, 1}
    assert judge.reaches(own, [7, 8]).shape == (2, len(SIGNALS))


@pytest.mark.parametrize(
    ("reaches", "expected"),
    [
        ([0.9, 0.9, 1.1, 1.1, 1.1, 1.1], 2),
        ([0.9, 0.9, 0.9, 1.1, 1.1, 1.1], 3),
        ([0.9, 1.1, 1.1, 1.1, 1.1, 1.1], 1),  # a false alarm of the day before helps
        ([0.9, 0.9, 1.2, 1.2, 1.2, 1.2], 1),
        ([0.9, 0.9, 1.1, 0.9, 0.9, 0.9], None),
    ],
)
def test_the_delay_counts_days_of_drift_until_the_alarm(reaches: list[float], expected: int | None) -> None:
    assert delay_days(np.array(reaches), RULE) == expected


def test_alarms_of_consecutive_days() -> None:
    assert list(alarms(np.array([1.1, 0.9, 1.1, 1.1, 0.9, 1.2]), RULE)) == [False, False, True, True, False, True]


@pytest.mark.parametrize("shift", [0.0, 0.2])
def test_the_preset_finds_without_drawing_what_it_finds_with(shift: float) -> None:
    draw = np.random.default_rng(3)
    window, reference = (
        pd.DataFrame({"one": draw.normal(by, 1, n), "two": draw.normal(0, 1, n), "word": draw.choice(["a", "b"], n)})
        for n, by in ((900, shift), (4000, 0.0))
    )
    definition = DataDefinition(numerical_columns=["one", "two"], categorical_columns=["word"])
    parts = [Dataset.from_pandas(frame, data_definition=definition) for frame in (window, reference)]
    metrics = Report([DataDriftPreset()]).run(*parts).dict()["metrics"]
    reaches = [one["value"] / one["config"]["threshold"] for one in metrics if "column" in one["config"]]
    assert len(reaches) == 3
    assert preset(window, reference, ["one", "two"], ["word"]) == (max(reaches) > 1, pytest.approx(max(reaches)))
    assert (max(reaches) > 1) == (shift > 0)
