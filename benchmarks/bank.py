"""The demo bank beside two real sites: sizes, lengths, repetition, return, and what earlier pages tell of the last.

One column a site, all through ingest and sessionize as they are: the demo bank of params.yaml, made anew; the first
100,000 visits to msnbc.com (UCI "MSNBC.com Anonymous Web Data", CC BY 4.0), where categories stand for pages and nobody
is known to return; four days of the access log of semicomplete.com (github.com/elastic/examples, Apache-2.0). Real data
are looked for in ../shared/data or $CLICKS_DATA; a site without them is left out. `bank_areas` is the demo bank with
each page named by its first path segment, for MSNBC knows only categories.

Of the access log so few sessions are long that two page views are enough. In those the counts are the last page, so
that neither can add to the other, and the same pairs of pages come again and again: its bits compare with nobody's.
"""

import itertools
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any, Final

import yaml

from benchmarks.bank_facts import facts
from benchmarks.console import leave_with
from benchmarks.next_page import information
from benchmarks.protocol import CATEGORIES
from benchmarks.report import Section, write_columns
from benchmarks.visits import Figures, Visits, figures, read_visits
from pipelines import telemetry
from pipelines.paths import Workspace

CODE: Final = Path(__file__).resolve().parent.parent
"""Where commands are started."""
REPOSITORY: Final = CODE
"""Whose params.yaml is read; a test has its own."""
MSNBC_VISITS: Final = 100_000
MIN_VIEWS: Final = 4
"""As in the MSNBC protocol."""
MIN_VIEWS_ACCESS_LOG: Final = 2
"""Too few of its sessions have four."""
PUBLIC_KEY: Final = "no secret: the tables are thrown away"
"""Always the same, because the halves of visitors go by their hashed ids."""

Source = dict[str, Any]


def main() -> int:
    """Runs the benchmark in temporary folders; returns 0. A stage that fails ends it with 1."""
    telemetry.switch_off()
    shared = Path(os.environ.get("CLICKS_DATA", REPOSITORY.parent / "shared" / "data"))
    with tempfile.TemporaryDirectory(prefix="bench-bank-") as folder:
        columns = bank_columns(Path(folder) / "bank")
        columns |= real_columns(Path(folder), shared)
    write_columns("bank", columns, SECTIONS, REPOSITORY)
    return 0


def bank_columns(root: Path) -> dict[str, Figures]:
    """Makes the demo bank under ``root``; returns its column and the one by areas."""
    os.environ.pop("CLICKS_ID_KEY", None)  # the demo bank's own key: the same ids everywhere, and no other source read
    bank = make_workspace(root, None)
    seconds = timed("simulate", bank)
    prepare(bank)
    visits = read_visits(bank.sessions)
    return {
        "bank": column("bank", visits, MIN_VIEWS) | facts(bank, seconds),
        "bank_areas": column("bank_areas", visits.renamed(area), MIN_VIEWS),
    }


def real_columns(folder: Path, shared: Path) -> dict[str, Figures]:
    """Returns a column for each real site whose data lie in ``shared``; says which do not."""
    os.environ["CLICKS_ID_KEY"] = PUBLIC_KEY
    columns = {}
    archive, log = shared / "msnbc" / "msnbc990928.zip", shared / "access_log" / "apache_logs"
    if present("msnbc", archive):
        head = folder / "msnbc.seq"
        write_head(archive, head)
        visits = visits_of(folder / "msnbc", {"path": str(head), "format": "sequences", "names": CATEGORIES})
        columns["msnbc"] = column("msnbc", visits, MIN_VIEWS, knows_visitors=False)
    if present("access_log", log):
        visits = visits_of(folder / "access_log", {"path": str(log), "format": "combined_log"})
        columns["access_log"] = column("access_log", visits, MIN_VIEWS_ACCESS_LOG)
    return columns


def column(name: str, visits: Visits, min_views: int, *, knows_visitors: bool = True) -> Figures:
    """Returns all figures of one site's visits."""
    start = time.perf_counter()
    found = figures(visits, knows_visitors=knows_visitors) | {"next_page_min_views": min_views}
    found |= information(visits, min_views)
    print(f"bench-bank: {name}: next-page models took {time.perf_counter() - start:.0f} s", flush=True)
    return found


def visits_of(root: Path, source: Source) -> Visits:
    """Returns the visits of one source, ingested and cut into sessions under ``root``."""
    workspace = make_workspace(root, source)
    prepare(workspace)
    return read_visits(workspace.sessions)


