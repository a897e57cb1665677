"""What the stage decides over all rows (ids, duplicates, robots, window, quarantine) and what it leaves behind."""

import hashlib
import hmac
import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ingested import JSONL, KEY, OUTCOMES, Run, block, compressed, ingest, jsonl, row

from pipelines.errors import QuarantineError, SourceError
from pipelines.ingest import stage
from pipelines.paths import Workspace
from pipelines.schemas import EVENTS, QUARANTINE

SOURCE = JSONL | {"path": "data/*.jsonl"}
WIDE: dict[str, Any] = SOURCE | {
    "columns": {
        **SOURCE["columns"],
        "customer_id": "login",
        "received_ts": "got",
        "user_agent": "ua",
        "query": "q",
        "event_type": "type",
    }
}


def hashed(purpose: str, value: str, key: str = KEY) -> str:
    return hmac.new(key.encode(), f"{purpose}:{value}".encode(), hashlib.sha256).hexdigest()[:32]


def test_ids_are_hmac_under_the_key_and_apart_by_purpose(tmp_path: Path) -> None:
    rows = [
        row(1, who="Zoë", login="Zoë", type="x"),
        row(2, id="zoë@x.example", type="x"),
        row(3, id="192.0.2.1", type="x"),
    ]
    run = ingest(tmp_path, {"a.jsonl": jsonl(*rows)}, [WIDE])
    events = {event["ts"].second: event for event in run.events}
    assert events[1]["visitor_id"] == hashed("visitor", "Zoë")
    assert events[1]["customer_id"] == hashed("customer", "Zoë")
    assert events[2]["event_id"] == hashed("event", "zoë@x.example")
    assert events[3]["event_id"] == hashed("event", "192.0.2.1")
    assert events[1]["event_id"] == "e1"
    assert events[2]["customer_id"] is None


def test_a_long_key_is_hashed_as_rfc_2104_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKS_ID_KEY", "k" * 100)
    run = ingest(tmp_path, {"a.jsonl": jsonl(row(1))}, [SOURCE])
    assert run.events[0]["visitor_id"] == hashed("visitor", "v1", "k" * 100)


@pytest.mark.parametrize("key", [None, "", "short"])
def test_without_a_key_nothing_but_the_demo_bank_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    monkeypatch.delenv("CLICKS_ID_KEY")
    if key is not None:
        monkeypatch.setenv("CLICKS_ID_KEY", key)
    with pytest.raises(SourceError, match=r"CLICKS_ID_KEY is .*export CLICKS_ID_KEY"):
        ingest(tmp_path, {"a.jsonl": jsonl(row(1))}, [SOURCE])
    assert not (tmp_path / "artifacts").exists()


def test_the_demo_bank_needs_no_key_and_a_changed_file_of_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CLICKS_ID_KEY")
    content = jsonl(row(1)).encode()
    manifest = json.dumps({"files": {"a.jsonl": hashlib.sha256(content).hexdigest()}})
    ingest(tmp_path, {"a.jsonl": content, "demo_bank.json": manifest}, [SOURCE])
    assert "WARNING" in capsys.readouterr().out
    with pytest.raises(SourceError, match="CLICKS_ID_KEY"):
        ingest(tmp_path, {"b.jsonl": jsonl(row(2))}, [SOURCE])
    for broken in ("{", "[]", '{"files": 1}'):
        with pytest.raises(SourceError, match="CLICKS_ID_KEY"):
            ingest(tmp_path, {"demo_bank.json": broken}, [SOURCE])


def test_a_repeated_delivery_is_a_duplicate_and_a_contradiction_a_conflict(tmp_path: Path) -> None:
    first, again = row(1, got="2026-01-05T11:00:00Z", type="x"), row(1, got="2026-01-05T12:00:00Z", type="x")
    files = {"a.jsonl": jsonl(first, row(2, type="x")), "b.jsonl": jsonl(row(1, url="/other", type="x"), again)}
    run = ingest(tmp_path, files, [WIDE])
    assert run.total["duplicates"] == 1
    assert [(found["file"], found["line"], found["reason"]) for found in run.quarantine] == [
        ("data/b.jsonl", 1, "id_conflict")
    ]
    assert [event["received_ts"].hour for event in run.events if event["event_id"] == "e1"] == [11]


