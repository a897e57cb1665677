"""The bank's benchmark: its figures by hand, its information on sessions whose truth is known, and one whole run."""

import gzip
import json
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from session_tables import make_sessions
from tiny import tiny_values

from benchmarks import bank, bank_facts, next_page, page_models, report
from benchmarks.visits import Visits, figures, of_table, read_visits
from pipelines import params as params_file
from pipelines import schemas
from pipelines.evaluate.decisions import find_decisions
from pipelines.paths import Workspace
from pipelines.tables import write_table

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def make_visits(visits: Sequence[str], visitors: Sequence[str] = ()) -> Visits:
    """Returns one session a string, whose letters are the pages; without ``visitors``, each by a visitor of its own."""
    names = visitors or [f"v{number}" for number in range(len(visits))]
    return of_table(pa.table({"visitor_id": list(names), "pages": [list(visit) for visit in visits]}))


def test_figures_by_hand() -> None:
    found = figures(make_visits(["aab", "c", "abab", "a"], ["x", "y", "x", "z"]), knows_visitors=True)
    assert found == {
        "sessions": 4,
        "visitors": 3,
        "pages": 3,
        "page_views": 9,
        "length_mean": 2.25,
        "length_median": 1,
        "length_p90": 4,
        "length_p99": 4,
        "length_max": 4,
        "bounce_rate": 0.5,
        "repeat_rate": pytest.approx(1 / 5),  # of aab and abab, five views come after a first: one repeats
        "revisit_rate": pytest.approx(3 / 5),  # and two more were seen in the session
        "return_rate": pytest.approx(1 / 3),
        "sessions_per_visitor": pytest.approx(4 / 3),
        "page_entropy_bits": pytest.approx(-(5 * np.log2(5 / 9) + 3 * np.log2(3 / 9) + np.log2(1 / 9)) / 9),
        "top_10_share": pytest.approx(1.0),
    }


def test_a_page_that_ends_one_session_and_begins_the_next_is_no_repeat() -> None:
    assert figures(make_visits(["ab", "ba"]), knows_visitors=True)["repeat_rate"] == 0


def test_what_a_site_cannot_tell_is_none() -> None:
    found = figures(make_visits(["a", "b"]), knows_visitors=False)
    assert [name for name, value in found.items() if value is None] == [
        "visitors",
        "repeat_rate",  # no session goes on
        "revisit_rate",
        "return_rate",
        "sessions_per_visitor",
    ]


def test_only_page_views_of_web_sessions_are_read(tmp_path: Path) -> None:
    sessions = make_sessions([["/a", "search:/s", "/a/b"], ["login:/l"], ["/c"], ["/d"]])
    app = pa.array(["web", "web", "web", "app"])
    write_table(sessions.set_column(3, "channel", app), tmp_path / "sessions.parquet", schemas.SESSIONS)
    visits = read_visits(tmp_path / "sessions.parquet")
    assert [[visits.names[page] for page in pages] for pages in visits.sequences] == [["/a", "/a/b"], ["/c"]]
    assert visits.visitors.tolist() == ["visitor-0", "visitor-2"]


def test_areas_are_first_segments() -> None:
    assert [bank.area(page) for page in ("/", "/cards", "/cards/travel/terms", "news")] == [
        "/",
        "/cards",
        "/cards",
        "/news",
    ]
    renamed = make_visits(["abc"]).renamed(lambda page: "b" if page == "a" else page)
    assert [renamed.names[page] for page in renamed.sequences[0]] == ["b", "b", "c"]
    assert renamed.names == ["b", "c"]


def test_examples_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(next_page, "part_of", lambda visitor: visitor)
    visits = make_visits(["aaba", "ccc", "bbcb", "ac", "adab"], ["fit", "fit", "valid", "fit", "test"])
    examples = next_page.make_examples(visits, min_views=2)
    # collapsed: aba, c (too short), bcb, ac, adab; outside the test part a and b come three times, c twice, d never
    a, b, c, other, none = 0, 1, 2, 3, 4
    assert examples.n_classes == 4
    assert examples.parts.tolist() == ["fit", "valid", "fit", "test"]
    assert examples.target.tolist() == [a, b, c, b]
    assert examples.last.tolist() == [b, c, a, a]
    assert examples.before_last.tolist() == [a, b, none, other]
    assert examples.position.tolist() == [2, 2, 1, 3]
    assert examples.counts.tolist() == [[1, 1, 0, 0], [0, 1, 1, 0], [1, 0, 0, 0], [2, 0, 0, 1]]
    assert examples.features(("last", "position")).tolist()[3] == [1, 0, 0, 0, np.log(3)]


