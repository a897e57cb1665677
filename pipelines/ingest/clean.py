"""From raw fields to clean events: the SQL that all formats share, over one block of rows at a time.

What is costly (templates of URLs, scrubbing, keyed hashes) is done once a distinct value of the block, not once a row.
"""

from collections.abc import Collection, Sequence
from typing import Final

import duckdb

from pipelines.ingest import bots, scrub, timestamps
from pipelines.ingest.formats import FORMATS
from pipelines.ingest.formats.rows import FIELDS, RawRows, as_text, literal, several_origins, which_origin
from pipelines.params import Source, Window
from pipelines.schemas import CHANNELS, EVENTS

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
PAYLOAD: Final = tuple(name for name in FIELDS if name not in ("event_id", "received_ts"))
"""What must agree for two rows with one id to be the same event: a repeated delivery has a later ``received_ts``."""
SAFE_ID: Final = "[A-Za-z0-9_.:-]{1,64}"

TABLES: Final = f"""
CREATE TABLE candidates (file UINTEGER, line BIGINT, has_id BOOLEAN, has_clock BOOLEAN, declared_bot BOOLEAN,
    payload UBIGINT,
    {", ".join(f"{name} {'TIMESTAMPTZ' if name in ('ts', 'received_ts') else 'VARCHAR'}" for name in EVENTS.names)});
CREATE TABLE rejected (file UINTEGER, line BIGINT, reason VARCHAR, structure VARCHAR);
CREATE TABLE rows_read (file UINTEGER, n BIGINT);
CREATE TABLE outcomes (file UINTEGER, outcome VARCHAR, name VARCHAR, n BIGINT);
CREATE TABLE finds (file UINTEGER, kind VARCHAR, n BIGINT);
CREATE TABLE present (file UINTEGER, field VARCHAR, n BIGINT);
CREATE TABLE corrected (file UINTEGER, rule VARCHAR, n BIGINT);
CREATE TABLE untrusted (position BIGINT, rule VARCHAR, share DOUBLE);
"""
"""All that a run gathers. A row ends in ``candidates``, or in ``rejected``, or is only counted, in ``outcomes``."""

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
        self._scrub()
        changed = self._fields("clean IS DISTINCT FROM value OR field = 'path'")
        self._connection.execute(_candidates(changed, form.has_clock))
        for statement in (*COUNTS, *_finds(self._fields("clean <> plain"))):
            self._connection.execute(statement)
        self._connection.unregister("raw_rows")

    def _scrub(self) -> None:
        """Makes ``lookup``: the distinct values of the block, how they are stored, and in between, ``plain``."""
        for name, query in (("field_values", _values()), ("field_plain", _plain()), ("suspects", SUSPECTS)):
            self._make(name, query)
        if self._connection.execute("SELECT count(*) FROM suspects").fetchall() == [(0,)]:
            self._make("scrubbed", "SELECT *, plain AS clean FROM suspects")
        else:
            for name, query in scrub.steps("suspects"):
                self._make(name, query)
        self._make("lookup", LOOKUP)

    def _fields(self, condition: str) -> list[str]:
        found = self._connection.execute(f"SELECT DISTINCT field FROM lookup WHERE {condition} ORDER BY 1")
        return [name for (name,) in found.fetchall()]

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


def _finds(fields: Sequence[str]) -> list[str]:
    """SQL: counts the personal data that were found in ``fields``, by file and kind."""
    if not fields:
        return []
    marks = [f"[{kind}]" for kind in scrub.KINDS]
    rows = " UNION ALL ".join(
        f"SELECT file, '{field}' AS field, {VALUES[field]} AS value FROM parsed WHERE reason IS NULL AND rule IS NULL"
        for field in fields
    )
    return [
        f"""INSERT INTO finds SELECT file, kind, sum(times) FROM (
            SELECT file, unnest({[*scrub.KINDS]}) AS kind, unnest(list_transform({marks},
                lambda mark: occurrences(clean, mark) - occurrences(plain, mark))) AS times
            FROM ({rows}) JOIN (FROM lookup WHERE clean <> plain) USING (field, value)) GROUP BY ALL"""
    ]


def _candidates(changed: Collection[str], has_clock: bool) -> str:
    """The rows that nothing rejects or leaves out, with what ``lookup`` replaces, replaced."""
    clean = {name: f"coalesce(new_{name}.clean, parsed.{name})" if name in changed else name for name in TEXTS}
    if "path" in changed:
        clean["page"] = f"coalesce(new_path.clean, {clean['page']})"
    joins = " ".join(
        f"LEFT JOIN lookup new_{name} ON new_{name}.field = '{name}' AND new_{name}.value = {VALUES[name]}"
        for name in sorted(changed)
    )
    is_safe = f"regexp_full_match(event_id, '{SAFE_ID}')" + (
        " AND new_event_id.clean IS NULL" if "event_id" in changed else ""
    )
    payload = ", ".join(f"coalesce({name}, chr(30))" for name in PAYLOAD)
    return f"""
        INSERT INTO candidates (file, line, has_id, has_clock, declared_bot, payload, event_id, visitor_id,
            customer_id, ts, received_ts, channel, {", ".join(TEXTS)})
        SELECT parsed.file, line, event_id IS NOT NULL, {has_clock}, coalesce(agents.is_bot, false),
            hash({", ".join(PAYLOAD)}),
            CASE WHEN event_id IS NULL THEN keyed_hash('payload', concat_ws(chr(31), {payload}))
                 WHEN {is_safe} THEN event_id ELSE keyed_hash('event', event_id) END,
            visitors.hashed, customers.hashed, instant, received, channel, {", ".join(clean[name] for name in TEXTS)}
        FROM parsed JOIN visitors ON visitors.value = visitor_id LEFT JOIN customers ON customers.value = customer_id
            LEFT JOIN agents ON agents.value = user_agent {joins}
        WHERE reason IS NULL AND rule IS NULL"""


def _outside(window: Window) -> str:
    """SQL: the event lies outside the window; a time without a zone is UTC."""
    sides = [("<", window.from_), (">=", window.to)]
    return (
        " OR ".join(f"instant {sign} '{bound}'::TIMESTAMPTZ" for sign, bound in sides if bound is not None) or "false"
    )
