"""sessionize beside bare DuckDB SQL: ten million made-up events, each way in a process of its own, all in one run.

`duckdb` writes the same columns and the same struct an event, by one query, as someone would who has memory enough: no
bound on memory, no maximum duration, no page catalogue, no links, no report, rows in no order. `duckdb_page_lists`
writes no more than each session's pages. `ratio` is the time of `ours` over that of the row.

    python -m benchmarks.sessionize [--events 10000000]

From fifty million events on there is no rival, whose lists would not fit into memory: only `ours`, under the limit.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from benchmarks.console import leave_with
from benchmarks.report import Row, write_columns
from benchmarks.sessionize_events import COLUMNS, write_events
from pipelines import telemetry

REPOSITORY: Final = Path(__file__).resolve().parent.parent
WORK: Final = REPOSITORY / ".work" / "bench-sessionize"
LARGE: Final = 50_000_000
MAX_RATIO: Final = 2.5
MAX_PEAK_GB: Final = 3.0
MAX_PEAK_LARGE_GB: Final = 4.0

_CUT = """
WITH silences AS (
    SELECT *, ts - lag(ts) OVER stream > INTERVAL 30 MINUTES AS is_start
    FROM events WINDOW stream AS (PARTITION BY visitor_id, channel ORDER BY ts, event_id)
), numbered AS (
    SELECT *, count(*) FILTER (is_start) OVER (
        PARTITION BY visitor_id, channel ORDER BY ts, event_id ROWS UNBOUNDED PRECEDING
    ) AS session
    FROM silences
)
"""
_SESSIONS = f"""
{_CUT}, told AS (
    SELECT *,
        epoch(lead(ts) OVER (PARTITION BY visitor_id, channel, session ORDER BY ts, event_id) - ts)::FLOAT
            AS dwell_seconds,
        last_value(customer_id IGNORE NULLS) OVER (
            PARTITION BY visitor_id ORDER BY ts, event_id ROWS UNBOUNDED PRECEDING) AS known
    FROM numbered
)
SELECT
    left(sha256(concat_ws(chr(31), visitor_id, channel, min_by(event_id, (ts, event_id)))), 32) AS session_id,
    visitor_id, max_by(known, (ts, event_id)) AS customer_id, channel, min(ts) AS start_ts, max(ts) AS end_ts,
    count(*)::INTEGER AS n_events,
    list(struct_pack(ts, event_type, page, element, query, referrer, dwell_seconds) ORDER BY ts, event_id) AS events,
    CASE WHEN min(ts) >= '2026-02-10' THEN 'test' WHEN min(ts) >= '2026-01-31' THEN 'valid' ELSE 'train' END AS split
FROM told GROUP BY visitor_id, channel, session
"""
_PAGE_LISTS = f"""
{_CUT}
SELECT visitor_id, channel, min(ts) AS start_ts, max(ts) AS end_ts, list(page ORDER BY ts, event_id) AS pages
FROM numbered GROUP BY visitor_id, channel, session
"""
RIVALS: Final = {"duckdb": _SESSIONS, "duckdb_page_lists": _PAGE_LISTS}


def main(arguments: list[str] | None = None) -> int:
    """Runs the benchmark; returns 0 when the targets are met."""
    telemetry.switch_off()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sessionize")
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--rival", choices=RIVALS, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    root = WORK / f"{options.events}"
    if options.rival:
        run_rival(options.rival, root).unlink()
        return 0
    prepare(options.events, root)
    rows = {"ours": measured(["-m", "pipelines", "sessionize", "--root", str(root)])}
    if options.events < LARGE:
        me = ["-m", "benchmarks.sessionize", "--events", str(options.events), "--rival"]
        rows |= {name: measured([*me, name]) for name in RIVALS}
    n_events = count_events(root)
    for row in rows.values():
        row |= {"events_per_second": n_events / row["seconds"], "ratio": rows["ours"]["seconds"] / row["seconds"]}
    name = "sessionize" if options.events < LARGE else "sessionize_large"
    write_columns(name, rows, [(f"{n_events:,} events", METRICS)], REPOSITORY)
    return 0 if judged(rows) else 1


METRICS: Final = {
    "seconds": ("seconds", ".1f"),
    "cpu_seconds": ("CPU seconds", ".1f"),
    "peak_gb": ("peak memory, GB", ".2f"),
    "events_per_second": ("events a second", ",.0f"),
    "ratio": ("seconds of ours / seconds", ".2f"),
}


def prepare(n_events: int, root: Path) -> None:
    """Makes a workspace of ``n_events`` at ``root``, unless its events are there already, with the present columns."""
    import pyarrow.parquet as pq

    events = root / "artifacts" / "events"
    made = sorted(events.glob("*.parquet"))
    if not made or pq.read_schema(made[0]).names != [*COLUMNS]:
        shutil.rmtree(events, ignore_errors=True)
        print(f"making {n_events:,} events under {root.relative_to(REPOSITORY)}", flush=True)
        write_events(n_events, events)
    shutil.copyfile(REPOSITORY / "params.yaml", root / "params.yaml")


def measured(command: list[str]) -> Row:
    """Runs Python with these arguments; returns its seconds, its CPU seconds and its peak of resident memory.

    Raises:
        CalledProcessError: it failed.
    """
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, *command], cwd=REPOSITORY)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)  # it has been waited for: nothing is left to ask
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_gb": used.ru_maxrss * 1024 / 1e9,
    }


def run_rival(name: str, root: Path) -> Path:
    """Runs the bare SQL of that name over the events of ``root``; returns the table that it wrote."""
    import duckdb

    target = root / f"{name}.parquet"
    with duckdb.connect(config={"temp_directory": str(root / "spill")}) as house:
        house.execute("SET TimeZone = 'UTC'")
        house.execute("SET preserve_insertion_order = false")
        house.read_parquet(f"{root}/artifacts/events/*.parquet").project(", ".join(COLUMNS)).create_view("events")
        house.execute(f"COPY ({RIVALS[name]}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
    return target


def count_events(root: Path) -> int:
    import pyarrow.parquet as pq

    files = (root / "artifacts" / "events").glob("*.parquet")
    return sum(pq.ParquetFile(file).metadata.num_rows for file in files)


def judged(rows: dict[str, Row]) -> bool:
    """Prints what was to be reached and whether it was."""
    ours = rows["ours"]
    most_gb = MAX_PEAK_GB if "duckdb" in rows else MAX_PEAK_LARGE_GB
    met = {f"peak of ours at most {most_gb:g} GB": ours["peak_gb"] <= most_gb}
    if "duckdb" in rows:
        met[f"ours at most {MAX_RATIO:g} times the time of duckdb"] = rows["duckdb"]["ratio"] <= MAX_RATIO
    for target, is_met in met.items():
        print(f"{'met' if is_met else 'MISSED'}: {target}")
    return all(met.values())


if __name__ == "__main__":
    leave_with(main)
