"""ingest beside DuckDB's own reader: ten million raw events as gzipped JSON lines, each way in a process of its own.

The lines are the demo bank's, repeated with ids and visitors of their own, a part a repetition and day. `duckdb` reads
the same files as text and writes Parquet: nothing is parsed but JSON, nothing checked, scrubbed, hashed or ordered, and
a bad line becomes an empty row. `ratio` is the time of `ours` over that of the row.

    python -m benchmarks.ingest [--events 10000000]
"""

import argparse
import gzip
import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.console import leave_with
from benchmarks.report import Row, write_columns
from benchmarks.sessionize import METRICS, measured
from pipelines import telemetry
from pipelines.params import load
from pipelines.paths import Workspace
from pipelines.simulate import stage as simulate

REPOSITORY: Final = Path(__file__).resolve().parent.parent
WORK: Final = REPOSITORY / ".work" / "bench-ingest"
MAX_RATIO: Final = 7.0
MIN_EVENTS_PER_SECOND: Final = 80_000.0  # on two cores
MAX_PEAK_GB: Final = 4.0
FAST: Final = 1  # of gzip
KEY: Final = "a key of the benchmark: it protects nobody"
IDS: Final = (b'{"id":"', b'"user":{"login":"')  # of events, clients and customers
COLUMNS: Final = ("id", "client", "user", "sent_at", "received_at", "platform", "event", "page", "search", "utm")


def main(arguments: list[str] | None = None) -> int:
    """Runs the benchmark; returns 0 when the targets are met."""
    telemetry.switch_off()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest")
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--rival", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    root = WORK / f"{options.events}"
    if options.rival:
        run_rival(root)
        return 0
    n_events = prepare(options.events, root)
    os.environ["CLICKS_ID_KEY"] = KEY
    rows = {
        "duckdb": measured(["-m", "benchmarks.ingest", "--events", str(options.events), "--rival"]),
        "ours": measured(["-m", "pipelines", "ingest", "--root", str(root)]),
    }
    for row in rows.values():
        row |= {"events_per_second": n_events / row["seconds"], "ratio": rows["ours"]["seconds"] / row["seconds"]}
    write_columns("ingest", rows, [(f"{n_events:,} events", METRICS)], REPOSITORY)
    return 0 if judged(rows) else 1


def prepare(n_events: int, root: Path) -> int:
    """Makes a workspace of about ``n_events`` at ``root``, unless it is there already; returns how many it holds."""
    done = root / "n_events"
    if not done.exists():
        bank = _bank()
        print(f"making {n_events:,} events under {root.relative_to(REPOSITORY)}", flush=True)
        shutil.rmtree(root, ignore_errors=True)
        (root / "data" / "events").mkdir(parents=True)
        n_made = 0
        for path, content in _parts(bank, root / "data" / "events"):
            n_made += content.count(b"\n")
            path.write_bytes(gzip.compress(content, FAST, mtime=0))
            if n_made >= n_events:
                break
        done.write_text(str(n_made))
    shutil.copyfile(REPOSITORY / "params.yaml", root / "params.yaml")
    return int(done.read_text())


def _bank() -> Workspace:
    """Returns the demo bank of the repository's params, made where it is missing."""
    bank = Workspace(WORK / "bank")
    if not (bank.data / "demo_bank.json").exists():
        bank.root.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / "params.yaml", bank.params)
        simulate.run(bank, load(bank.params))
    return bank


def _parts(bank: Workspace, folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Yields, without end, files and the lines of one day each, with ids that no other repetition has."""
    days = sorted((bank.data / "events").glob("*.jsonl.gz"))
    for repetition in itertools.count():
        for day in days:
            content = gzip.decompress(day.read_bytes())
            for start in IDS:
                content = content.replace(start, start + b"r%d" % repetition)
            yield folder / f"{day.name.partition('.')[0]}-{repetition:03}.jsonl.gz", content


def run_rival(root: Path) -> None:
    """Reads the files of ``root`` as DuckDB does by itself, and writes one Parquet file."""
    import duckdb

    target = root / "duckdb.parquet"
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in COLUMNS)
    with duckdb.connect(config={"temp_directory": str(root / "spill")}) as house:
        house.execute("SET preserve_insertion_order = false")
        house.execute(
            f"COPY (SELECT * FROM read_json('{root}/data/events/*.jsonl.gz', format = 'newline_delimited', "
            f"columns = {{{columns}}}, ignore_errors = true)) TO '{target}' (FORMAT parquet)"
        )
    target.unlink()


def judged(rows: dict[str, Row]) -> bool:
    """Prints what was to be reached and whether it was."""
    ours, ratio = rows["ours"], rows["duckdb"]["ratio"]
    targets = [
        (f"at most {MAX_RATIO:g} times read_json", ratio, ratio <= MAX_RATIO),
        (f"at least {MIN_EVENTS_PER_SECOND:,.0f} events a second", ours["events_per_second"],
         ours["events_per_second"] >= MIN_EVENTS_PER_SECOND),
        (f"at most {MAX_PEAK_GB:g} GB", ours["peak_gb"], ours["peak_gb"] <= MAX_PEAK_GB),
    ]  # fmt: skip
    for target, value, is_met in targets:
        print(f"{target}: {value:,.2f}, {'met' if is_met else 'NOT MET'}")
    return all(is_met for _, _, is_met in targets)


if __name__ == "__main__":
    leave_with(main)
