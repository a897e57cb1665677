"""How much planted personal data the scrubbing of ``ingest`` finds, and how many innocent texts it alters.

Recall: values that belong to nobody (``benchmarks.planted``), in every form, encoding and surrounding, through the very
macros of the stage. A value counts as found when no six of its letters and digits in a row are left, decoded or not.
False alarms: the 13,083 customer questions of Banking77 (CC BY 4.0) and the request paths of the access log of
semicomplete.com (Apache-2.0), real and public, are listed where they are altered; where a strict check of its own finds
the cause, the kind is named. Real data are looked for in ../shared/data or $CLICKS_DATA.
"""

import csv
import ipaddress
import json
import os
import re
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import unquote, unquote_plus

import duckdb
import pyarrow as pa

from benchmarks.console import leave_with
from benchmarks.planted import Planted, plant
from pipelines.ingest import ids, pages, scrub

REPOSITORY: Final = Path(__file__).resolve().parent.parent
N_EACH: Final = 8
SEED: Final = 7
WINDOW: Final = 6
MOST_SHOWN: Final = 20
PLACES: Final = {"url": "clean_url(text)", "referrer": "clean_url(text)", "page": "page_template(text)"}
Row = dict[str, float]


def main() -> int:
    """Prints and writes the figures; returns 1 where a planted value was left."""
    connection = connect()
    start = time.process_time()
    planted = list(plant(N_EACH, SEED))
    clean = scrubbed(connection, [(one.field, one.text) for one in planted])
    left = [(one, text) for one, text in zip(planted, clean, strict=True) if is_left(one.value, text)]
    rows = recall(planted, [one for one, _ in left]) | {"total": _row(len(planted), len(left))}
    rows["total"]["cpu_seconds"] = time.process_time() - start
    _print_recall(rows, left)
    shared = Path(os.environ.get("CLICKS_DATA", REPOSITORY.parent / "shared" / "data"))
    for name, (field, texts) in innocent(shared).items():
        rows[name] = false_alarms(connection, name, field, texts)
    path = REPOSITORY / "reports" / "bench" / "scrub.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=2) + "\n")
    print(f"\nwritten to {path.relative_to(REPOSITORY)}")
    return 1 if left else 0


def connect() -> duckdb.DuckDBPyConnection:
    """Returns a connection with the macros of the stage."""
    connection = duckdb.connect()
    ids.define(connection, b"no secret: the texts are thrown away")
    scrub.define(connection)
    pages.define(connection)
    return connection


def scrubbed(connection: duckdb.DuckDBPyConnection, values: Sequence[tuple[str, str]]) -> list[str]:
    """Returns each text of (field, text) as the stage would store it."""
    given = pa.table(
        {"i": range(len(values)), "field": [field for field, _ in values], "text": [text for _, text in values]}
    )
    connection.register("given", given)
    forms = " ".join(f"WHEN '{field}' THEN {expression}" for field, expression in PLACES.items())
    plain = f"SELECT i, field, CASE field {forms} ELSE text END AS plain FROM given"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE placed AS {plain}")
    connection.execute("CREATE OR REPLACE TEMP TABLE suspects AS FROM placed WHERE is_suspect(plain)")
    for name, query in scrub.steps("suspects"):
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {query}")
    query = "SELECT coalesce(clean, placed.plain) FROM placed LEFT JOIN scrubbed USING (i) ORDER BY i"
    return [str(text) for (text,) in connection.execute(query).fetchall()]


def is_left(value: str, text: str) -> bool:
    """Whether a part of ``value`` that tells it can still be read in ``text``."""
    told = re.split(r" ?(?:@|\[at\])", value)[0]  # a domain alone tells nobody
    core = _signs(told.partition("=")[2] or re.sub(r"^[A-Za-z:._ -]+(?=[0-9])", "", told))
    readable = [text, unquote(text), unquote_plus(unquote(unquote(text)))]
    size = min(WINDOW, len(core))
    windows = {core[start : start + size] for start in range(len(core) - size + 1)}
    return any(window in _signs(form) for form in readable for window in windows)