def make_workspace(root: Path, source: Source | None) -> Workspace:
    """Returns a root whose params.yaml is the repository's, with ``source`` as its only one where it is given."""
    values: dict[str, Any] = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    if source is not None:
        values["ingest"]["sources"] = [source]
    root.mkdir()
    workspace = Workspace(root)
    workspace.params.write_text(yaml.safe_dump(values))
    return workspace


def prepare(workspace: Workspace) -> None:
    for stage in ("ingest", "sessionize"):
        timed(stage, workspace)


def timed(stage: str, workspace: Workspace) -> float:
    """Runs one stage as users do, in a process of its own; returns its seconds, those of starting it among them."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "pipelines", stage, "--root", str(workspace.root)]
    if subprocess.run(command, cwd=CODE, check=False).returncode:
        sys.exit(1)
    seconds = time.perf_counter() - start
    print(f"bench-bank: {workspace.root.name}: {stage} took {seconds:.0f} s", flush=True)
    return seconds


def present(name: str, file: Path) -> bool:
    """Says so where ``file`` is missing."""
    if not file.exists():
        print(f"bench-bank: {name}: no data at {file} (set CLICKS_DATA to their folder): left out", flush=True)
    return file.exists()


def write_head(archive: Path, head: Path) -> None:
    """Writes the first MSNBC_VISITS visits of the zipped file: the lines that begin with a digit."""
    with zipfile.ZipFile(archive) as zipped, zipped.open(archive.with_suffix(".seq").name) as lines:
        visits = (line for line in lines if line[:1].isdigit())
        head.write_bytes(b"".join(itertools.islice(visits, MSNBC_VISITS)))


def area(page: str) -> str:
    """Returns the first segment of a page's path: /cards/travel is in /cards; / stands for itself."""
    return "/" + page.lstrip("/").partition("/")[0]


COUNT, RATE, NUMBER, BITS = ",.0f", ".3f", ".2f", ".3f"
SECTIONS: Final[list[Section]] = [
    (
        "Sessions of the web with a page view",
        {
            "sessions": ("sessions", COUNT),
            "visitors": ("visitors", COUNT),
            "pages": ("pages", COUNT),
            "page_views": ("page views", COUNT),
            "length_mean": ("page views a session, mean", NUMBER),
            "length_median": ("  median", COUNT),
            "length_p90": ("  90th percentile", COUNT),
            "length_p99": ("  99th percentile", COUNT),
            "length_max": ("  longest", COUNT),
            "bounce_rate": ("share of one page view", RATE),
            "repeat_rate": ("later views: on the page before", RATE),
            "revisit_rate": ("later views: on a page seen before", RATE),
            "return_rate": ("visitors with several sessions", RATE),
            "sessions_per_visitor": ("sessions a visitor", NUMBER),
            "page_entropy_bits": ("entropy of pages, bits", NUMBER),
            "top_10_share": ("page views on the ten commonest", RATE),
        },
    ),
    (
        "Last page of a session, bits [95 % by resampling test sessions]",
        {
            "next_page_min_views": ("page views at least, no repeats", COUNT),
            "next_page_sessions": ("sessions", COUNT),
            "next_page_test_sessions": ("  of which test", COUNT),
            "next_page_classes": ("classes of pages", COUNT),
            "next_page_other_share": ("  share of the class of rare pages", RATE),
            "bits_unigram": ("cross-entropy of the unigram", BITS),
            "gain_counts": ("gain: counts of earlier pages", BITS),
            "gain_last": ("gain: last page", BITS),
            "gain_counts_last": ("gain: counts, last page", BITS),
            "gain_order": ("gain: counts, last two, position", BITS),
            "last_beyond_counts": ("last page beyond counts", BITS),
            "counts_beyond_last": ("counts beyond last page", BITS),
            "order_beyond_counts_last": ("order beyond counts, last page", BITS),
        },
    ),
    (
        "The demo bank alone",
        {
            "cookies_that_log_in": ("web cookies that ever log in", RATE),
            "bot_share": ("raw events by bots, as truth has it", RATE),
            "bot_share_found": ("raw events dropped as bots'", RATE),
            "app_sessions": ("app sessions", COUNT),
            "impressions": ("impressions of the home screen", COUNT),
            "clicks_per_impression": ("clicks an impression", RATE),
            "tile_decisions": ("tile decisions", COUNT),
            "decisions_with_web_session": ("  with an earlier linked web session", RATE),
            "events": ("simulated events", COUNT),
            "events_per_second": ("  a second", COUNT),
        },
    ),
]


if __name__ == "__main__":
    leave_with(main)