def test_events_without_an_id_get_one_from_what_they_say(tmp_path: Path) -> None:
    rows = [{key: value for key, value in row(n).items() if key != "id"} for n in (1, 1, 2)]
    run = ingest(tmp_path, {"a.jsonl": jsonl(*rows)}, [SOURCE])
    assert run.total["duplicates"] == 1
    assert len({event["event_id"] for event in run.events}) == 2


def test_a_duplicate_rule_that_is_off_keeps_its_rows_under_ids_of_their_own(tmp_path: Path) -> None:
    nameless = {key: value for key, value in row(9).items() if key != "id"}
    rows = [row(1), row(1), row(1, url="/other"), row(1, url="/other"), nameless, nameless]
    content = {"a.jsonl": jsonl(*rows)}
    counted = {}
    for off in ("same_id", "same_payload", "id_conflict"):
        run = ingest(tmp_path / off, content, [SOURCE], duplicates={off: False})
        ids = [event["event_id"] for event in run.events]
        assert "e1" in ids
        assert len({*ids}) == len(ids) == run.total["accepted"]
        counted[off] = (run.total["accepted"], run.total["duplicate_rules"], run.total["reasons"])
    assert counted == {
        "same_id": (3, {"same_payload": 1}, {"id_conflict": 2}),
        "same_payload": (3, {"same_id": 1}, {"id_conflict": 2}),
        "id_conflict": (3, {"same_id": 2, "same_payload": 1}, {}),
    }
    none = dict.fromkeys(("same_id", "same_payload", "id_conflict"), False)
    run = ingest(tmp_path / "none", content, [SOURCE], duplicates=none)
    assert len({event["event_id"] for event in run.events}) == len(rows)


GOT = ("2026-01-05T11:00:00Z", "2026-01-05T12:00:00Z")


@settings(max_examples=8, deadline=None)
@given(
    told=st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 2), st.sampled_from(["/a", "/b"]), st.sampled_from([None, *GOT])),
        min_size=1,
        max_size=25,
    ),
    order=st.randoms(use_true_random=False),
    n_files=st.integers(1, 3),
    switches=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_neither_order_nor_files_nor_repeated_files_matter(
    told: list[tuple[Any, ...]], order: Any, n_files: int, switches: tuple[bool, ...]
) -> None:
    """Ids repeat, contradict each other and are missing; times of receipt tie, differ and are missing."""
    rows = [
        row(second, type="x", url=url, who=f"v{second % 2}", got=got, id=f"e{number}" if number else None)
        for second, number, url, got in told
    ]
    mixed = order.sample(rows, len(rows))
    files = {f"{n}.jsonl": jsonl(*mixed[n::n_files]) for n in range(n_files)}
    duplicates = dict(zip(("same_id", "same_payload", "id_conflict"), switches, strict=True))
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLICKS_ID_KEY", KEY)
        one = ingest(Path(folder, "one"), {"a.jsonl": jsonl(*rows)}, [WIDE], duplicates=duplicates)
        some = ingest(Path(folder, "some"), files, [WIDE], duplicates=duplicates)
        assert some.events == one.events
        assert {name: some.total[name] for name in OUTCOMES} == {name: one.total[name] for name in OUTCOMES}
        if all(switches):
            twice = ingest(Path(folder, "twice"), {"a.jsonl": jsonl(*rows), "b.jsonl": jsonl(*mixed)}, [WIDE])
            assert twice.events == one.events
            assert twice.total["rows_read"] == 2 * len(rows)


def test_a_declared_robot_goes_with_all_its_events_and_a_phone_stays(tmp_path: Path) -> None:
    agents = {
        "r": "Mozilla/5.0 (compatible; Examplebot/2.0)",
        "p": "Mozilla/5.0 (Linux; Android 9; CUBOT X19) Chrome/89.0",
    }
    rows = [
        row(1, who="r", ua=agents["r"], type="x"),
        row(2, who="r", type="x"),
        row(3, who="p", ua=agents["p"], type="x"),
    ]
    run = ingest(tmp_path / "on", {"a.jsonl": jsonl(*rows)}, [WIDE])
    assert [event["event_id"] for event in run.events] == ["e3"]
    assert run.total["bot_rules"] == {"declared": 2}
    off = ingest(tmp_path / "off", {"a.jsonl": jsonl(*rows)}, [WIDE], bots=False)
    assert off.total["accepted"] == 3
    assert "Examplebot" not in off.written()


