"""What every format hands on: a block of raw rows, and how DuckDB reads the canonical fields out of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa

from pipelines.errors import SourceError
from pipelines.ingest.files import SourceFile
from pipelines.schemas import EVENTS

FIELDS: Final = (*EVENTS.names, "user_agent")
"""The canonical names a source may be mapped to; ``user_agent`` is read by the bot rule and kept in no table."""

NAME: Final = re.compile(r"(?!.*\d{4})[^\W\d][\w.$:/ -]{0,63}")

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
    """

    rows: pa.Table
    fields: Mapping[str, str]
    excerpt: str
    relation: str = "raw_rows"
    problems: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] | None = ()
    last_line: int = 0

    @property
    def sql(self) -> tuple[object, ...]:
        """All of the SQL: blocks in which it is the same may be read together."""
        return (self.fields, self.excerpt, self.relation, self.problems, self.rules)


def literal(text: str) -> str:
    """Returns ``text`` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Returns ``name`` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def names_of(header: list[str]) -> list[str]:
    """Returns the column names of a header line."""
    return [name.strip() for name in header]


def required_columns(file: SourceFile, columns: Mapping[str, str], found: list[str]) -> tuple[str, ...]:
    """Returns the mapped columns that ``found`` lacks.

    Raises:
        SourceError: the column of the visitor, or of the time, is among them.
    """
    missing = tuple(sorted(column for column in columns.values() if column not in found))
    for name in ("visitor_id", "ts"):
        if columns.get(name) in missing:
            raise SourceError(
                f"{file.name}: column `{columns[name]}`, mapped to {name}, is missing; found {listed(found)}: "
                "correct `columns` in ingest.sources"
            )
    return missing


def listed(names: list[str]) -> str:
    """Returns column names for a message; where one looks like a value, a row of data stands in the header's place."""
    if not names or not all(NAME.fullmatch(name) for name in names):
        return "no column names, but what looks like data"
    return "columns " + ", ".join(names[:60])
