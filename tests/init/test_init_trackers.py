"""Files of named trackers are recognised by what nobody else has; rows are made by hand after the public schemas."""

import json
from pathlib import Path

import pytest
import yaml

from pipelines import params
from pipelines.ingest.formats.snowplow_tsv import NAMES
from pipelines.init import stage
from pipelines.paths import Workspace

GA4 = {
    "event_timestamp": "1767607200000000", "event_name": "page_view", "user_pseudo_id": "7.8", "platform": "WEB",
    "event_params": [{"key": "page_location", "value": {"string_value": "https://bank.example/loans"}}],
}  # fmt: skip
CALL = {"messageId": "m", "type": "page", "anonymousId": "a", "timestamp": "2026-01-05T10:00:00Z",
        "context": {"page": {"url": "https://bank.example/loans"}}}  # fmt: skip
ENRICHED = {
    "event_id": "e", "event": "page_view", "platform": "web", "domain_userid": "c", "page_url": "/loans",
    "derived_tstamp": "2026-01-05 10:00:00.000", "collector_tstamp": "2026-01-05 10:00:00.100",
}  # fmt: skip
HIT = {"hit_time_gmt": "1767607200", "visid_high": "1", "visid_low": "2", "page_event": "0", "page_url": "/loans"}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"a.json": json.dumps(GA4) + "\n"}, "ga4"),
        ({"a.json": json.dumps(CALL) + "\n"}, "segment"),
        ({"a.json": json.dumps(ENRICHED) + "\n"}, "snowplow"),
        ({"a.csv": ",".join(ENRICHED) + "\n" + ",".join(ENRICHED.values()) + "\n"}, "snowplow"),
        ({"a.tsv": "\t".join(ENRICHED.get(name, "") for name in NAMES) + "\n"}, "snowplow_tsv"),
        ({"a.tsv": "\t".join(HIT.values()) + "\n", "column_headers.tsv": "\t".join(HIT) + "\n"}, "adobe_data_feed"),
    ],
)
def test_a_tracker_is_recognised_and_its_first_row_shown(
    tmp_path: Path, repository: Path, capsys: pytest.CaptureFixture[str], files: dict[str, str], expected: str
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    stage.run(Workspace(tmp_path), params.load(repository / "params.yaml"), tmp_path / next(iter(files)))
    printed = capsys.readouterr().out
    proposed = yaml.safe_load(printed[printed.index("ingest:") :].split("\n\n")[0])["ingest"]["sources"]
    assert proposed == [{"path": next(iter(files)), "format": expected}]
    assert "1 of the first 1 rows can be mapped" in printed
    assert "page=/loans" in printed
