"""How often calm windows pass for drift, and how soon drift is found, beside Evidently's presets on the same windows.

Banks of seeds that the champion never saw, simulated and scored by the commands themselves (drift_banks.py), are cut
into windows (drift_windows.py). What is kept is not made again: killed and started again, it goes on.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.console import leave_with
from benchmarks.drift_banks import CALM_DAYS, DRIFT_DAYS, FROM_DAY, Bank, Banks
from benchmarks.drift_evidently import METHODS
from benchmarks.drift_windows import (
    HISTORY_DAYS,
    SOON_DAYS,
    Judge,
    Sessions,
    alarms,
    delay_days,
    mixed,
)
from pipelines import telemetry
from pipelines.drift.calibration import Thresholds
from pipelines.params import Alarm
from pipelines.simulate.scenarios import BOT_WAVE, DEAD_TAG, INTENT_SHIFT, LAUNCH, TRACKER_RENAME

REPOSITORY: Final = Path(__file__).resolve().parent.parent
KINDS: Final = (LAUNCH, INTENT_SHIFT, TRACKER_RENAME, DEAD_TAG, BOT_WAVE)
STRENGTHS: Final = (0.02, 0.1, 0.3)
N_DRAWS: Final = 4
"""Coins tossed anew for one bank and strength."""
FIRST_SEED: Final = 132
"""The banks of the seeds before it were looked at when windows, limits and the alarm were chosen."""
ROC_EVERY: Final = 7
"""Days between the calm windows that are shown to Evidently's presets: they do not overlap."""

Row = dict[str, float]


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints and writes reports/bench/drift.json; returns 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drift", description=__doc__.splitlines()[0])
    parser.add_argument("--calm-seeds", type=int, default=6, help="banks without drift (default: 6)")
    parser.add_argument("--drift-seeds", type=int, default=3, help="of them, those that drift is put into (default: 3)")
    asked = parser.parse_args(arguments)
    telemetry.switch_off()
    bench = Bench(Banks.now(REPOSITORY))
    seeds = range(FIRST_SEED, FIRST_SEED + asked.calm_seeds)
    rows = bench.calm(seeds)
    _print_calm(rows["calm"])
    rows |= bench.drifting(seeds[: asked.drift_seeds])
    _print_drift(rows)
    rows |= bench.beside_evidently()  # the longest part: what is known by now is on the screen
    _print_beside(rows)
    path = REPOSITORY / "reports" / "bench" / "drift.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    print(f"\nwritten to {path.relative_to(REPOSITORY)}")
    return 0


class Bench:
    """The windows of all banks under one champion, judged."""

    def __init__(self, banks: Banks) -> None:
        held = banks.held
        self._banks = banks
        self._rule: Alarm = banks.params.monitor.alarm
        reference = Sessions.of(*banks.reference(), banks.day(0))
        thresholds = Thresholds.model_validate_json(held.thresholds.read_bytes())
        self._judge = Judge(reference, thresholds)
        self._shown: list[tuple[str, float, Sessions, Sessions]] = []  # kind, our reach, window, reference

    def calm(self, seeds: Sequence[int]) -> dict[str, Row]:
        """Returns how many windows of calm banks drifted, and days raised an alarm; intervals resample the banks."""
        last_days = list(range(self._judge.thresholds.window_days - 1, CALM_DAYS))
        drifted, raised = [], []
        for seed in seeds:
            bank = self._read(Bank(seed))
            reaches = self._judge.reaches(bank, last_days).max(axis=1)
            drifted.append(reaches > 1)
            raised.append(list(alarms(reaches, self._rule)))
            for place in range(0, len(last_days), ROC_EVERY):
                self._show("calm", reaches[place], bank, last_days[place])
        row = {"n_windows": float(len(seeds) * len(last_days)), "n_seeds": float(len(seeds))}
        for name, found in (("false_alarm_rate", drifted), ("alarm_rate", raised)):
            row |= _over_banks(name, np.array(found, float).mean(axis=1))
        return {"calm": row}

    def drifting(self, seeds: Sequence[int]) -> dict[str, Row]:
        """Returns of each kind and strength the share of draws with an alarm within SOON_DAYS, and the mean delay."""
        found: dict[str, list[int | None]] = {}
        for seed in seeds:
            calm = self._read(Bank(seed))
            for kind in KINDS:
                touched = self._read(Bank(seed, kind))
                for strength in STRENGTHS:
                    delays = found.setdefault(f"{kind}_{strength * 100:.0f}", [])
                    for number in range(N_DRAWS):
                        draw = np.random.default_rng([seed, number, round(strength * 100)])
                        delays.append(self._delay(mixed(calm, touched, kind, strength, draw), kind, strength, number))
        return {name: _row(delays) for name, delays in found.items()}

    def beside_evidently(self) -> dict[str, Row]:
        """Returns false alarms, rates and areas under the ROC of ours and of Evidently's on the windows shown."""
        kinds = [kind for kind, *_ in self._shown]
        verdicts = {"ours": [(reach > 1, reach) for _, reach, *_ in self._shown]}
        for name, method in METHODS.items():
            print(f"bench-drift: {name} on {len(self._shown)} windows", file=sys.stderr)
            verdicts[name] = [method(window, reference) for *_, window, reference in self._shown]
        return {name: _roc(kinds, found) for name, found in verdicts.items()}

    def _delay(self, sessions: Sessions, kind: str, strength: float, number: int) -> int | None:
        last_days = list(range(FROM_DAY - HISTORY_DAYS, FROM_DAY + DRIFT_DAYS))
        reaches = self._judge.reaches(sessions, last_days).max(axis=1)
        if not number:
            last = FROM_DAY + SOON_DAYS - 1
            self._show(f"{kind}_{strength * 100:.0f}", reaches[last_days.index(last)], sessions, last)
        return delay_days(reaches, self._rule)

    def _show(self, kind: str, reach: float, sessions: Sessions, last: int) -> None:
        window, reference = self._judge.window(sessions, last), self._judge.like(last)
        self._shown.append((kind, float(reach), sessions.taken(window), self._judge.reference.taken(reference)))

    def _read(self, bank: Bank) -> Sessions:
        read = Sessions.of(*self._banks.read(bank), self._banks.day(0))
        return replace(read, rows=read.rows.combine_chunks())