def recall(planted: Sequence[Planted], left: Sequence[Planted]) -> dict[str, Row]:
    """Returns rows by kind and encoding, and by kind and form."""
    rows: dict[str, Row] = {}
    for name in ("encoding", "form"):
        missed = Counter((one.kind, getattr(one, name)) for one in left)
        for (kind, value), n in Counter((one.kind, getattr(one, name)) for one in planted).items():
            rows[f"{kind}/{name}/{value}"] = _row(n, missed[kind, value])
    return rows


def innocent(shared: Path) -> dict[str, tuple[str, list[str]]]:
    """Returns real texts by data set, with their field; says which data are not there."""
    found: dict[str, tuple[str, list[str]]] = {}
    questions = [shared / "banking77" / f"{part}.csv" for part in ("train", "test")]
    log = shared / "access_log" / "apache_logs"
    for name, files in (("banking77", questions), ("access_log", [log])):
        if not all(file.exists() for file in files):
            print(f"bench-scrub: {name}: no data in {shared.name}/{name} (set CLICKS_DATA): left out")
        elif name == "banking77":
            found[name] = (
                "query",
                [row["text"] for file in files for row in csv.DictReader(file.open(encoding="utf-8"))],
            )
        else:
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
            found[name] = "path", [match[1] for line in lines if (match := re.search(r'"[A-Z]+ (\S+)', line))]
    return found


def false_alarms(connection: duckdb.DuckDBPyConnection, name: str, field: str, texts: Sequence[str]) -> Row:
    """Prints every text that scrubbing alters; returns how many, with and without cause."""
    clean = scrubbed(connection, [(field, text) for text in texts])
    altered = [(before, after) for before, after in zip(texts, clean, strict=True) if before != after]
    without = [pair for pair in altered if cause(pair[0]) is None]
    print(f"\n{name}: {len(texts):,} texts, {len(altered)} altered, {len(without)} of them without cause "
          f"({len(without) / len(texts):.4%})")  # fmt: skip
    for before, after in altered:
        print(f"  {cause(before) or 'without cause'}: {before!r} -> {after!r}")
    return {"texts": len(texts), "altered": len(altered), "without_cause": len(without),
            "share_without_cause": len(without) / len(texts)}  # fmt: skip


def cause(text: str) -> str | None:
    """The kind of personal data that a strict check, apart from the patterns of the stage, confirms in ``text``."""
    text = unquote(unquote(text))
    if re.search(r"\w@\w[\w-]*(\.\w[\w-]*)*\.[a-z]{2,}", text):
        return "email"
    if any(_passes_luhn(number) for number in re.findall(r"(?<!\d)[2-6]\d{12,18}(?!\d)", re.sub(r"[ -]", "", text))):
        return "card"
    return "ip" if any(_is_address(word) for word in re.findall(r"[0-9A-Fa-f.:]{7,}", text)) else None


def _passes_luhn(number: str) -> bool:
    digits = [int(digit) for digit in reversed(number)]
    return sum(d if i % 2 == 0 else sum(divmod(2 * d, 10)) for i, d in enumerate(digits)) % 10 == 0


def _is_address(word: str) -> bool:
    try:
        ipaddress.ip_address(word)
    except ValueError:
        return False
    return True


def _signs(text: str) -> str:
    return re.sub(r"[\W_]", "", text).lower()


def _row(n: int, n_left: int) -> Row:
    return {"planted": n, "left": n_left, "recall": 1 - n_left / n}


def _print_recall(rows: dict[str, Row], left: Sequence[tuple[Planted, str]]) -> None:
    print(f"{'':32}{'planted':>9}{'left':>7}{'recall':>10}")
    for name, row in rows.items():
        print(f"{name:32}{row['planted']:9,.0f}{row['left']:7,.0f}{row['recall']:10.4%}")
    different = {(one.kind, one.form, one.encoding, one.field): (one, text) for one, text in left}
    for one, text in [*different.values()][:MOST_SHOWN]:
        print(f"  left: {one.kind}/{one.form}/{one.encoding} in {one.field}: {one.text!r} -> {text!r}")


if __name__ == "__main__":
    leave_with(main)