def day(visitor: str, n: int, gap_seconds: float, per_page: int = 1, date: str = "2026-01-05") -> list[dict[str, Any]]:
    """A visitor's day: a new page every ``gap_seconds``, each with ``per_page`` events at the same moment."""
    return [
        {
            "id": f"{visitor}-{date}-{i}-{j}",
            "who": visitor,
            "at": _at(date, i * gap_seconds),
            "url": f"/p{i}",
            "type": f"t{j}",
        }
        for i in range(n)
        for j in range(per_page)
    ]


def _at(date: str, seconds: float) -> str:
    whole = int(seconds)
    return f"{date}T{8 + whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}.{round(seconds % 1 * 1000):03}Z"


def test_a_machines_day_is_dropped_and_no_persons(tmp_path: Path) -> None:
    rows = (
        day("machine", 100, 1.5)
        + day("machine", 20, 30, date="2026-01-06")  # the next day it does nothing odd
        + day("short", 99, 0.5)
        + day("slow", 150, 2.5)
        + day("chatty", 60, 20, per_page=10)  # 600 events, ten at once, but 60 pages
    )
    run = ingest(tmp_path, {"a.jsonl": jsonl(*rows)}, [WIDE])
    assert run.total["bot_rules"] == {"behaviour": 100}
    kept = {
        visitor: sum(event["visitor_id"] == hashed("visitor", visitor) for event in run.events)
        for visitor in ("machine", "short", "slow", "chatty")
    }
    assert kept == {"machine": 20, "short": 99, "slow": 150, "chatty": 600}


def test_the_window_takes_its_first_moment_and_not_its_last(tmp_path: Path) -> None:
    times = ["2026-01-04T23:59:59.999Z", "2026-01-05T00:00:00Z", "2026-01-05T23:59:59Z", "2026-01-06T00:00:00Z"]
    content = {"a.jsonl": jsonl(*(row(i, at=at) for i, at in enumerate(times)))}
    run = ingest(tmp_path, content, [SOURCE], window={"from": "2026-01-05", "to": "2026-01-06"})
    assert [event["event_id"] for event in run.events] == ["e1", "e2"]
    assert run.total["filters"] == {"window": 2}
    with pytest.raises(SourceError, match="no event is left: 4 rows read: 0 accepted"):
        ingest(tmp_path, content, [SOURCE], window={"from": "2030-01-01"})


def test_too_large_a_quarantine_is_refused_and_shown_and_the_events_stay(tmp_path: Path) -> None:
    good = ingest(tmp_path, {"a.jsonl": jsonl(row(1), row(2))}, [SOURCE])
    before = {path: path.read_bytes() for path in good.workspace.events.rglob("*.parquet")}
    with pytest.raises(
        QuarantineError, match=r"2 of 3 rows were quarantined \(2 bad_timestamp\).*max_rejected_share = 0.5"
    ):
        ingest(
            tmp_path,
            {"a.jsonl": jsonl(row(1), row(2, at="soon"), row(3, at="later"))},
            [SOURCE],
            max_rejected_share=0.5,
        )
    assert {path: path.read_bytes() for path in good.workspace.events.rglob("*.parquet")} == before
    assert good.reasons == [(2, "bad_timestamp"), (3, "bad_timestamp")]
    assert good.total["quarantined"] == 2
    assert not list((tmp_path / ".staging").iterdir())


def test_events_lie_by_utc_day_in_the_stated_schema_and_order(tmp_path: Path) -> None:
    rows = [row(i, who=f"v{i % 3}", at=f"2026-01-0{1 + i % 2}T23:30:0{i % 10}-01:00") for i in range(9)]
    run = ingest(tmp_path, {"a.jsonl": jsonl(*rows)}, [SOURCE])
    files = sorted(run.workspace.events.rglob("*"))
    assert [path.relative_to(run.workspace.events).as_posix() for path in files] == [
        "day=2026-01-02", "day=2026-01-02/events.parquet", "day=2026-01-03", "day=2026-01-03/events.parquet"
    ]  # fmt: skip
    for path in files[1::2]:
        assert pq.read_schema(path).equals(EVENTS)
        keys = [(event["visitor_id"], event["ts"], event["event_id"]) for event in pq.read_table(path).to_pylist()]
        assert keys == sorted(keys)
    assert pq.read_schema(run.workspace.quarantine).equals(QUARANTINE)


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    rows = [row(i % 400, who=f"v{i % 7}", url=f"/p/{i % 11}?q=jo@x.example") for i in range(500)] + [row(999, at="x")]
    for name in ("one", "two"):
        ingest(tmp_path / name, {"a.jsonl": jsonl(*rows[:250]), "b.jsonl": jsonl(*rows[250:])}, [SOURCE])
    one, two = (
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        for name in ("one", "two")
    )
    assert one == two


