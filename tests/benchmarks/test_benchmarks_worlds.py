"""``make bench-worlds``: what is run, kept and run again, and what the seeds say together.

A script stands for ``python -m pipelines``: it notes how it was called and hands out metrics that the test wrote.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks.over_seeds import OverSeeds, SeedEstimate, over_seeds, verdict
from benchmarks.world_runs import ONE_THREAD, Draw, Runs, state_of
from benchmarks.worlds import N_SEEDS, main
from pipelines import params as params_file
from pipelines.__main__ import STAGES
from pipelines.params import Simulate

REPOSITORY = Path(__file__).resolve().parents[2]
STAND_IN = """
import json, os, pathlib, sys, time
command, root = sys.argv[1], pathlib.Path(sys.argv[sys.argv.index("--root") + 1])
draw = root.name.removesuffix(".unfinished")
threads = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "CLICKS_ID_KEY")}
with open("calls.jsonl", "a") as calls:
    call = {"draw": draw, "command": command, "arguments": sys.argv[1:], "environment": threads}
    calls.write(json.dumps(call) + "\\n")
print(f"{command}: at work")
for folder in ("data", "artifacts", ".cache"):
    (root / folder).mkdir(exist_ok=True)
if pathlib.Path(f"breaks-{draw}-{command}").exists():
    sys.exit(f"{command}: cannot do this")
if pathlib.Path(f"edits-{draw}-{command}").exists():
    pathlib.Path("pipelines/stage.py").write_text("edited = True")
if pathlib.Path(f"hangs-{draw}-{command}").exists():
    pathlib.Path("hanging").write_text(str(os.getpid()))
    time.sleep(60)
if command == "evaluate":
    (root / "reports").mkdir()
    (root / "reports" / "metrics.json").write_text(pathlib.Path("answers", f"{draw}.json").read_text())
"""


def estimate(value: float | None) -> dict[str, Any]:
    ci95 = [None, None] if value is None else [value - 0.1, value + 0.1]
    return {"value": value, "ci95": ci95}


def metrics(embedding_over_app_only: float | None, embedding_over_page_counts: float = -0.5) -> dict[str, Any]:
    """A metrics.json with one task of two lifts."""
    return {
        "notes": {"data": "simulated", "intervals": "not shown here"},
        "tile_ranking": {
            "app_only": {"log_loss": estimate(1.5)},
            "labels": "not available: needs a student",
        },
        "conversion": "not available: needs outcomes",
        "lift": {
            "tile_ranking": {
                "embedding_over_app_only": {"log_loss": estimate(embedding_over_app_only)},
                "embedding_over_page_counts": {"log_loss": estimate(embedding_over_page_counts)},
            }
        },
    }


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose pipeline is the stand-in; its answers lift in no world."""
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "stage.py").write_text("edited = False", encoding="utf-8")
    (tmp_path / "stand_in.py").write_text(STAND_IN, encoding="utf-8")
    for name in ("params.yaml", "requirements.txt"):
        shutil.copy(REPOSITORY / name, tmp_path)
    for world in N_SEEDS:
        for seed in range(7, 12):
            answer(tmp_path, Draw(world, seed), metrics((seed - 8) / 10))
    return tmp_path


def answer(repository: Path, draw: Draw, found: dict[str, Any]) -> None:
    (repository / "answers").mkdir(exist_ok=True)
    (repository / "answers" / f"{draw.world}-{draw.seed}.json").write_text(json.dumps(found), encoding="utf-8")


def command(repository: Path) -> list[str]:
    return [sys.executable, str(repository / "stand_in.py")]


def bench(repository: Path, *arguments: str) -> int:
    return main(["--jobs", "2", *arguments], repository, command(repository))


