"""What several seeds say together: each figure's mean over seeds, its interval, and the verdict of a control world.

A seed draws everything anew: people, traffic, splits, initial weights. So the estimates of n seeds are independent
draws around the world's own value, and their spread already holds the sampling of visitors beside all else that differs
between seeds. The interval is that of random effects with equal weights, mean -+ t(n - 1; .975) x sd / sqrt(n). Each
seed's own interval, which resamples the visitors of one bank and one training run, is reported beside it.

Source: Hartung & Knapp 2001, Statistics in Medicine 20; equal weights, since all seeds have the same size.
What it does not cover: another bank than the simulated one; and with three seeds t is 4.3, so that an interval that
includes zero says little of how small an effect is.
"""

import math
import re
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from scipy.stats import t as student_t

Row = dict[str, float]

LEVEL: Final = 0.95
NORMAL_HALF_WIDTH: Final = statistics.NormalDist().inv_cdf((1 + LEVEL) / 2)  # in standard errors


@dataclass(frozen=True)
class Claim:
    """What a control world was built to show: no lift that ``pairs`` matches lies above zero."""

    text: str
    pairs: str  # a regular expression over whole names such as embedding_over_page_counts


_WEB_SIGNALS: Final = "page_counts|embedding|labels|both|teacher_labels|student_labels"
"""The models with a web signal; linked_needs and current_needs read the truth and are no part of any claim."""
CLAIMS: Final[Mapping[str, Claim]] = {
    "null": Claim(
        "no web signal (page counts, embedding, labels) lifts tile ranking over app only, or conversion over time only",
        rf"({_WEB_SIGNALS})_over_(app_only|time_only)",
    ),
    "counts": Claim(
        "the embedding does not beat page counts, in tile ranking or conversion", r"embedding_over_page_counts"
    ),
}


@dataclass(frozen=True)
class SeedEstimate:
    """One seed's estimate with its own 95 % interval, which resamples visitors."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class OverSeeds:
    """One figure of one world; a seed where it is undefined (nothing to compare with) is not among ``by_seed``."""

    task: str
    name: str  # a model, or model_over_baseline
    metric: str
    by_seed: Mapping[int, SeedEstimate]

    @property
    def is_lift(self) -> bool:
        return "_over_" in self.name

    @property
    def mean(self) -> float:
        return statistics.fmean(estimate.value for estimate in self.by_seed.values())

    @property
    def sd(self) -> float:
        """Standard deviation of the seeds' estimates; needs two seeds."""
        return statistics.stdev(estimate.value for estimate in self.by_seed.values())

    @property
    def visitors_se(self) -> float:
        """Standard error within a seed, root mean square over seeds, from the widths of the visitors' intervals."""
        halves = [(estimate.high - estimate.low) / 2 / NORMAL_HALF_WIDTH for estimate in self.by_seed.values()]
        return math.sqrt(statistics.fmean(half**2 for half in halves))

    @cached_property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the mean; None where fewer than two seeds give no spread."""
        n_seeds = len(self.by_seed)
        if n_seeds < 2:
            return None
        half = float(student_t.ppf((1 + LEVEL) / 2, n_seeds - 1)) * self.sd / math.sqrt(n_seeds)
        return self.mean - half, self.mean + half

    @property
    def above_zero(self) -> bool:
        return self.interval is not None and self.interval[0] > 0

    def row(self) -> Row:
        """Returns this figure as reports/bench holds it; what is undefined is left out."""
        row: Row = {"n_seeds": len(self.by_seed)}
        if self.by_seed:
            row |= {"mean": self.mean, "visitors_se": self.visitors_se}
        if self.interval is not None:
            row |= {"low": self.interval[0], "high": self.interval[1], "seeds_sd": self.sd}
        for seed, estimate in self.by_seed.items():
            name = f"seed_{seed}"
            row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
        return row


@dataclass(frozen=True)
class Verdict:
    """How a control world's claim fared: every lift that it speaks of, and those whose interval lies above zero."""

    claim: Claim
    judged: list[OverSeeds]
    against: list[OverSeeds]

    @property
    def expected_by_chance(self) -> float:
        """How many of the judged intervals would lie above zero if there were nothing; they are not independent."""
        return len(self.judged) * (1 - LEVEL) / 2

    def row(self) -> Row:
        counts: Row = {"n_intervals": len(self.judged), "n_above_zero": len(self.against)}
        return counts | ({"holds": float(not self.against)} if self.judged else {})


def over_seeds(metrics_by_seed: Mapping[int, Mapping[str, Any]]) -> list[OverSeeds]:
    """Returns every lift of one world's metrics.json files, and every model's own figures in the tasks with lifts."""
    found: dict[tuple[str, str, str], dict[int, SeedEstimate]] = {}
    for seed, metrics in metrics_by_seed.items():
        for task, lifts in metrics["lift"].items():
            for name, by_metric in {**metrics[task], **lifts}.items():
                if isinstance(by_metric, str):
                    continue  # not available in this seed; the sentence says why
                for metric, estimate in by_metric.items():
                    by_seed = found.setdefault((task, name, metric), {})
                    if estimate["value"] is not None:
                        by_seed[seed] = SeedEstimate(estimate["value"], *estimate["ci95"])
    return [OverSeeds(*key, by_seed) for key, by_seed in found.items()]


def verdict(world: str, figures: list[OverSeeds]) -> Verdict | None:
    """Returns the verdict on ``world``, None for one that claims nothing."""
    if world not in CLAIMS:
        return None
    claim = CLAIMS[world]
    judged = [one for one in figures if one.interval is not None and re.fullmatch(claim.pairs, one.name)]
    return Verdict(claim, judged, [one for one in judged if one.above_zero])