def test_long_sessions_are_cut_and_rare_pages_are_one_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(next_page, "part_of", lambda visitor: "fit")
    monkeypatch.setattr(next_page, "MAX_VIEWS", 3)
    monkeypatch.setattr(next_page, "N_PAGES", 2)
    examples = next_page.make_examples(make_visits(["abcde", "aba", "abd"]), min_views=3)
    assert examples.target.tolist() == [2, 0, 2]
    assert examples.n_classes == 3


def test_no_more_sessions_are_drawn_than_allowed_and_always_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(next_page, "MAX_SESSIONS", 5)
    visits = make_visits([first + second for first, second in product("abcdefg", "hijk")])
    first, second = (next_page.make_examples(visits, min_views=2) for _ in range(2))
    assert len(first.target) == 5
    np.testing.assert_array_equal(first.last, second.last)


def test_visitors_fall_into_halves_and_a_fifth_of_one() -> None:
    parts = [next_page.part_of(f"visitor {number}") for number in range(4000)]
    shares = {part: parts.count(part) / 4000 for part in ("fit", "valid", "test")}
    assert shares == pytest.approx({"fit": 0.4, "valid": 0.1, "test": 0.5}, abs=0.03)


def test_differences_by_hand() -> None:
    bits = {"unigram": 4.0, "counts": 3.0, "last": 2.5, "counts_last": 2.0, "order": 2.25}
    found = next_page.differences({name: np.full(10, value) for name, value in bits.items()})
    expected = {
        "bits_unigram": 4.0,
        "gain_counts": 1.0,
        "gain_last": 1.5,
        "gain_counts_last": 2.0,
        "gain_order": 1.75,
        "last_beyond_counts": 1.0,
        "counts_beyond_last": 0.5,
        "order_beyond_counts_last": -0.25,
    }
    bounds = {f"{name}_{bound}": value for name, value in expected.items() for bound in ("low", "high")}
    assert found == pytest.approx({**expected, **bounds})


def test_the_interval_of_a_gain_is_the_textbook_one() -> None:
    gains = np.random.default_rng(5).normal(1, 2, 400)
    models = dict.fromkeys(next_page.READS, np.zeros(400))
    found = next_page.differences({"unigram": gains, **models})
    half = 1.96 * gains.std() / 20
    assert found["gain_last_low"] == pytest.approx(gains.mean() - half, abs=0.03)
    assert found["gain_last_high"] == pytest.approx(gains.mean() + half, abs=0.03)


def test_the_unigram_by_hand() -> None:
    np.testing.assert_allclose(page_models.unigram(np.array([0, 0, 2]), 3), [2.5 / 4.5, 0.5 / 4.5, 1.5 / 4.5])


def test_information_finds_what_a_last_page_tells() -> None:
    """Four pages in any order, then the follower of the last: two bits, which counts cannot hold."""
    draw = np.random.default_rng(0)
    orders = ["".join(draw.permutation(list("abcd"))) for _ in range(1500)]
    found = next_page.information(make_visits([order + order[-1].upper() for order in orders]), min_views=4)
    assert found["next_page_other_share"] == 0
    assert found["bits_unigram"] == pytest.approx(2, abs=0.05)
    assert found["gain_counts"] == pytest.approx(0, abs=0.05)
    assert found["gain_last"] == pytest.approx(2, abs=0.1)
    assert found["last_beyond_counts"] == pytest.approx(2, abs=0.1)
    assert found["order_beyond_counts_last"] == pytest.approx(0, abs=0.05)


def test_information_finds_what_the_order_tells() -> None:
    """The same, but the last page is the follower of the one before the last."""
    draw = np.random.default_rng(0)
    orders = ["".join(draw.permutation(list("abcd"))) for _ in range(1500)]
    found = next_page.information(make_visits([order + order[-2].upper() for order in orders]), min_views=4)
    certain = np.log2(4) - np.log2(3)  # that it is not the last page's
    assert found["gain_counts_last"] == pytest.approx(certain, abs=0.08)
    assert found["order_beyond_counts_last"] == pytest.approx(2 - certain, abs=0.1)


def test_the_share_of_cookies_that_log_in() -> None:
    rows = [("x", None, "web"), ("x", "c", "web"), ("y", None, "web"), ("z", "c", "app"), ("y", "c", "app")]
    events = pa.table(dict(zip(("visitor_id", "customer_id", "channel"), zip(*rows, strict=True), strict=True)))
    assert bank_facts.login_share(events) == 0.5