def _over_banks(name: str, rates: np.ndarray) -> Row:
    """The mean of the banks' ``rates``, and its 95 % interval over resampled banks."""
    draws = np.random.default_rng(0).choice(rates, (10_000, len(rates))).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return {name: float(rates.mean()), f"{name}_low": float(low), f"{name}_high": float(high)}


def _row(delays: Sequence[int | None]) -> Row:
    known = [delay for delay in delays if delay is not None]
    row = {"rate": float(np.mean([delay is not None and delay <= SOON_DAYS for delay in delays]))}
    return row | {"n_draws": float(len(delays))} | ({"delay_days": float(np.mean(known))} if known else {})


def _roc(kinds: Sequence[str], found: Sequence[tuple[bool, float]]) -> Row:
    calm = [verdict for kind, verdict in zip(kinds, found, strict=True) if kind == "calm"]
    row = {"false_alarm_rate": float(np.mean([drifted for drifted, _ in calm])), "n_windows": float(len(found))}
    for strength in (f"{100 * strength:.0f}" for strength in STRENGTHS):
        own = [verdict for kind, verdict in zip(kinds, found, strict=True) if kind.endswith(f"_{strength}")]
        actual = [0] * len(calm) + [1] * len(own)
        row[f"rate_at_{strength}"] = float(np.mean([drifted for drifted, _ in own]))
        row[f"auc_at_{strength}"] = float(roc_auc_score(actual, [reach for _, reach in (*calm, *own)]))
    return row


def _print_calm(calm: Row) -> None:
    print(f"Calm: {calm['n_windows']:.0f} windows of {calm['n_seeds']:.0f} banks; share in which any signal drifted")
    for name in ("false_alarm_rate", "alarm_rate"):
        print(f"  {name:18} {calm[name]:.3f} [{calm[f'{name}_low']:.3f}, {calm[f'{name}_high']:.3f}]")


def _print_drift(rows: dict[str, Row]) -> None:
    print(f"\nDrift: share of draws with an alarm within {SOON_DAYS} days; mean days to the alarm where one came")
    for name, row in rows.items():
        if "rate" in row:
            print(f"  {name:20} {row['rate']:5.2f} {row.get('delay_days', float('nan')):5.1f}  of {row['n_draws']:.0f}")


def _print_beside(rows: dict[str, Row]) -> None:
    metrics = list(_metrics())
    print(f"\nOne window each, {SOON_DAYS} days into the drift\n{'':24}" + "".join(f"{name:>18}" for name in metrics))
    for name in ("ours", *METHODS):
        print(f"  {name:22}" + "".join(f"{rows[name][metric]:18.2f}" for metric in metrics))


def _metrics() -> Iterator[str]:
    yield "false_alarm_rate"
    for strength in STRENGTHS:
        yield from (f"{metric}_at_{100 * strength:.0f}" for metric in ("rate", "auc"))


if __name__ == "__main__":
    leave_with(main)