def test_personal_data_are_counted_by_kind_and_leave_no_trace(tmp_path: Path) -> None:
    rows = [
        row(1, q="jane@mail.example or 212-555-0123", url="/u/jane@mail.example", type="x"),
        row(2, q="jane@mail.example", type="jane@mail.example"),
    ]
    run = ingest(tmp_path, {"a.jsonl": jsonl(*rows)}, [WIDE])
    assert run.total["scrubbed"] == {"email": 5, "phone": 1}  # the URL and the page that is made from it count both
    assert "jane" not in run.written()
    assert "0123" not in run.written()


@pytest.mark.parametrize("pattern", ["data/nothing.jsonl", "data/*.csv", "nowhere/", "data/[x]*"])
def test_a_path_that_matches_nothing_is_refused_by_name(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(SourceError) as refused:
        ingest(tmp_path, {"a.jsonl": jsonl(row(1))}, [SOURCE | {"path": pattern}])
    assert pattern in str(refused.value)
    assert "correct the path" in str(refused.value)


def test_folders_globs_and_absolute_paths(tmp_path: Path) -> None:
    files = {
        "in/a.jsonl": jsonl(row(1)),
        "in/deep/b.jsonl.gz": compressed(jsonl(row(2))),
        "in/_SUCCESS": "",
        "in/.x": "junk",
    }
    for number, path in enumerate(["data/in", "data/**/*.json*", str(tmp_path / "elsewhere" / "data" / "in")]):
        root = tmp_path / ("elsewhere" if number == 2 else f"root{number}")
        run = ingest(root, files, [JSONL | {"path": path}])
        assert run.total["rows_read"] == 2
        assert str(tmp_path) not in run.written()
    outside = Run(Workspace(tmp_path / "other"))
    outside.workspace.root.mkdir()
    stage.run(outside.workspace, block([JSONL | {"path": str(tmp_path / "elsewhere" / "data" / "in")}]), seed=7)
    assert [file["file"] for file in outside.report["sources"][0]["files"]] == ["a.jsonl", "deep/b.jsonl.gz"]
    assert str(tmp_path) not in outside.written()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"columns": {**SOURCE["columns"], "page_title": "x"}},
            r"maps unknown names \(page_title\); expected names of: event_id, .*user_agent",
        ),
        ({"constants": {"tenant": "x"}}, r"maps unknown names \(tenant\)"),
        ({"constants": {"url": "x"}}, "maps url to a column and to a constant"),
    ],
)
def test_a_mapping_that_cannot_be_meant_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        ingest(tmp_path, {"a.jsonl": jsonl(row(1))}, [SOURCE | change])


def test_several_sources_are_counted_apart(tmp_path: Path) -> None:
    files = {"a.jsonl": jsonl(row(1), row(2, at="x")), "b.csv": "v,t\nx,2026-01-05T10:00:00Z\n"}
    csv = {"path": "data/b.csv", "format": "csv", "columns": {"visitor_id": "v", "ts": "t"}}
    run = ingest(tmp_path, files, [SOURCE, csv])
    assert [(source["format"], source["accepted"], source["quarantined"]) for source in run.report["sources"]] == [
        ("jsonl", 1, 1),
        ("csv", 1, 0),
    ]


def test_sources_without_a_row_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="hold no row"):
        ingest(tmp_path, {"a.jsonl": "\n \n"}, [SOURCE])


def test_duplicates_are_counted_by_rule(tmp_path: Path) -> None:
    nameless = {name: value for name, value in row(3).items() if name != "id"}
    run = ingest(
        tmp_path,
        {"a.jsonl": jsonl(row(1), row(1), row(1, url="/b"), row(2), nameless, nameless, nameless)},
        [{**JSONL, "path": "data"}],
    )
    assert run.total["duplicate_rules"] == {"same_id": 1, "same_payload": 2}
    assert run.total["reasons"] == {"id_conflict": 1}
    assert run.total["accepted"] == 3
