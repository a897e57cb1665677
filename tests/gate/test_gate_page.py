"""The page that an approval is about."""

import re

import pytest

from pipelines.gate.page import page
from pipelines.verdict import Comparison, TaxonomyChange, Verdict

WORSE = Comparison(
    metric="conversion.student_labels.average_precision",
    outcome="worse",
    champion=0.04,
    challenger=0.03,
    improvement=-0.25,
    ci95=(-0.4, -0.1),
    why="loses <more>",
)
BETTER = Comparison(
    metric="encoder.seen_pages_r2", outcome="better", champion=0.3, challenger=0.31, improvement=0.03, ci95=(0.01, 0.05)
)
UNKNOWN = Comparison(metric="student.fidelity_micro_f1", outcome="not available", why="other labels")


def verdict(*comparisons: Comparison, passed: bool = True) -> Verdict:
    return Verdict(
        passed=passed,
        sentence="Worse <b> than it",
        champion="0003-abc",
        versions={"encoder_version": "encoder-1", "student_version": "student-2"},
        comparisons=list(comparisons),
        taxonomy=TaxonomyChange(changed=True, lines=["added: Crypto & co"]),
    )


def test_each_metric_has_its_words_its_figures_and_its_interval() -> None:
    shown = page(verdict(WORSE, BETTER, UNKNOWN, passed=False))
    assert '<p class="call refused"><b>Worse &lt;b&gt; than it</b>' in shown
    assert "encoder-1 &middot; student-2" in shown
    rows = {row.split(">")[0]: row for row in shown.split("<tr") if "<td" in row}
    worse, better, unknown = (rows[f' class="{outcome}"'] for outcome in ("worse", "better", "not-available"))
    assert "Conversion by student labels: average precision" in worse
    assert "-25.0% [-40.0%, -10.0%]" in worse
    assert "loses &lt;more&gt;" in worse
    assert "Encoder: seen pages r2" in better
    assert "<svg" in better
    assert "<svg" not in unknown
    assert "added: Crypto &amp; co" in shown
    assert "<script" not in shown


@pytest.mark.parametrize(("one", "side"), [(WORSE, -1), (BETTER, 1)])
def test_better_is_drawn_to_the_right(one: Comparison, side: int) -> None:
    found = re.search(r'<line x1="([\d.]+)".*<circle cx="([\d.]+)"', page(verdict(one)))
    assert found
    middle, dot = map(float, found.groups())
    assert (dot - middle) * side > 0


def test_a_metric_that_nobody_knows_is_shown_as_it_is_spelt() -> None:
    odd = Comparison(metric="lift", outcome="not available", why="no such metric")
    assert "<td>lift<br>" in page(verdict(odd))


def test_without_a_champion_nothing_is_compared() -> None:
    shown = page(verdict().model_copy(update={"champion": None}))
    assert "Champion: none" in shown
    assert "<table" not in shown
