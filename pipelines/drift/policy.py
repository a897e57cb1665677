"""When drift becomes an alarm, and when an alarm is announced. Standard library only: Airflow's processes read it.

A window that passes a threshold is drift. Enough such days of the last ones are an alarm (hysteresis), or one day on
which it is passed by more than odd days do. An alarm is announced, which starts `retrain`, unless it is about a day
long past (a month of monitoring that is made up for starts nothing, except what a person asks for) or another was
announced near it (the cool-down).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

FRESH_DAYS: Final = 2
"""A report is about yesterday, and may be a day late."""
ANNOUNCED: Final = "announced.json"


@dataclass(frozen=True)
class Decision:
    """Whether to announce the alarm of a day, and why, or why not; ``extra`` is what its asset event carries."""

    announce: bool
    reason: str
    extra: Mapping[str, Any]


def days_of_alarm(
    reaches: Mapping[date, float], day: date, n_drifted: int, of: int, at_once: float | None
) -> list[str]:
    """Returns the days with drift among the ``of`` days up to ``day``, if they make an alarm; else none.

    ``day`` itself must have drifted: an alarm is not raised by what is over. A day without a report has no drift.

    Args:
        reaches: how many times its limit the furthest signal was on each day; beyond 1 is drift.
        day: the last of them.
        n_drifted: so many days with drift make an alarm.
        of: among so many.
        at_once: so many times its limit ``day`` makes one alone; None: no day does.
    """
    last = [day - timedelta(days=back) for back in reversed(range(of))]
    found = [str(one) for one in last if reaches.get(one, 0) > 1]
    far = at_once is not None and reaches.get(day, 0) > at_once
    return found if reaches.get(day, 0) > 1 and (far or len(found) >= n_drifted) else []


def reports(drift: Path) -> dict[date, dict[str, Any]]:
    """Returns what each day's report in the folder ``drift`` found, its JSON."""
    paths = sorted(drift.glob("????-??-??.json"))
    return {date.fromisoformat(path.stem): json.loads(path.read_text(encoding="utf-8")) for path in paths}


def history(known: Mapping[date, Mapping[str, Any]], champion: str) -> dict[date, dict[str, float]]:
    """Returns how many times its limit each signal was on each day of the reports ``known``.

    Of reports about this champion only.
    """
    return {
        day: {name: one["score"] / one["limit"] for name, one in report["signals"].items()}
        for day, report in known.items()
        if report.get("versions", {}).get("version") == champion  # a report of an earlier kind names none
    }


def decide(drift: Path, day: date, today: date, cooldown_days: int, asked: bool) -> Decision:
    """Returns whether the report of ``day`` in the folder ``drift`` is to be announced.

    Args:
        drift: reports/drift.
        day: the last day of the report's window.
        today: when this is decided.
        cooldown_days: for so long after an announced day none is announced.
        asked: a person wants this very day announced, be it past.
    """
    report = json.loads((drift / f"{day}.json").read_text(encoding="utf-8"))
    extra = {name: report[name] for name in ("window", "versions", "hashes", "sentence")} | {"day": str(day)}
    near = [one for one in announced(drift) if one != day and abs((day - one).days) < cooldown_days]
    if not report["alarm"]:
        return Decision(False, "no alarm", extra)
    if day < today - timedelta(days=FRESH_DAYS) and not asked:
        return Decision(False, f"{day} is long past: an alarm that is made up for starts nothing", extra)
    if near:
        return Decision(False, f"an alarm was announced for {near[-1]}: cool-down of {cooldown_days} days", extra)
    return Decision(True, report["sentence"], extra)


def announced(drift: Path) -> list[date]:
    """Returns the days whose alarms were announced, in order."""
    path = drift / ANNOUNCED
    return [date.fromisoformat(one) for one in json.loads(path.read_text(encoding="utf-8"))] if path.exists() else []


def keep(drift: Path, day: date) -> None:
    """Notes that the alarm of ``day`` is announced."""
    days = sorted({*announced(drift), day})
    path = drift / ANNOUNCED
    written = path.with_suffix(".part")
    written.write_text(json.dumps([str(one) for one in days]) + "\n", encoding="utf-8")
    written.replace(path)
