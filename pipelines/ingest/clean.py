"""From raw fields to clean events: the SQL that all formats share, over one block of rows at a time.

What is costly (templates of URLs, scrubbing, keyed hashes) is done once a distinct value of the block, not once a row.
"""

from collections.abc import Collection, Sequence
from typing import Final

import duckdb

from pipelines.ingest import bots, lookup, timestamps
from pipelines.ingest.formats import FORMATS
from pipelines.ingest.formats.rows import FIELDS, RawRows, as_text, literal, several_origins, which_origin
from pipelines.params import Source, Window
from pipelines.schemas import CHANNELS, EVENTS

PAYLOAD: Final = tuple(name for name in FIELDS if name not in ("event_id", "received_ts"))
"""What must agree for two rows with one id to be the same event: a repeated delivery has a later ``received_ts``."""
SAFE_ID: Final = "[A-Za-z0-9_.:-]{1,64}"
SHARED: Final = {
    "places": ("url", "title", "text"), "origins": ("referrer", "source", "medium", "campaign"),
    "devices": ("device", "os", "browser", "region"),
}  # fmt: skip
"""Columns that repeat together: a candidate names its row of these tables, and takes half of the memory."""
OWN: Final = tuple(name for name in EVENTS.names if not any(name in columns for columns in SHARED.values()))

TABLES: Final = f"""
CREATE TABLE candidates (file UINTEGER, line BIGINT, has_id BOOLEAN, has_clock BOOLEAN, declared_bot BOOLEAN,
    payload UBIGINT, {", ".join(f"{table}_id BIGINT" for table in SHARED)},
    {", ".join(f"{name} {'TIMESTAMPTZ' if name in ('ts', 'received_ts') else 'VARCHAR'}" for name in OWN)});
CREATE SEQUENCE shared_id;
{
    "".join(
        f"CREATE TABLE {table} ({table}_id BIGINT, {', '.join(f'{name} VARCHAR' for name in columns)});"
        for table, columns in SHARED.items()
    )
}
CREATE VIEW candidate_events AS
    SELECT * FROM candidates {" ".join(f"JOIN {table} USING ({table}_id)" for table in SHARED)};
CREATE TABLE rejected (file UINTEGER, line BIGINT, reason VARCHAR, structure VARCHAR);
CREATE TABLE rows_read (file UINTEGER, n BIGINT);
CREATE TABLE outcomes (file UINTEGER, outcome VARCHAR, name VARCHAR, n BIGINT);
CREATE TABLE finds (file UINTEGER, kind VARCHAR, n BIGINT);
CREATE TABLE present (file UINTEGER, field VARCHAR, n BIGINT);
CREATE TABLE corrected (file UINTEGER, rule VARCHAR, n BIGINT);
CREATE TABLE untrusted (position BIGINT, rule VARCHAR, share DOUBLE);
"""
"""All that a run gathers. A row ends in ``candidates``, or in ``rejected``, or is only counted, in ``outcomes``.

The view ``candidate_events`` has all columns of an event."""

VISITORS: Final = "SELECT visitor_id AS value, keyed_hash('visitor', visitor_id) AS hashed FROM parsed GROUP BY ALL"
CUSTOMERS: Final = "SELECT customer_id AS value, keyed_hash('customer', customer_id) AS hashed FROM parsed GROUP BY ALL"
AGENTS: Final = f"SELECT user_agent AS value, {bots.DECLARED} AS is_bot FROM parsed GROUP BY ALL"
COUNTS: Final = (
    "INSERT INTO rows_read SELECT file, count(*) FROM parsed GROUP BY file",
    """INSERT INTO outcomes SELECT file, CASE WHEN reason IS NOT NULL THEN 'quarantined'
        WHEN rule IS NOT NULL THEN 'filtered' ELSE 'candidate' END, coalesce(reason, rule, ''), count(*)
        FROM parsed GROUP BY ALL""",
    f"""INSERT INTO present SELECT file, field, n FROM (UNPIVOT (
        SELECT file, count(*) AS all_rows, {", ".join(f"count({name}) AS {name}" for name in FIELDS)}
        FROM parsed WHERE problem IS NULL GROUP BY file) ON * EXCLUDE (file) INTO NAME field VALUE n)""",
    "INSERT INTO rejected SELECT file, line, reason, structure FROM parsed WHERE reason IS NOT NULL",
)


