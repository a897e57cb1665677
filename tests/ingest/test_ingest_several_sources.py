"""Sources of several formats in one run, what `ingest --explain` says of them, and the two servers' logs."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from ingested import conserved, ingest, jsonl
from pydantic import ValidationError

from pipelines.__main__ import main
from pipelines.ingest.formats import FORMATS
from pipelines.params import Source
from pipelines.paths import Workspace

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/26.0"
GA4_ROWS = jsonl(
    {"event_timestamp": "1767607200000000", "event_name": "page_view", "user_pseudo_id": "a", "platform": "WEB",
     "event_params": [{"key": "page_location", "value": {"string_value": "https://bank.example/loans"}}]},
    {"event_timestamp": "1767607201000000", "event_name": "user_engagement", "user_pseudo_id": "a", "platform": "WEB"},
    {"event_timestamp": "soon", "event_name": "page_view", "user_pseudo_id": "joan", "platform": "WEB"},
)  # fmt: skip
LOG_ROWS = (
    f'192.0.2.7 - - [05/Jan/2026:10:00:00 +0000] "GET /loans HTTP/1.1" 200 9 "-" "{BROWSER}"\n'
    f'192.0.2.7 - - [05/Jan/2026:10:00:01 +0000] "GET /a.css HTTP/1.1" 200 9 "-" "{BROWSER}"\n'
)
CSV_ROWS = "who,at,page,old\nv1,2026-01-05 10:00:00,/loans,\nv2,2026-01-05 10:00:00,,\n"
FILES: dict[str, str | bytes] = {"ga4/a.json": GA4_ROWS, "logs/access.log": LOG_ROWS, "own.csv": CSV_ROWS}
SOURCES: list[dict[str, Any]] = [
    {"path": "data/ga4/*", "format": "ga4"},
    {"path": "data/logs/access.log", "format": "combined_log"},
    {"path": "data/own.csv", "format": "csv", "columns": {"visitor_id": "who", "ts": "at", "page": ["page", "old"]}},
]


def test_sources_of_several_formats_are_one_table(tmp_path: Path) -> None:
    run = ingest(tmp_path, FILES, SOURCES)
    assert [(one["accepted"], one["filtered"], one["quarantined"]) for one in run.report["sources"]] == [
        (1, 1, 1), (1, 1, 0), (2, 0, 0)
    ]  # fmt: skip
    assert [one["page"] for one in run.events].count("/loans") == 3
    assert len({one["visitor_id"] for one in run.events}) == 4
    conserved(run.report)


def test_every_format_of_params_yaml_has_its_line_in_the_registry() -> None:
    assert set(get_args(Source.model_fields["format"].annotation)) == set(FORMATS)


@pytest.mark.parametrize("form", ["native", "sequences", "combined_log"])
def test_formats_without_columns_refuse_a_mapping(form: str) -> None:
    with pytest.raises(ValidationError, match="`columns` and `constants` go with csv, jsonl, parquet and the named"):
        Source.model_validate({"path": "x", "format": form, "names": ["a"], "columns": {"title": "t"}})


@pytest.fixture
def workspace(tmp_path: Path, repository: Path) -> Workspace:
    """A root with the files and a params.yaml that names them."""
    values = yaml.safe_load((repository / "params.yaml").read_text(encoding="utf-8"))
    values["ingest"] |= {"sources": SOURCES, "max_rejected_share": 0.5}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    for name, content in FILES.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return Workspace(tmp_path)


def test_explain_shows_what_a_run_would_do_and_writes_nothing(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(workspace.root.rglob("*"))
    assert main(["ingest", "--explain", "--root", str(workspace.root)]) == 0
    printed = capsys.readouterr().out
    assert sorted(workspace.root.rglob("*")) == before
    lines = [line.strip() for line in printed.splitlines()]
    assert "data/ga4/* (ga4): 3 rows: 1 accepted, 1 filtered, 1 quarantined" in lines
    assert "filtered: user_engagement 1" in lines
    assert "quarantined: bad_timestamp 1" in lines
    assert "data/ga4/a.json: 3 rows: 1 accepted, 1 filtered, 1 quarantined" in lines
    assert "url <- event_params.page_location 33.3%" in lines
    assert "visitor_id <- the format itself 100%" in lines
    assert "page <- page 50%" in lines
    assert lines[-1] == "7 rows read: 4 accepted, 0 duplicates, 0 bots, 2 filtered, 1 quarantined; nothing was written"
    for value in ("joan", "soon", "/loans", "192.0.2.7", "Firefox"):
        assert value not in printed


def test_explain_counts_what_the_run_then_writes(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    main(["ingest", "--explain", "--root", str(workspace.root)])
    explained = capsys.readouterr().out
    assert main(["ingest", "--root", str(workspace.root)]) == 0
    total = json.loads(workspace.ingest_report.read_text(encoding="utf-8"))["total"]
    told = ", ".join(f"{total[name]} {name}" for name in ("accepted", "duplicates", "bots", "filtered", "quarantined"))
    assert f"{total['rows_read']} rows read: {told}; nothing was written" in explained


def test_explain_ends_as_the_run_would(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--root", str(workspace.root), "--set", "ingest.max_rejected_share=0.01"]
    assert main(["ingest", "--explain", *options]) == 1
    shown = capsys.readouterr()
    assert "quarantined: bad_timestamp 1" in shown.out
    assert "1 of 7 rows were quarantined" in shown.err
    assert not workspace.ingest_report.exists()


def test_the_logs_of_apache_and_nginx_as_they_come(tmp_path: Path) -> None:
    # Apache escapes a quote as \", nginx as \x22; nginx may add fields after the user agent.
    content = (
        '192.0.2.7 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.htm HTTP/1.0" 200 2326 '
        '"http://www.example.com/start.html" "Mozilla/4.08 [en] (Win98; \\"I\\" ;Nav)"\n'
        '192.0.2.8 - - [10/Oct/2000:13:55:37 -0700] "GET /common HTTP/1.0" 200 -\n'
        '2001:db8::7 - - [10/Oct/2000:20:55:38 +0000] "GET /nginx?q=\\x22a HTTP/2.0" 200 612 "-" "Mozilla/5.0 \\x22x"\n'
        f'192.0.2.9 - - [10/Oct/2000:20:55:39 +0000] "GET /more HTTP/1.1" 200 612 "-" "{BROWSER}" "192.0.2.1" rt=0.1\n'
        '192.0.2.9 - - [10/Oct/2000:20:55:40 +0000] "\\x16\\x03\\x01" 400 157 "-" "-"\n'
    )
    run = ingest(tmp_path, {"access.log": content}, [{"path": "data/access.log", "format": "combined_log"}])
    found = sorted((one["ts"].hour, one["ts"].second, one["page"]) for one in run.events)
    assert found == [(20, 36, "/apache_pb.htm"), (20, 37, "/common"), (20, 38, "/nginx"), (20, 39, "/more")]
    assert run.total["filters"] == {"status": 1}
    assert sum(one["customer_id"] is not None for one in run.events) == 1
