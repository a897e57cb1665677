"""The evaluation over several draws of the demo bank's worlds: five of the default, three of each control.

In ``null`` web intent touches neither app clicks nor applications, so no web signal may lift; in ``counts`` page counts
are sufficient, so the embedding may not beat them. Every run is simulate and the six stages in a folder of its own
(world_runs.py), every figure a mean over seeds with an interval (over_seeds.py). Killed and started again it goes on.
"""

import argparse
import json
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

from benchmarks.over_seeds import OverSeeds, Row, Verdict, over_seeds, verdict
from benchmarks.world_runs import PIPELINE, Draw, RunError, Runs
from pipelines import params as params_file
from pipelines import telemetry
from pipelines.cores import n_cores
from pipelines.errors import PipelineError

REPOSITORY: Final = Path(__file__).resolve().parent.parent
N_SEEDS: Final = {"default": 5, "null": 3, "counts": 3}
"""Draws of each world; the seeds follow one another from that of params.yaml on."""
HEADINGS: Final = {
    "macro_recall_at_1": "macro Recall@1",
    "log_loss": "log loss",
    "micro_f1": "micro F1",
    "macro_f1": "macro F1",
    "average_precision": "avg precision",
}
METHOD: Final = (
    "Means over seeds [95 %: Student's t over the seeds' estimates, whose spread holds seeds and visitors]. Below a\n"
    "lift each seed's own estimate [95 %: its visitors resampled]. Lifts are relative; of log loss, its reduction.\n"
    "One is called a lift only where its interval lies above zero, and worse only where it lies below."
)


def main(
    arguments: Sequence[str] | None = None, repository: Path = REPOSITORY, command: Sequence[str] = PIPELINE
) -> int:
    """Runs what is not finished yet, prints and writes all; returns 0, or 1 when a run failed or was interrupted."""
    options = _parser().parse_args(arguments)
    telemetry.switch_off()
    try:
        draws = _draws(repository, options)
        runs = Runs.now(repository, options.overrides, command)
        with _ended_like_ctrl_c():
            runs.finish(draws, options.jobs)
        report({draw: runs.metrics(draw) for draw in draws}, repository)
    except (RunError, PipelineError) as error:
        print(f"worlds: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("worlds: interrupted; finished runs are kept: run it again to go on", file=sys.stderr)
        return 1
    return 0


def report(metrics: Mapping[Draw, Mapping[str, Any]], repository: Path) -> None:
    """Writes reports/bench/worlds.json, and prints every world's tables and below them the verdicts."""
    rows: dict[str, Row] = {}
    tables: list[str] = []
    verdicts: list[str] = []
    for world in dict.fromkeys(draw.world for draw in metrics):
        by_seed = {draw.seed: found for draw, found in metrics.items() if draw.world == world}
        figures = over_seeds(by_seed)
        rows |= {f"{world}/{one.task}/{one.name}/{one.metric}": one.row() for one in figures}
        tables += world_lines(world, list(by_seed), figures)
        judged = verdict(world, figures)
        if judged is not None:
            rows[f"{world}/verdict"] = judged.row()
            verdicts += verdict_lines(world, judged)
    path = repository / "reports" / "bench" / "worlds.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    marks = dict.fromkeys(mark for found in metrics.values() for mark in _marks(found["notes"]))
    print("\n".join(["", *marks, "", METHOD, *tables, "", *verdicts]))
    print(f"\nwritten to {path.relative_to(repository)}")


def world_lines(world: str, seeds: Sequence[int], figures: Sequence[OverSeeds]) -> Iterator[str]:
    """Yields one world's table, task by task: a line a model, then a line a lift with the seeds' own below it."""
    for task in dict.fromkeys(one.task for one in figures):
        here = [one for one in figures if one.task == task]
        yield f"\n== {world}, seeds {', '.join(map(str, seeds))}: {task.replace('_', ' ')} =="
        for model in dict.fromkeys(one.name for one in here if not one.is_lift):
            cells = "".join(f"  {_heading(one)} {_cell(one, len(seeds)):40}" for one in here if one.name == model)
            yield f"{model.replace('_', ' '):36}{cells}".rstrip()
        for one in here:
            if one.is_lift:
                cell = f"{_heading(one)} {_cell(one, len(seeds))}"
                yield f"{one.name.replace('_', ' '):36}  {cell}  {_word(one)}".rstrip()
                yield f"    {_seeds(one)}".rstrip()


def verdict_lines(world: str, judged: Verdict) -> Iterator[str]:
    """Yields the verdict on one control world, and below it each lift that speaks against its claim."""
    if not judged.judged:
        yield f"{world}: cannot be said (an interval needs two seeds at least): {judged.claim.text}"
        return
    word = "does not hold" if judged.against else "holds"
    yield (
        f"{world}: {word}: {judged.claim.text}: {len(judged.against)} of {len(judged.judged)} intervals above zero "
        f"({judged.expected_by_chance:.1f} expected by chance where nothing lifts; they overlap in data)"
    )
    for one in judged.against:
        yield f"  {one.task} {one.name} {one.metric}: {_cell(one, len(one.by_seed))}"


def _heading(one: OverSeeds) -> str:
    return f"{HEADINGS.get(one.metric, one.metric):14}"


def _cell(one: OverSeeds, n_seeds: int) -> str:
    """The mean and its interval, and in how many of the seeds the figure is defined where that is not all."""
    fewer = f" in {len(one.by_seed)} of {n_seeds} seeds" if len(one.by_seed) < n_seeds else ""
    if not one.by_seed:
        return f"undefined{fewer}"
    bounds = "no interval" if one.interval is None else ", ".join(_number(one, bound) for bound in one.interval)
    return f"{_number(one, one.mean)} [{bounds}]{fewer}"


def _seeds(one: OverSeeds) -> str:
    return "  ".join(
        f"{seed}: {_number(one, found.value)} [{_number(one, found.low)}, {_number(one, found.high)}]"
        for seed, found in one.by_seed.items()
    )


def _number(one: OverSeeds, value: float) -> str:
    return f"{value:+.2%}" if one.is_lift else f"{value:.4f}"


def _word(one: OverSeeds) -> str:
    """``lift`` or ``worse`` where the interval excludes zero."""
    if not one.is_lift or one.interval is None:
        return ""
    return "lift" if one.above_zero else "worse" if one.interval[1] < 0 else "-"


def _marks(notes: Mapping[str, str]) -> list[str]:
    return [f"> {name}: {notes[name]}" for name in ("data", "teacher") if name in notes]


def _draws(repository: Path, options: argparse.Namespace) -> list[Draw]:
    first = params_file.load(repository / "params.yaml", options.overrides).seed
    worlds = [world for world in N_SEEDS if world in options.worlds]
    return [
        Draw(world, seed)
        for world in worlds
        for seed in dict.fromkeys(options.seeds or range(first, first + N_SEEDS[world]))
    ]


@contextmanager
def _ended_like_ctrl_c() -> Iterator[None]:
    """Lets SIGTERM and a closed terminal end the block as Ctrl-C does: its runs would go on without it."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {name: signal.signal(name, interrupt) for name in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worlds", description="The evaluation over many draws.")
    parser.add_argument("--worlds", nargs="+", choices=list(N_SEEDS), default=list(N_SEEDS), help="default: all")
    parser.add_argument("--seeds", nargs="+", type=int, help="for every world (default: 5, 3 and 3 from `seed` on)")
    parser.add_argument("--jobs", type=_count, default=n_cores(), help="runs at a time (default: the cores)")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="BLOCK.KEY=VALUE")
    return parser


if __name__ == "__main__":
    sys.exit(main())
