"""What is replaced by what in a block: places by their clean form, personal data by its kind; once a distinct value."""

from collections.abc import Sequence
from typing import Final

import duckdb

from pipelines.ingest import scrub

TEXTS: Final = (
    "event_type", "page", "url", "title", "text", "element", "query", "referrer", "source", "medium", "campaign",
    "device", "os", "browser", "region", "properties",
)  # fmt: skip
"""The columns that may hold personal data: all that are neither times, nor hashed, nor one of two channels."""
PLACES: Final = {
    "clean_url(value)": ("url", "referrer"), "page_template(value)": ("page",), "page_of_url(value)": ("path",),
}  # fmt: skip
"""What becomes of the columns that name a place; ``path`` is the page behind a URL, where the source names none."""
VALUES: Final = {name: name for name in ("event_id", *TEXTS)} | {"path": "CASE WHEN page IS NULL THEN url END"}
"""What may have to be replaced: SQL by field."""


def make(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes ``lookup`` of ``parsed``: what is stored otherwise, ``clean``, and what it is in between, ``plain``."""
    for name, query in (("field_values", _values()), ("field_plain", _plain()), ("suspects", SUSPECTS)):
        _make(connection, name, query)
    if connection.execute("SELECT count(*) FROM suspects").fetchall() == [(0,)]:
        _make(connection, "scrubbed", "SELECT *, plain AS clean FROM suspects")
    else:
        for name, query in scrub.steps("suspects"):
            _make(connection, name, query)
    _make(connection, "lookup", LOOKUP)


def fields(connection: duckdb.DuckDBPyConnection, condition: str = "true") -> list[str]:
    """Returns the fields of which ``lookup`` holds values that meet the condition."""
    found = connection.execute(f"SELECT DISTINCT field FROM lookup WHERE {condition} ORDER BY 1")
    return [name for (name,) in found.fetchall()]


def count_finds(connection: duckdb.DuckDBPyConnection) -> None:
    """Counts the personal data that were found, by file and kind, in ``finds``."""
    if found := fields(connection, "clean <> plain"):
        connection.execute(_finds(found))


def _values() -> str:
    """The distinct values of a block that may have to be replaced."""
    # One scan a column, each of which reads that column only, is far cheaper than one that gathers them by row. Only
    # of ids it pays to look at each before the distinct ones are found: they are distinct.
    return " UNION ALL ".join(
        f"SELECT '{field}' AS field, {value} AS value FROM parsed WHERE reason IS NULL AND rule IS NULL AND "
        + (f"is_suspect({value})" if field == "event_id" else f"{value} IS NOT NULL GROUP BY ALL")
        for field, value in VALUES.items()
    )


def _plain() -> str:
    """The same, places in their clean form."""
    forms = " ".join(f"WHEN field IN {(*fields, '')} THEN {expression}" for expression, fields in PLACES.items())
    return f"SELECT *, CASE {forms} ELSE value END AS plain FROM field_values"


SUSPECTS: Final = "SELECT DISTINCT field, plain FROM field_plain WHERE is_suspect(plain)"
LOOKUP: Final = """SELECT field, value, plain, coalesce(clean, plain) AS clean
    FROM field_plain LEFT JOIN scrubbed USING (field, plain)
    WHERE coalesce(clean, plain) IS DISTINCT FROM value OR field = 'path'"""


def _finds(fields: Sequence[str]) -> str:
    marks = [f"[{kind}]" for kind in scrub.KINDS]
    rows = " UNION ALL ".join(
        f"SELECT file, '{field}' AS field, {VALUES[field]} AS value FROM parsed WHERE reason IS NULL AND rule IS NULL"
        for field in fields
    )
    return f"""INSERT INTO finds SELECT file, kind, sum(times) FROM (
            SELECT file, unnest({[*scrub.KINDS]}) AS kind, unnest(list_transform({marks},
                lambda mark: occurrences(clean, mark) - occurrences(plain, mark))) AS times
            FROM ({rows}) JOIN (FROM lookup WHERE clean <> plain) USING (field, value)) GROUP BY ALL"""


def _make(connection: duckdb.DuckDBPyConnection, name: str, query: str) -> None:
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {query}")
