"""A customer's first look: the right format and mapping, a block that ingest takes as it is, and nothing written."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from pipelines import params
from pipelines.__main__ import main
from pipelines.errors import SourceError
from pipelines.ingest import stage as ingest
from pipelines.init import stage
from pipelines.params import Params
from pipelines.paths import Workspace

GA4 = "user_pseudo_id,user_id,event_timestamp,event_name,page_location,page_title,platform,ga_session_id\n"
SEGMENT = (
    "id,anonymous_id,user_id,received_at,sent_at,timestamp,url,title,"
    "context_campaign_source,context_user_agent,search\n"
)


@pytest.fixture(scope="module")
def values(repository: Path) -> Params:
    return params.load(repository / "params.yaml")


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLICKS_ID_KEY", raising=False)


def looked_at(
    tmp_path: Path, values: Params, capsys: pytest.CaptureFixture[str], name: str, content: str | bytes
) -> tuple[dict[str, object], str]:
    """The proposed source, and all that was printed; checks that nothing was written."""
    path = tmp_path / "data" / name
    path.parent.mkdir()
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    stage.run(Workspace(tmp_path), values, path)
    assert [found for found in tmp_path.rglob("*") if found.is_file()] == [path]
    printed = capsys.readouterr().out
    block = printed[printed.index("ingest:") :].split("\n\n")[0]
    proposed = yaml.safe_load(block)
    params.Split.model_validate(
        proposed["sessionize"]["split"]
    )  # the demo bank's dates would leave nothing to train on
    return proposed["ingest"]["sources"][0], printed


def test_what_is_proposed_for_the_demo_banks_tracker_is_what_params_yaml_says(
    tiny_bank: Workspace, values: Params, capsys: pytest.CaptureFixture[str]
) -> None:
    first = sorted((tiny_bank.data / "events").iterdir())[0]
    stage.run(tiny_bank, values, first)
    printed = capsys.readouterr().out
    proposed = yaml.safe_load(printed[printed.index("ingest:") :].split("\n\n")[0])["ingest"]["sources"][0]
    assert proposed["path"] == f"data/events/{first.name}"
    found, stated = proposed["columns"], values.ingest.sources[0].alternatives
    assert all(column in stated[name] for name, column in found.items())
    assert {"event_id", "visitor_id", "customer_id", "ts", "channel", "event_type", "url", "properties"} <= found.keys()


def test_a_csv_of_ga4_is_mapped_with_its_epoch(
    tmp_path: Path, values: Params, capsys: pytest.CaptureFixture[str]
) -> None:
    row = "1234.5678,user-77,{},page_view,https://bank.example/loans?email=jo@x.example,Loans,WEB,99\n"
    content = GA4 + "".join(row.format(1767607200000000 + i) for i in range(20))
    source, printed = looked_at(tmp_path, values, capsys, "ga4.csv", content)
    assert source == {
        "path": "data/ga4.csv",
        "format": "csv",
        "columns": {
            "visitor_id": "user_pseudo_id",
            "customer_id": "user_id",
            "ts": "event_timestamp",
            "channel": "platform",
            "event_type": "event_name",
            "url": "page_location",
            "title": "page_title",
        },
        "timestamp_format": "epoch_us",
    }
    assert "ga_session_id: no canonical column" in printed
    assert "20 of the first 20 rows can be mapped" in printed
    assert printed.count("page=/loans") == 10
    assert "tile ranking: events `home_impression`" in printed
    for secret in ("jo@x", "user-77", "1234.5678"):
        assert secret not in printed


def test_the_proposed_block_goes_through_ingest(
    tmp_path: Path, values: Params, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = "Cookie;Datum;Url\n" + "".join(f"c{i};05.01.2026 10:0{i}:00;/a/{i}\n" for i in range(9))
    source, _ = looked_at(tmp_path, values, capsys, "a.csv", content.replace("Datum", "Date"))
    assert source["delimiter"] == ";"
    monkeypatch.setenv("CLICKS_ID_KEY", "a key of tests, long enough")
    block = params.Ingest.model_validate({**values.ingest.model_dump(by_alias=True), "sources": [source]})
    ingest.run(Workspace(tmp_path), block, seed=7)
    assert pq.read_table(tmp_path / "artifacts" / "events").num_rows == 9


def test_segments_pages_and_why_columns_are_left_out(
    tmp_path: Path, values: Params, capsys: pytest.CaptureFixture[str]
) -> None:
    row = "ajs-{0},507f,9798,2015-02-23 22:28:55,2015-02-23 22:28:5{0},2015-02-23 22:28:5{0},https://s.example/,T,mail,UA,?x\n"
    source, printed = looked_at(
        tmp_path, values, capsys, "pages.csv", SEGMENT + "".join(row.format(i) for i in range(9))
    )
    assert source["columns"] == {
        "event_id": "id", "visitor_id": "anonymous_id", "customer_id": "user_id", "ts": "timestamp",
        "received_ts": "received_at", "url": "url", "title": "title", "source": "context_campaign_source",
        "user_agent": "context_user_agent",
    }  # fmt: skip
    assert "sent_at: `timestamp` fits ts better" in printed


def test_nested_json_in_gzip(tmp_path: Path, values: Params, capsys: pytest.CaptureFixture[str]) -> None:
    start = datetime(2026, 1, 5, 10, tzinfo=UTC)
    rows = [
        {"messageId": f"m{i}", "anonymousId": "a", "originalTimestamp": (start + timedelta(seconds=i)).isoformat(),
         "context": {"page": {"url": "/a", "title": "T"}, "userAgent": "UA"}, "event": "tap", "properties": {"k": i}}
        for i in range(5)
    ]  # fmt: skip
    content = gzip.compress("\n".join(map(json.dumps, rows)).encode())
    source, _ = looked_at(tmp_path, values, capsys, "s.json.gz", content)
    assert source["format"] == "jsonl"
    assert source["columns"] == {
        "event_id": "messageId", "visitor_id": "anonymousId", "ts": "originalTimestamp", "event_type": "event",
        "url": "context.page.url", "title": "context.page.title", "properties": "properties",
        "user_agent": "context.userAgent",
    }  # fmt: skip


def test_a_column_called_right_with_the_wrong_content_is_not_mapped(
    tmp_path: Path, values: Params, capsys: pytest.CaptureFixture[str]
) -> None:
    content = "visitor,time,id,platform,properties\n" + "a,2026-01-05T10:00:00Z,same,ios,words\n" * 5
    source, printed = looked_at(tmp_path, values, capsys, "a.csv", content)
    assert source["columns"] == {"visitor_id": "visitor", "ts": "time"}
    assert "id: is called like an event's id, but its values repeat" in printed
    assert "platform: is called like the channel, but holds other values" in printed
    assert "properties: is called like the properties, but holds no JSON" in printed


def test_a_time_is_found_by_its_content_when_its_name_says_nothing(
    tmp_path: Path, values: Params, capsys: pytest.CaptureFixture[str]
) -> None:
    content = "date,visitor,x7\n" + "".join(f"2026-01-05,a,05/01/2026 10:00:{i:02}\n" for i in range(30))
    source, printed = looked_at(tmp_path, values, capsys, "a.csv", content)
    assert (source["columns"], source["timestamp_format"]) == (
        {"visitor_id": "visitor", "ts": "x7"},
        "%d/%m/%Y %H:%M:%S",
    )
    assert "date: is called like a time, but" in printed


LOG = '192.0.2.7 - - [17/May/2015:10:05:00 +0000] "GET /a HTTP/1.1" 200 9 "-" "Mozilla/5.0"\n'
NATIVE = json.dumps({"event_id": "e", "visitor_id": "v", "ts": "2026-01-05T10:00:00Z", "event_type": "x"})


@pytest.mark.parametrize(
    ("content", "settings"),
    [
        (LOG * 3, {"format": "combined_log"}),
        ("% codes\nfront news\n\n1 2 2\n2\n", {"format": "sequences", "names": ["front", "news"]}),
        ("1 3\n2\n", {"format": "sequences", "names": ["code-1", "code-2", "code-3"]}),
        (NATIVE, {"format": "native"}),
    ],
)
def test_formats_that_need_no_mapping(
    tmp_path: Path, values: Params, capsys: pytest.CaptureFixture[str], content: str, settings: dict[str, object]
) -> None:
    source, printed = looked_at(tmp_path, values, capsys, "x", content)
    assert source == {"path": "data/x"} | settings
    assert "192.0.2.7" not in printed


def test_parquet(tmp_path: Path, values: Params, capsys: pytest.CaptureFixture[str]) -> None:
    table = pa.table({"u": [{"client_id": "a"}] * 3, "time": pa.array([datetime(2026, 1, 5, 10, i) for i in range(3)])})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    source, _ = looked_at(tmp_path, values, capsys, "a.parquet", sink.getvalue().to_pybytes())
    assert (source["format"], source["columns"]) == ("parquet", {"visitor_id": "u.client_id", "ts": "time"})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text,category\na,b\nc,d\n", "no column looks like visitor_id.*found columns text, category"),
        ("visitor,category\na,b\nc,d\n", "no column looks like ts.*found columns visitor, category"),
        ("joan@x.example,4111\nmary@x.example,4222\n", "its first line holds what looks like data"),
        ('[{"visitor_id": "a"},\n{"visitor_id": "b"}]\n', "begins like one JSON array"),
        ("just words\nand more\n", "looks like none of"),
        ("", "looks like none of"),
    ],
)
def test_what_cannot_be_guessed_is_said_with_the_columns_found(
    tmp_path: Path, values: Params, content: str, message: str
) -> None:
    path = tmp_path / "a.txt"
    path.write_text(content)
    with pytest.raises(SourceError, match=message) as refused:
        stage.run(Workspace(tmp_path), values, path)
    assert "joan" not in str(refused.value)


def test_the_command_refuses_with_one_message(
    tmp_path: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "params.yaml").write_text((repository / "params.yaml").read_text())
    assert main(["init", "--root", str(tmp_path), "--input", str(tmp_path / "absent.csv")]) == 1
    refused = capsys.readouterr().err
    assert refused.startswith("init: ")
    assert "absent.csv` matches no file" in refused
