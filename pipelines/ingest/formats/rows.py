"""What every format hands on: a block of raw rows, and how DuckDB reads the canonical fields out of it."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import duckdb
import pyarrow as pa

from pipelines.errors import SourceError
from pipelines.ingest.files import SourceFile
from pipelines.schemas import EVENTS

FIELDS: Final = (*EVENTS.names, "user_agent")
"""The canonical names a source may be mapped to; ``user_agent`` is read by the bot rule and kept in no table."""

NAME: Final = re.compile(r"(?!.*\d{4})[^\W\d][\w.$:/ -]{0,63}")

MOST_SIBLINGS: Final = 8  # new fields of one object that a release of a tracker brings at once

STRUCTURE: Final = "regexp_replace(regexp_replace(left({text}, 400), '\\pL', 'x', 'g'), '\\pN', '9', 'g')"
"""SQL: what a text looks like without what it says. For rows that cannot be taken apart nobody can tell which part
is personal, so their excerpt shows letters as x and digits as 9; file and line name the row itself."""


@dataclass(frozen=True)
class RawRows:
    """A block of a file's rows.

    Attributes:
        rows: one row a data row; ``line`` (1-based), ``problem`` (the reason why it cannot be read, or null), and
            whatever the SQL below reads. Queried under the name ``raw_rows``.
        fields: canonical name -> SQL over the columns of ``relation``; a field that is not named is null.
        excerpt: SQL; the row as shown in quarantine when ``problem`` is set.
        relation: SQL; the table that the other SQL reads, ``raw_rows`` or a subquery over it.
        problems: reason -> SQL condition that holds for rows to quarantine.
        rules: name -> SQL condition that holds for rows to leave out, such as a log's requests for images.
        missing: mapped columns that the file's header lacks; null where there is no header, and rows must tell.
        last_line: number of the last line so far.
        mapping: canonical name -> source columns, the preferred first; empty for formats that need none.
        origins: canonical name -> source column -> SQL of its value, of those columns of ``mapping`` that may hold one.
        columns: what the file's header, or its first rows, show, whether mapped or not.
    """

    rows: pa.Table
    fields: Mapping[str, str]
    excerpt: str
    relation: str = "raw_rows"
    problems: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] | None = ()
    last_line: int = 0
    mapping: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    origins: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    columns: tuple[str, ...] = ()

    @property
    def sql(self) -> tuple[object, ...]:
        """All of the SQL: blocks in which it is the same may be read together."""
        return (self.fields, self.excerpt, self.relation, self.problems, self.rules, self.origins)


def several_origins(raw: RawRows) -> dict[str, Mapping[str, str]]:
    """Returns the canonical names that several source columns may give, as ``origins``."""
    return {name: columns for name, columns in raw.origins.items() if len(columns) > 1}


def which_origin(columns: Mapping[str, str]) -> str:
    """SQL: the position in ``columns`` of the first that holds a value."""
    cases = " ".join(f"WHEN {as_text(place)} IS NOT NULL THEN {i}" for i, place in enumerate(columns.values()))
    return f"(CASE {cases} END)::UTINYINT"


def count_origins(connection: duckdb.DuckDBPyConnection, raw: RawRows) -> dict[tuple[int, str, str], int]:
    """Returns rows by (file, canonical name, source column), for the names that several columns of ``raw`` may give.

    ``raw`` was cleaned just now, so that ``parsed`` tells.
    """
    places = [(name, column) for name, columns in several_origins(raw).items() for column in columns]
    if not places:
        return {}
    positions = [i for columns in several_origins(raw).values() for i in range(len(columns))]
    counts = [f"count(*) FILTER (WHERE origin_{name} = {i})" for (name, _), i in zip(places, positions, strict=True)]
    found = connection.execute(
        f"SELECT file, {', '.join(counts)} FROM parsed WHERE problem IS NULL GROUP BY file"
    ).fetchall()
    return {(file, name, column): n for file, *row in found for (name, column), n in zip(places, row, strict=True)}


def literal(text: str) -> str:
    """Returns ``text`` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Returns ``name`` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def names_of(header: list[str]) -> list[str]:
    """Returns the column names of a header line."""
    return [name.strip() for name in header]


def first_of(expressions: Collection[str]) -> str:
    """SQL: the first of ``expressions`` that holds a value, as text; empty is absent."""
    if len(expressions) == 1:
        return next(iter(expressions))
    return f"coalesce({', '.join(map(as_text, expressions))})"


def as_text(expression: str) -> str:
    """SQL: what ``expression`` holds, as text; empty is absent."""
    return f"nullif(({expression})::VARCHAR, '')"


def is_read(column: str, mapping: Mapping[str, Sequence[str]]) -> bool:
    """Whether ``mapping`` reads ``column``, or a nested column that holds it."""
    return any(f"{column}.".startswith(f"{mapped}.") for columns in mapping.values() for mapped in columns)


def shown_path(column: str) -> str:
    """Returns ``column``, from its first part that looks like a value as `…`: some trackers write values as keys."""
    parts = column.split(".")
    n_names = next((i for i, part in enumerate(parts) if not NAME.fullmatch(part)), len(parts))
    return ".".join([*parts[:n_names], *["…"][: len(parts) - n_names]])


def grouped(columns: Sequence[str]) -> list[str]:
    """Returns ``columns``, many siblings as one `…`: their names are rather keys of a table than fields."""
    parents = [column.rpartition(".")[0] for column in columns]
    many = {parent for parent, n in Counter(parents).items() if parent and n > MOST_SIBLINGS}
    shown = (f"{parent}.…" if parent in many else column for parent, column in zip(parents, columns, strict=True))
    return list(dict.fromkeys(shown))


def either(columns: Sequence[str]) -> str:
    """Returns the source columns of a canonical name for a message."""
    return " or ".join(f"`{column}`" for column in columns)


def required_columns(file: SourceFile, mapping: Mapping[str, Sequence[str]], found: list[str]) -> tuple[str, ...]:
    """Returns the source columns of every canonical name that no column of ``found`` can give.

    Raises:
        SourceError: the visitor, or the time, is among these names.
    """
    absent = {name: columns for name, columns in mapping.items() if not {*columns} & {*found}}
    for name in ("visitor_id", "ts"):
        if name in absent:
            raise SourceError(
                f"{file.name}: column {either(absent[name])}, mapped to {name}, is missing; found {listed(found)}: "
                "correct `columns` in ingest.sources"
            )
    return tuple(sorted({column for columns in absent.values() for column in columns}))


def listed(names: list[str]) -> str:
    """Returns column names for a message; where one looks like a value, a row of data stands in the header's place."""
    if not names or not all(NAME.fullmatch(name) for name in names):
        return "no column names, but what looks like data"
    return "columns " + ", ".join(names[:60])
