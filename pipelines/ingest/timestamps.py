"""Times as SQL: text in the source's way of writing them to an instant, and null for whatever is not one."""

from typing import Final

import duckdb

from pipelines.errors import SourceError
from pipelines.ingest.formats.rows import literal
from pipelines.params import Source

EPOCHS: Final = {"epoch_s": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}  # microseconds a unit
ISO: Final = r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?(?:Z|UTC|[+-]\d{2}(?::?\d{2})?))?)?"
ZONED: Final = r"(?:Z|UTC|:\d{2}(?:\.\d+)? ?[+-]\d{2}(?::?\d{2})?)$"
PLAUSIBLE: Final = "BETWEEN TIMESTAMPTZ '1990-01-01 00:00:00Z' AND TIMESTAMPTZ '2100-01-01 00:00:00Z'"
"""Other times come from a dead clock or a wrong unit (seconds read as milliseconds): they count as not parsed."""


def plausible(column: str) -> str:
    """Returns the SQL of the TIMESTAMPTZ ``column``, null where it cannot be meant."""
    return f"CASE WHEN {column} {PLAUSIBLE} THEN {column} END"


def instant(column: str, source: Source) -> str:
    """Returns the SQL that turns the text ``column`` into a TIMESTAMPTZ, plausible or not, or null.

    It is dear, so name its result once: DuckDB would compute it once for each time that a CASE names it.
    """
    zone = literal(source.timezone or "UTC")
    if source.timestamp_format is None:
        zoned = f"TRY_CAST({column} AS TIMESTAMPTZ)"
        local = f"timezone({zone}, TRY_CAST({column} AS TIMESTAMP))"
        parsed = (
            f"CASE WHEN regexp_full_match({column}, '{ISO}') THEN "
            f"CASE WHEN regexp_matches({column}, '{ZONED}') THEN {zoned} ELSE {local} END END"
        )
    elif source.timestamp_format in EPOCHS:
        micros = f"TRY_CAST({column} AS DECIMAL(30, 6)) * {EPOCHS[source.timestamp_format]}"
        parsed = f"make_timestamptz(TRY_CAST(round({micros}) AS BIGINT))"
    else:
        parsed = f"try_strptime({column}, {literal(source.timestamp_format)})"
        if "%z" not in source.timestamp_format and "%Z" not in source.timestamp_format:
            parsed = f"timezone({zone}, {parsed})"
    return parsed


def check(connection: duckdb.DuckDBPyConnection, source: Source) -> None:
    """Refuses a ``timezone`` or ``timestamp_format`` that cannot be used, before any row is read."""
    zones = connection.execute("SELECT count(*) FROM pg_timezone_names() WHERE name = ?", [source.timezone or "UTC"])
    if zones.fetchall() == [(0,)]:
        raise SourceError(
            "ingest.sources: `timezone` is no IANA time zone; expected a name such as Europe/Berlin or UTC"
        )
    if source.timestamp_format is None or source.timestamp_format in EPOCHS:
        return
    try:
        connection.execute("SELECT try_strptime('', $1)", [source.timestamp_format]).fetchall()
        usable = "%" in source.timestamp_format
    except duckdb.Error:
        usable = False
    if not usable:
        raise SourceError(
            "ingest.sources: `timestamp_format` is neither epoch_s, epoch_ms, epoch_us nor a strptime format such as "
            "'%d/%m/%Y %H:%M:%S'; leave it out for ISO 8601"
        )
