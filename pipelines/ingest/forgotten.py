"""The people who asked to be forgotten: the list that ``forget`` keeps, and the rows that ``ingest`` leaves out for it.

A line of the list is ``customer HASH`` or ``visitor HASH FROM TO``: keyed hashes, and UTC instants or ``-`` for an open
side. A customer's rows are those with the login, and on every visitor with it those from the login on until somebody
else's; before a visitor's first login they are that login's. The raw files still hold these rows: see docs/privacy.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import duckdb
import pyarrow as pa

from pipelines.errors import ParamsError
from pipelines.schemas import TIMESTAMP

HEADER: Final = (
    "# Who was forgotten (python -m pipelines forget): keyed hashes, no ids. Keep this file: without it the next\n"
    "# ingest of the same raw files brings these people back.\n"
)
SCHEMA: Final = pa.schema([("kind", pa.string()), ("hashed", pa.string()), ("since", TIMESTAMP), ("until", TIMESTAMP)])
MATCHED: Final = """
    WITH concerned AS (
        SELECT DISTINCT visitor_id FROM candidates SEMI JOIN forgotten ON kind = 'customer' AND hashed = customer_id
    ), owned AS (
        SELECT candidates.rowid AS id, coalesce(
            last_value(customer_id IGNORE NULLS) OVER (stream ROWS UNBOUNDED PRECEDING),
            first_value(customer_id IGNORE NULLS) OVER (stream ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)
            ) AS owner
        FROM candidates SEMI JOIN concerned USING (visitor_id)
        WINDOW stream AS (PARTITION BY visitor_id ORDER BY ts, event_id)
    )
    SELECT id FROM owned SEMI JOIN forgotten ON kind = 'customer' AND hashed = owner
    UNION
    SELECT candidates.rowid FROM candidates SEMI JOIN forgotten ON kind = 'visitor' AND hashed = visitor_id
        AND (since IS NULL OR ts >= since) AND (until IS NULL OR ts < until)
"""
"""SQL: the ``id`` of the rows of ``candidates`` that the table ``forgotten`` leaves out."""


@dataclass(frozen=True, order=True)
class Line:
    """One line of the list; an open side of a visitor's time is None."""

    kind: Literal["customer", "visitor"]
    hashed: str
    since: datetime | None = None
    until: datetime | None = None

    def __str__(self) -> str:
        sides = [side.astimezone(UTC).isoformat() if side else "-" for side in (self.since, self.until)]
        return " ".join([self.kind, self.hashed, *(sides if self.kind == "visitor" else [])])


def read(path: Path) -> list[Line]:
    """Returns the lines of the list; none where there is no list.

    Raises:
        ParamsError: a line is not one that ``forget`` writes: leaving it out would bring somebody back.
    """
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    found = [(number, line.split()) for number, line in enumerate(lines, 1) if line.strip() and line[0] != "#"]
    return [_parsed(words, f"{path.name}, line {number}") for number, words in found]


def text(lines: Iterable[Line]) -> str:
    """Returns the content of the list."""
    return HEADER + "".join(f"{line}\n" for line in sorted({str(line) for line in lines}))


def fill(connection: duckdb.DuckDBPyConnection, lines: Iterable[Line]) -> None:
    """Makes the table ``forgotten``."""
    columns = [[getattr(line, name) for line in lines] for name in SCHEMA.names]
    connection.register("listed", pa.table(columns, schema=SCHEMA))
    connection.execute("CREATE OR REPLACE TEMP TABLE forgotten AS FROM listed")
    connection.unregister("listed")


def find(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Drops the rows of everybody whom the list at ``path`` names, by the rule ``forgotten``."""
    lines = read(path)
    if lines:
        fill(connection, lines)
        connection.execute(
            f"INSERT INTO dropped SELECT id, 'filtered', 'forgotten' FROM ({MATCHED}) ANTI JOIN dropped USING (id)"
        )


def _parsed(words: list[str], where: str) -> Line:
    try:
        kind, hashed, *sides = words
        since, until = ((None if side == "-" else datetime.fromisoformat(side)) for side in (sides or ["-", "-"]))
        if kind == "customer" and not sides:
            return Line("customer", hashed)
        if kind == "visitor":
            return Line("visitor", hashed, since, until)
    except ValueError:
        pass
    raise ParamsError(
        f"{where}: expected `customer HASH` or `visitor HASH FROM TO` as `forget` writes it: restore the file"
    )