def calls(repository: Path) -> list[dict[str, Any]]:
    path = repository / "calls.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def written(repository: Path) -> dict[str, dict[str, float]]:
    found = json.loads((repository / "reports" / "bench" / "worlds.json").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def figure(*values: float, name: str = "embedding_over_app_only") -> OverSeeds:
    by_seed = {seed: SeedEstimate(value, value - 0.1, value + 0.1) for seed, value in enumerate(values, 7)}
    return OverSeeds("tile_ranking", name, "log_loss", by_seed)


def test_the_interval_is_students_over_the_seeds() -> None:
    """Mean 2, sd 1, three seeds: t(2; .975) = 4.3027, so 2 -+ 4.3027 / sqrt(3)."""
    row = figure(1.0, 2.0, 3.0).row()
    assert row["mean"] == pytest.approx(2)
    assert row["seeds_sd"] == pytest.approx(1)
    assert row["low"] == pytest.approx(2 - 2.48414, abs=1e-5)
    assert row["high"] == pytest.approx(2 + 2.48414, abs=1e-5)
    assert row["visitors_se"] == pytest.approx(0.1 / 1.959964)
    assert (row["n_seeds"], row["seed_8"], row["seed_8_low"], row["seed_8_high"]) == (3, 2.0, 1.9, 2.1)


def test_one_seed_has_no_interval_and_no_verdict() -> None:
    one = figure(0.5)
    assert one.interval is None
    assert {"low", "high", "seeds_sd"}.isdisjoint(one.row())
    judged = verdict("null", [one])
    assert judged is not None
    assert judged.row() == {"n_intervals": 0, "n_above_zero": 0}


def test_a_seed_where_a_figure_is_undefined_does_not_count() -> None:
    found = over_seeds({7: metrics(0.1), 8: metrics(None), 9: metrics(0.3)})
    lift = next(one for one in found if one.name == "embedding_over_app_only")
    assert list(lift.by_seed) == [7, 9]
    assert lift.mean == pytest.approx(0.2)
    assert {(one.task, one.name) for one in found if not one.is_lift} == {("tile_ranking", "app_only")}


def test_in_null_no_web_signal_may_lift_over_what_has_none() -> None:
    above = [
        figure(0.1, 0.11, name=name)
        for name in ("labels_over_app_only", "both_over_app_only", "embedding_over_time_only")
    ]
    beside = [
        figure(0.1, 0.11, name="both_over_embedding"),
        figure(0.1, 0.11, name="embedding_over_page_counts"),
        figure(0.1, 0.11, name="linked_needs_over_app_only"),  # reads the truth
        figure(0.1, 0.11, name="current_needs_over_app_only"),
        figure(0.5, 0.51, name="app_only"),
    ]
    within = [
        figure(-0.1, 0.3, name="embedding_over_app_only"),
        figure(-0.2, -0.21, name="page_counts_over_app_only"),
        figure(-0.1, 0.3, name="teacher_labels_over_time_only"),
        figure(-0.1, 0.3, name="student_labels_over_time_only"),
    ]
    judged = verdict("null", above + beside + within)
    assert judged is not None
    assert judged.against == above
    assert judged.judged == above + within
    assert judged.row() == {"n_intervals": 7, "n_above_zero": 3, "holds": 0}
    calm = verdict("null", beside + within)
    assert calm is not None
    assert calm.row() == {"n_intervals": 4, "n_above_zero": 0, "holds": 1}
    assert "over app only" in calm.claim.text
    assert "over time only" in calm.claim.text


def test_in_counts_the_embedding_may_not_beat_page_counts() -> None:
    beside = [figure(0.1, 0.11, name="embedding_over_app_only"), figure(0.1, 0.11, name="both_over_page_counts")]
    beats, loses = (figure(sign * 0.1, sign * 0.11, name="embedding_over_page_counts") for sign in (1, -1))
    for found, holds in ((beats, 0), (loses, 1)):
        judged = verdict("counts", [*beside, found])
        assert judged is not None
        assert judged.row() == {"n_intervals": 1, "n_above_zero": 1 - holds, "holds": holds}
    assert verdict("default", [beats]) is None


def test_every_world_runs_all_commands_once_a_seed(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKS_ID_KEY", "another key would give other ids, so other figures")
    assert bench(repository, "--set", "evaluate.n_bootstrap=20") == 0
    made = calls(repository)
    draws = [f"{world}-{seed}" for world, n_seeds in N_SEEDS.items() for seed in range(7, 7 + n_seeds)]
    assert sorted({call["draw"] for call in made}) == sorted(draws)
    for draw in draws:
        assert [call["command"] for call in made if call["draw"] == draw] == ["simulate", *STAGES]
    assert {json.dumps(call["environment"]) for call in made} == {
        json.dumps({"OMP_NUM_THREADS": ONE_THREAD["OMP_NUM_THREADS"], "CLICKS_ID_KEY": None})
    }
    words = next(call["arguments"] for call in made if call["draw"] == "null-8")
    assert words[3:] == ["--set", "evaluate.n_bootstrap=20", "--set", "seed=8", "--set", 'simulate.world="null"']
    rows = written(repository)
    assert rows["default/tile_ranking/embedding_over_app_only/log_loss"]["n_seeds"] == 5
    assert rows["null/tile_ranking/app_only/log_loss"]["mean"] == pytest.approx(1.5)
    assert (rows["null/verdict"]["holds"], rows["counts/verdict"]["holds"]) == (1, 1)
    assert all(isinstance(value, int | float) for row in rows.values() for value in row.values())


@pytest.mark.parametrize("world", N_SEEDS)
def test_simulate_knows_every_world_as_it_is_passed(world: str) -> None:
    values = Runs.now(REPOSITORY, []).values(Draw(world, 8))
    params = params_file.load(REPOSITORY / "params.yaml", values)
    assert "world" in Simulate.model_fields
    assert (params.seed, params.simulate.model_dump()["world"]) == (8, world)


def test_a_finished_run_is_read_and_keeps_no_data(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench(repository, "--worlds", "null", "--seeds", "7", "8", "8") == 0
    n_calls = len(calls(repository))
    assert n_calls == 2 * (1 + len(STAGES))
    runs = Runs.now(repository, [])
    kept = sorted(path.name for path in runs.folder(Draw("null", 7)).iterdir())
    assert kept == ["params.yaml", "printed.txt", "reports"]
    capsys.readouterr()
    assert bench(repository, "--worlds", "null", "--seeds", "7", "8") == 0
    assert len(calls(repository)) == n_calls
    assert "null seed 7: finished before" in capsys.readouterr().out


def test_only_the_same_params_and_sources_count_as_the_same(repository: Path) -> None:
    first = state_of(repository, [])
    params = repository / "params.yaml"
    params.write_text(params.read_text(encoding="utf-8") + "# a comment\n", encoding="utf-8")
    (repository / "pipelines" / "__pycache__").mkdir()
    (repository / "pipelines" / "__pycache__" / "stage.pyc").write_bytes(b"compiled")
    assert state_of(repository, []) == first
    assert state_of(repository, ["pretrain.max_epochs=1"]) != first
    (repository / "pipelines" / "stage.py").write_text("edited = True", encoding="utf-8")
    second = state_of(repository, [])
    assert second != first
    (repository / "pipelines" / "words.yaml").write_text("a: 1", encoding="utf-8")
    assert state_of(repository, []) not in (first, second)


def test_a_failed_command_ends_it_with_its_last_words(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "breaks-null-8-distill").touch()
    assert bench(repository, "--worlds", "null", "--jobs", "1") == 1
    error = capsys.readouterr().err
    assert "null seed 8: distill left with 1" in error
    assert "distill: cannot do this" in error
    assert not (repository / "reports").exists()
    (repository / "breaks-null-8-distill").unlink()
    assert bench(repository, "--worlds", "null") == 0
    made = [call["draw"] for call in calls(repository) if call["command"] == "simulate"]
    assert sorted(made) == ["null-7", "null-8", "null-8", "null-9"]


def test_sources_that_change_meanwhile_end_it(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "edits-null-7-ingest").touch()
    assert bench(repository, "--worlds", "null", "--jobs", "1") == 1
    assert "the sources changed while it ran" in capsys.readouterr().err
    assert not list((repository / ".work" / "worlds").glob("*/null-7"))


def test_a_refused_value_is_said_before_anything_runs(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench(repository, "--set", "simulate.people=none") == 1
    assert "`simulate.people`" in capsys.readouterr().err
    assert calls(repository) == []


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_no_child_and_goes_on_later(repository: Path, ending: signal.Signals) -> None:
    (repository / "hangs-null-8-pretrain").touch()
    program = "import pathlib, signal, sys; from benchmarks.worlds import main; "
    program += "signal.signal(signal.SIGINT, signal.default_int_handler); "  # what starts the tests may ignore Ctrl-C
    program += "sys.exit(main(['--worlds', 'null', '--jobs', '1'], pathlib.Path(sys.argv[1]), sys.argv[2:]))"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(repository), *command(repository)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        child = hanging_child(repository, process)
        process.send_signal(ending)
        printed, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "interrupted; finished runs are kept" in printed
    assert "Traceback" not in printed
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    runs = Runs.now(repository, [])
    assert [path.name for path in runs.folder(Draw("null", 7)).parent.iterdir()] == ["null-7"]
    (repository / "hangs-null-8-pretrain").unlink()
    assert bench(repository, "--worlds", "null") == 0
    made = [call["draw"] for call in calls(repository) if call["command"] == "simulate"]
    assert sorted(made) == ["null-7", "null-8", "null-8", "null-9"]


def hanging_child(repository: Path, process: subprocess.Popen[str]) -> int:
    deadline = time.monotonic() + 60
    path = repository / "hanging"
    while not (path.exists() and path.read_text(encoding="utf-8")):
        assert process.poll() is None, "the benchmark ended before it could be interrupted"
        assert time.monotonic() < deadline, "the benchmark did not get to work"
        time.sleep(0.02)
    return int(path.read_text(encoding="utf-8"))


def test_what_is_printed_calls_a_lift_one_only_outside_zero(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in (7, 8, 9):
        answer(repository, Draw("null", seed), metrics(0.2 + seed / 100, -0.2 - seed / 100))
    assert bench(repository, "--worlds", "null", "default") == 0
    lines = capsys.readouterr().out.splitlines()
    place = lines.index("== null, seeds 7, 8, 9: tile ranking ==")
    assert lines[place + 1].split() == ["app", "only", "log", "loss", "1.5000", "[1.5000,", "1.5000]"]
    assert lines[place + 2].endswith("+28.00% [+25.52%, +30.48%]  lift")
    assert lines[place + 3].startswith("    7: +27.00% [+17.00%, +37.00%]  8: +28.00%")
    assert lines[place + 4].endswith("worse")
    default = next(line for line in lines if line.startswith("embedding over app only"))
    assert default.endswith("  -")
    assert "> data: simulated" in lines
    against = next(place for place, line in enumerate(lines) if line.startswith("null: does not hold: "))
    assert "1 of 1 intervals above zero" in lines[against]
    assert "embedding_over_app_only log_loss: +28.00%" in lines[against + 1]
