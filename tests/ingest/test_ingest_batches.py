"""Raw rows that come in batches, late and twice, through ingest and a partial sessionize: the tables of a full run."""

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from ingested import ingest, jsonl

from pipelines import params
from pipelines.paths import Workspace
from pipelines.sessionize import stage as sessionize

MONDAY: Final = datetime(2026, 1, 5, tzinfo=UTC)
SOURCE: Final = {
    "path": "data/*.jsonl",
    "format": "jsonl",
    "columns": {
        "event_id": "id",
        "visitor_id": "who",
        "customer_id": "login",
        "ts": "at",
        "received_ts": "got",
        "url": "url",
        "user_agent": "ua",
    },
}
RULES: Final = {
    "gap_seconds": 1800, "max_duration_seconds": 43200, "session_property": None, "lateness_days": 1, "memory_gb": 1,
    "stitching": "asof", "engine": "duckdb", "split": {"valid_from": "2026-01-07", "test_from": "2026-01-08",
    "valid_share": None, "test_share": None, "embargo_days": 0},
}  # fmt: skip


def sent(number: int, who: str, seconds: float, *, ahead: float = 0, **more: Any) -> dict[str, Any]:
    at = MONDAY + timedelta(seconds=seconds)
    times = {"at": (at + timedelta(seconds=ahead)).isoformat(), "got": (at + timedelta(seconds=2)).isoformat()}
    return {"id": f"e{number}", "who": who, "url": f"/p{number % 7}", **times, **more}


def rows_of_a_week() -> list[dict[str, Any]]:
    """People, one who logs in late, clocks ahead, a robot by behaviour, one that declares itself at last, conflicts."""
    draw = random.Random(5)
    rows = [sent(n, f"v{n % 9}", draw.randrange(5 * 86_400)) for n in range(300)]
    rows += [sent(400 + n, "skewed", 90_000 + 40 * n, ahead=7_200) for n in range(12)]
    rows += [sent(500 + n, "fast", 200_000 + n, url=f"/x{n}") for n in range(110)]
    rows += [sent(700 + n, "robot", 40_000 * n, ua="Examplebot/1.0" if n == 9 else "Mozilla/5.0") for n in range(10)]
    rows += [sent(720 + n, "v1", 86_400 * n + 50, login="ann" if n < 3 else "bob") for n in range(5)]
    rows += [draw.choice(rows) for _ in range(40)]  # delivered twice
    rows += [sent(n, "v2", 300_000 + n) for n in range(3)]  # other events under ids that are taken
    return rows


def test_any_batches_of_raw_rows_give_the_tables_of_one_run(tmp_path: Path) -> None:
    block = params.Sessionize.model_validate(RULES)
    draw = random.Random(1)
    rows = rows_of_a_week()
    batches: dict[str, list[dict[str, Any]]] = {}
    for row in draw.sample(rows, len(rows)):
        batches.setdefault(draw.choice("cab"), []).append(row)
    for number, name in enumerate(batches):  # in an order that is not the names'
        ingest(tmp_path / "part", {f"{name}.jsonl": jsonl(*batches[name])}, [SOURCE])
        since = date(2026, 1, draw.randint(1, 9)) if number else None  # some promise too much: then events are late
        sessionize.run(Workspace(tmp_path / "part"), block, seed=7, since=since)
    whole = ingest(tmp_path / "full", {"all.jsonl": jsonl(*rows)}, [SOURCE])
    sessionize.run(whole.workspace, block, seed=7)
    found = {name: whole.total[name] for name in ("accepted", "duplicates", "bots", "quarantined")}
    assert all(found.values()), "every rule has something to do"
    assert whole.total["corrected"]
    part = Workspace(tmp_path / "part")
    for name in ("sessions", "pages", "identity"):
        assert getattr(part, name).read_bytes() == getattr(whole.workspace, name).read_bytes(), name
    for file in sorted(whole.workspace.events.rglob("*.parquet")):
        assert (part.events / file.relative_to(whole.workspace.events)).read_bytes() == file.read_bytes()