class Cleaner:
    """Cleans blocks of one connection, whose macros and tables are in place."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, window: Window) -> None:
        self._connection = connection
        self._outside = _outside(window)

    def add(self, raw: RawRows, source: Source) -> None:
        """Adds the rows of ``raw``, which name their file, to the tables."""
        form = FORMATS[source.format]
        source = source.model_copy(update={"timestamp_format": source.timestamp_format or form.timestamp_format})
        self._connection.register("raw_rows", raw.rows)
        self._make("parsed", _parsed(raw, source, self._outside if form.has_clock else "false"))
        for name, query in (("visitors", VISITORS), ("customers", CUSTOMERS), ("agents", AGENTS)):
            self._make(name, query)
        lookup.make(self._connection)
        changed = lookup.fields(self._connection)
        for table, columns in SHARED.items():
            self._make(f"new_{table}", _shared(table, columns, changed))
            clean = ", ".join(f"clean_{name}" for name in columns)
            self._connection.execute(f"INSERT INTO {table} SELECT {table}_id, {clean} FROM new_{table}")
        self._connection.execute(_candidates(changed, form.has_clock))
        for statement in COUNTS:
            self._connection.execute(statement)
        lookup.count_finds(self._connection)
        self._connection.unregister("raw_rows")

    def _make(self, name: str, query: str) -> None:
        self._connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {query}")


def _parsed(raw: RawRows, source: Source, outside: str) -> str:
    """One row a raw row: fields, parsed times, the first reason against it or the first rule that leaves it out."""
    mapped = {*raw.fields, *(source.constants or {})}
    channel = "lower(channel)" if "channel" in mapped else "'web'"
    event_type = "event_type" if "event_type" in mapped else "'page_view'"
    channels = ", ".join(f"'{channel}'" for channel in CHANNELS)
    shown = ", ".join(f"'{name}=' || form({name})" for name in ("ts", "received_ts", "channel"))
    return f"""
        SELECT * EXCLUDE (structure, rule, known_channel, known_type) REPLACE (known_channel AS channel,
                known_type AS event_type),
            CASE WHEN problem IS NOT NULL THEN structure WHEN reason IS NOT NULL THEN concat_ws(' ', {shown}) END
                AS structure,
            CASE WHEN reason IS NULL THEN CASE WHEN rule IS NOT NULL THEN rule
                WHEN {outside} THEN 'window' END END AS rule
        FROM (SELECT *, CASE WHEN problem IS NOT NULL THEN problem
                WHEN rule IS NOT NULL THEN NULL
                WHEN visitor_id IS NULL THEN 'missing_visitor_id'
                WHEN ts IS NULL THEN 'missing_ts'
                WHEN instant IS NULL THEN 'bad_timestamp'
                WHEN received_ts IS NOT NULL AND received IS NULL THEN 'bad_received_ts'
                WHEN known_channel IS NULL THEN 'missing_channel'
                WHEN known_channel NOT IN ({channels}) THEN 'bad_channel'
                WHEN known_type IS NULL THEN 'missing_event_type'
                WHEN properties IS NOT NULL AND NOT json_valid(properties) THEN 'bad_properties' END AS reason
            FROM (SELECT * REPLACE ({timestamps.plausible("instant")} AS instant,
                    {timestamps.plausible("received")} AS received)
                FROM (SELECT *, {timestamps.instant("ts", source)} AS instant,
                        {timestamps.instant("received_ts", source)} AS received,
                        {channel} AS known_channel, {event_type} AS known_type
                    FROM ({_fields(raw, source)}))))"""


def _fields(raw: RawRows, source: Source) -> str:
    """One row a raw row: the canonical fields as text; empty is absent."""
    expressions = dict(raw.fields) | {name: literal(value) for name, value in (source.constants or {}).items()}
    columns = ", ".join(
        [f"{as_text(expressions.get(name, 'NULL'))} AS {name}" for name in FIELDS]
        + [f"{which_origin(origins)} AS origin_{name}" for name, origins in several_origins(raw).items()]
    )
    problems = " ".join(f"WHEN {condition} THEN '{reason}'" for reason, condition in raw.problems.items())
    rules = " ".join(f"WHEN {condition} THEN '{name}'" for name, condition in raw.rules.items())
    return f"""SELECT file, line, {columns}, problem, rule,
            CASE WHEN problem IS NOT NULL THEN {raw.excerpt} END AS structure
        FROM (SELECT * REPLACE (CASE WHEN problem IS NOT NULL THEN problem {problems or "ELSE NULL"} END AS problem),
                CASE {rules or "WHEN false THEN ''"} END AS rule
            FROM {raw.relation})"""


def _replaced(names: Collection[str], changed: Collection[str], rows: str) -> tuple[dict[str, str], str]:
    """SQL of the clean form of columns ``names`` of ``rows``, by name, and the joins with ``lookup`` that it takes."""
    clean = {name: f"coalesce(new_{name}.clean, {rows}.{name})" if name in changed else name for name in names}
    if "page" in names and "path" in changed:
        clean["page"] = f"coalesce(new_path.clean, {clean['page']})"
    fields = [name for name in sorted(changed) if name in names or (name == "path" and "page" in names)]
    joins = (
        f"LEFT JOIN lookup new_{name} ON new_{name}.field = '{name}' AND new_{name}.value = {lookup.VALUES[name]}"
        for name in fields
    )
    return clean, " ".join(joins)


def _shared(table: str, columns: Sequence[str], changed: Collection[str]) -> str:
    """The distinct rows of ``columns``, numbered: as they came (``raw_``), and as they are stored (``clean_``)."""
    clean, joins = _replaced(columns, changed, "parsed_rows")
    kept = ", ".join(f"parsed_rows.{name} AS raw_{name}, {clean[name]} AS clean_{name}" for name in columns)
    return f"""SELECT nextval('shared_id') AS {table}_id, {kept} FROM (
            SELECT DISTINCT {", ".join(columns)} FROM parsed WHERE reason IS NULL AND rule IS NULL) AS parsed_rows
        {joins}"""


def _candidates(changed: Collection[str], has_clock: bool) -> str:
    """The rows that nothing rejects or leaves out, with what ``lookup`` replaces, replaced."""
    texts = [name for name in lookup.TEXTS if name in OWN]
    numbers = [f"{table}_id" for table in SHARED]
    clean, joins = _replaced(("event_id", *texts), changed, "parsed")
    joins += " ".join(
        f" JOIN new_{table} ON "
        + " AND ".join(f"parsed.{name} IS NOT DISTINCT FROM new_{table}.raw_{name}" for name in columns)
        for table, columns in SHARED.items()
    )
    is_safe = f"regexp_full_match(event_id, '{SAFE_ID}')" + (
        " AND new_event_id.clean IS NULL" if "event_id" in changed else ""
    )
    payload = ", ".join(f"coalesce({name}, chr(30))" for name in PAYLOAD)
    return f"""
        INSERT INTO candidates (file, line, has_id, has_clock, declared_bot, payload, event_id, visitor_id,
            customer_id, ts, received_ts, channel, {", ".join([*numbers, *texts])})
        SELECT parsed.file, line, event_id IS NOT NULL, {has_clock}, coalesce(agents.is_bot, false),
            hash({", ".join(PAYLOAD)}),
            CASE WHEN event_id IS NULL THEN keyed_hash('payload', concat_ws(chr(31), {payload}))
                 WHEN {is_safe} THEN event_id ELSE keyed_hash('event', event_id) END,
            visitors.hashed, customers.hashed, instant, received, channel,
            {", ".join([*numbers, *(clean[name] for name in texts)])}
        FROM parsed JOIN visitors ON visitors.value = visitor_id LEFT JOIN customers ON customers.value = customer_id
            LEFT JOIN agents ON agents.value = user_agent {joins}
        WHERE reason IS NULL AND rule IS NULL"""


def _outside(window: Window) -> str:
    """SQL: the event lies outside the window; a time without a zone is UTC."""
    sides = [("<", window.from_), (">=", window.to)]
    return (
        " OR ".join(f"instant {sign} '{bound}'::TIMESTAMPTZ" for sign, bound in sides if bound is not None) or "false"
    )