def test_a_decision_counts_as_linked_after_a_web_session_of_its_customer(tmp_path: Path) -> None:
    """Customer c logs in on the web before the first decision; customer d has none before the second."""
    values = tiny_values()
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    evaluate = params_file.load(tmp_path / "params.yaml").evaluate
    rows = [
        {"event_id": f"{kind}{number}", "visitor_id": f"phone {who}", "customer_id": who, "channel": "app"}
        | {"ts": NOON + timedelta(days=1, seconds=at), "event_type": kind, "element": element}
        | {"properties": json.dumps({"impression_id": f"i{number}", "tiles": ["t", "u"]})}
        for number, who in enumerate("cd")
        for at, (kind, element) in enumerate((("home_impression", None), ("tile_click", "t")))
    ]
    events = pa.Table.from_pylist(rows, schema=schemas.EVENTS)
    sessions = make_sessions([["/a"], ["/b"]])  # of visitor-0 and visitor-1, early on the day before
    link = {"visitor_id": "visitor-0", "customer_id": "c", "valid_from": sessions.column("start_ts")[0].as_py()}
    identity = pa.Table.from_pylist([{**link, "evidence_event_id": "e"}], schema=schemas.IDENTITY)
    decisions = find_decisions(events, evaluate.tile_ranking)
    assert len(decisions) == 2
    assert bank_facts.linked_share(decisions, sessions, identity, evaluate) == 0.5


def test_rows_of_bots_are_counted_among_broken_ones(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    (workspace.data / "events").mkdir(parents=True)
    workspace.truth.mkdir()
    lines = [
        b'{"client":{"id":"bot"}}',
        b'{"client":{"id":"x"}}',
        b'{"client":{"id":"bo',
        b"[]",
        b"\xff",
        b'{"id":"bot"}',
    ]
    (workspace.data / "events" / "day.jsonl.gz").write_bytes(gzip.compress(b"\n".join([*lines, lines[0]])))
    pq.write_table(pa.table({"client_id": ["bot"], "declared": [True]}), workspace.truth / "bots.parquet")
    assert bank_facts.bot_rows(workspace) == 2


def test_the_head_of_the_visits_has_no_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank, "MSNBC_VISITS", 2)
    with zipfile.ZipFile(tmp_path / "visits.zip", "w") as zipped:
        zipped.writestr("visits.seq", "% comment\r\n\r\nfrontpage news\r\n1 1 \r\n2 \r\n1 \r\n")
    bank.write_head(tmp_path / "visits.zip", tmp_path / "head")
    assert (tmp_path / "head").read_bytes() == b"1 1 \r\n2 \r\n"


def test_columns_are_printed_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    columns = {
        "ours": {"n": 1234, "gain": 0.5, "gain_low": 0.25, "gain_high": 0.75},
        "theirs": {"n": None},
    }
    sections: list[report.Section] = [("Sizes", {"n": ("rows", ",.0f")}), ("Gains", {"gain": ("gain", ".2f")})]
    report.write_columns("test", columns, sections, tmp_path)
    assert capsys.readouterr().out.split("\n") == [
        "",
        "Sizes",
        f"{'':38}{'ours':>25}{'theirs':>25}",
        f"{'rows':38}{'1,234':>25}{'-':>25}",
        "",
        "Gains",
        f"{'':38}{'ours':>25}",
        f"{'gain':38}{'0.50 [0.25, 0.75]':>25}",
        "",
        "written to reports/bench/test.json",
        "",
    ]
    assert json.loads((tmp_path / "reports" / "bench" / "test.json").read_text()) == columns


def test_the_whole_run_without_real_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    values = tiny_values()
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    monkeypatch.setattr(bank, "REPOSITORY", tmp_path)
    monkeypatch.setattr(page_models, "PENALTIES", (1.0,))  # the machinery, not the figures
    monkeypatch.setattr(page_models, "MAX_TREES", 5)
    monkeypatch.setenv("CLICKS_DATA", str(tmp_path / "nowhere"))
    monkeypatch.setenv("CLICKS_ID_KEY", "set back after the run, which sets its own")
    assert bank.main() == 0
    printed = capsys.readouterr().out
    assert "bench-bank: msnbc: no data at" in printed
    assert "bench-bank: access_log: no data at" in printed
    columns = json.loads((tmp_path / "reports" / "bench" / "bank.json").read_text())
    assert list(columns) == ["bank", "bank_areas"]
    shown = {metric for _, metrics in bank.SECTIONS for metric in metrics}
    assert shown <= columns["bank"].keys()
    assert columns["bank"]["bot_share_found"] == pytest.approx(columns["bank"]["bot_share"], abs=0.02)
    assert columns["bank_areas"]["pages"] < columns["bank"]["pages"]
    assert 0 < columns["bank"]["decisions_with_web_session"] < 1
