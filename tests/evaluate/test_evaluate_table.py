"""The result table, and the pictures and tables beside it."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import TableError
from pipelines.evaluate import plots
from pipelines.evaluate.table import main, markdown, rewritten
from pipelines.paths import Workspace


def estimate(value: float | None) -> dict[str, Any]:
    return {"value": value, "ci95": [None, None] if value is None else [value - 0.1, value + 0.1]}


def metrics() -> dict[str, Any]:
    pair = {"micro_f1": estimate(0.043), "macro_f1": estimate(None), "average_precision": estimate(0.2)}
    return {
        "notes": {"data": "the simulated demo bank: machinery"},
        "tile_ranking": "not available: needs app home-screen impressions",
        "conversion": {"embedding": pair | {"micro_f1": estimate(0.5)}},
        "student": {
            "fidelity_micro_f1": estimate(0.9),
            "fidelity_macro_f1": estimate(0.8),
            "ceiling_micro_f1": "not available: needs a second labelling",
            "drop": estimate(0.1),
            "truth_accuracy": {"teacher": estimate(0.6), "student": estimate(0.55)},
            **dict.fromkeys(("ece", "ece_top_intent", "brier", "answered_share", "answered_accuracy"), estimate(0.02)),
        },
        "lift": {"conversion": {"embedding_over_teacher_labels": pair}},
    }


def test_the_table_shows_figures_intervals_marks_and_what_is_missing() -> None:
    found = markdown(metrics())
    assert "> **data**: the simulated demo bank" in found
    assert "**Tile ranking**: not available: needs app home-screen impressions" in found
    assert "| embedding | 0.5000 [0.4000, 0.6000] | undefined | 0.2000 [0.1000, 0.3000] |" in found
    assert "| micro F1 +4.3% [-5.7%, +14.3%]; average precision +20.0% [+10.0%, +30.0%] |" in found
    assert "Made of the truth" not in found
    assert "| true need found: the student | 0.5500 [0.4500, 0.6500] |" in found
    assert "| a second labelling against the teacher's, micro F1 | not available: needs a second labelling |" in found


def test_a_student_that_is_not_available_is_said() -> None:
    found = markdown(metrics() | {"student": "not available: needs labels", "lift": {}})
    assert "**Student**: not available: needs labels" in found
    assert "Lift" not in found.split("In brackets")[0]


def test_only_the_block_of_the_readme_changes() -> None:
    readme = "# Title\n<!-- results -->\nold\n<!-- /results -->\nend\n"
    once = rewritten(readme, "new\n")
    assert once == "# Title\n<!-- results -->\n\nnew\n\n<!-- /results -->\nend\n"
    assert rewritten(once, "new\n") == once


@pytest.mark.parametrize("readme", ["no marker", "<!-- results -->", "<!-- /results --><!-- results -->"])
def test_a_readme_without_its_lines_is_refused(readme: str) -> None:
    with pytest.raises(TableError, match="expected one line <!-- results -->"):
        rewritten(readme, "new")


def test_prints_or_rewrites(evaluated: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--root", str(evaluated.root)]) == 0
    printed = capsys.readouterr().out
    assert "| oracle |" in printed
    assert "| time only |" in printed
    readme = tmp_path / "README.md"
    readme.write_text("<!-- results -->\n<!-- /results -->\n")
    assert main(["--root", str(evaluated.root), "--readme", str(readme)]) == 0
    written = [line for line in readme.read_text().splitlines() if "results -->" not in line]
    for model in ("linked needs", "current needs", "oracle"):
        assert [line for line in written if line.startswith(f"| {model} |")]
    assert [line for line in written if "Made of the truth: linked needs" in line]
    assert set(written) <= set(printed.splitlines())  # a summary of what is printed
    assert capsys.readouterr().out == ""


def test_says_what_to_do_without_metrics(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--root", str(tmp_path)]) == 1
    assert "metrics.json is missing: run `python -m pipelines evaluate` first" in capsys.readouterr().err


def test_says_what_to_do_without_a_readme(evaluated: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--root", str(evaluated.root), "--readme", str(evaluated.root / "none.md")]) == 1
    assert "none.md is missing" in capsys.readouterr().err


def test_the_plotted_tables_hold_the_reported_figures(evaluated: Workspace) -> None:
    reported = json.loads(evaluated.metrics.read_text())
    with (evaluated.plots / "lift.csv").open(newline="") as file:
        lifts = list(csv.DictReader(file))
    found = {(row["task"], row["comparison"], row["metric"]): float(row["value"]) for row in lifts}
    lift = reported["lift"]["tile_ranking"]["embedding_over_app_only"]["log_loss"]["value"]
    assert found[("tile_ranking", "embedding_over_app_only", "log_loss")] == lift
    with (evaluated.plots / "models.csv").open(newline="") as file:
        models = {(row["task"], row["model"], row["metric"]) for row in csv.DictReader(file)}
    assert {("conversion", "page_counts", "micro_f1"), ("tile_ranking", "oracle", "log_loss")} <= models
    with (evaluated.plots / "tile_recall.csv").open(newline="") as file:
        recalls = [float(row["recall_at_1"]) for row in csv.DictReader(file) if row["model"] == "embedding"]
    mean = sum(recalls) / len(recalls)
    assert mean == pytest.approx(reported["tile_ranking"]["embedding"]["macro_recall_at_1"]["value"], abs=1e-5)


def test_nothing_to_plot_is_no_error(tmp_path: Path) -> None:
    plots.write(tmp_path / "plots", {"notes": {}, "lift": {}}, {})
    assert list((tmp_path / "plots").iterdir()) == []


def test_a_headline_says_whose_figures_they_are() -> None:
    rows = plots.lift_rows(metrics())
    assert [row["metric"] for row in rows] == [
        "micro_f1",
        "average_precision",
    ]  # what is undefined has no place in a picture
    assert "simulated bank" in plots.lift_picture(rows, metrics()).get_suptitle()
    assert "simulated" not in plots.lift_picture(rows, metrics() | {"notes": {}}).get_suptitle()
