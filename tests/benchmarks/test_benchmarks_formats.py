"""The table of formats: every file of the folder is in it, kept, filtered or refused."""

import json
from pathlib import Path

import pytest

from benchmarks import formats

EVENT = {"event_timestamp": "1767607200000000", "event_name": "page_view", "user_pseudo_id": "a", "platform": "WEB"}


@pytest.fixture
def root(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in the repository's place, with its params.yaml."""
    (tmp_path / "params.yaml").write_bytes((repository / "params.yaml").read_bytes())
    monkeypatch.setattr(formats, "REPOSITORY", tmp_path)
    monkeypatch.setenv("CLICKS_DATA", str(tmp_path / "shared"))
    monkeypatch.setenv("CLICKS_ID_KEY", "so that the benchmark's own is undone")
    return tmp_path


def test_files_are_kept_filtered_or_refused_with_the_reason(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {
        "ga4_export_nested/events_jsonl": json.dumps(EVENT)
        + "\n"
        + json.dumps(EVENT | {"event_timestamp": "x"})
        + "\n",
        "ga4_export_nested/fragment_csv.csv": "url\n/a\n",
        "../access_log/apache_logs": '192.0.2.7 - - [05/Jan/2026:10:00:00 +0000] "GET /a.css HTTP/1.1" 200 9\n'
        '192.0.2.7 - - [05/Jan/2026:10:00:00 +0000] "GET /a HTTP/1.1" 200 9\n',
    }
    for name, content in files.items():
        path = root / "shared" / "formats" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    assert formats.main() == 0
    found = json.loads((root / "reports" / "bench" / "formats.json").read_text(encoding="utf-8"))
    none = dict.fromkeys(("rows_read", "accepted", "duplicates", "bots", "filtered", "quarantined", "refused"), 0)
    assert found == {
        "ga4_export_nested/events_jsonl": none
        | {"rows_read": 2, "accepted": 1, "quarantined": 1, "reasons.bad_timestamp": 1},
        "ga4_export_nested/fragment_csv.csv": none | {"refused": 1},
        "access_log/apache_logs": none | {"rows_read": 2, "accepted": 1, "filtered": 1, "filters.asset": 1},
    }
    printed = capsys.readouterr().out
    assert "bad_timestamp 1" in printed
    assert "refused, for column `user_pseudo_id` or `client_id`, mapped to visitor_id, is missing:" in printed
    assert "no real sample to check against: snowplow, snowplow_tsv, segment" in printed


def test_without_samples_there_is_nothing_to_run(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert formats.main() == 1
    assert "CLICKS_DATA" in capsys.readouterr().out
    assert not (root / "reports").exists()
