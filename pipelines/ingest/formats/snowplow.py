"""Snowplow's canonical event table (``atomic.events``) as JSON lines, CSV or Parquet, under its column names.

``unstruct_event`` and ``contexts`` are self-describing JSON, or wide columns of the loaders
(``unstruct_event_<vendor>_<name>_<version>``). An event's own data, or its ``se_`` fields, become ``properties``;
contexts are read for the visitor of a mobile device (``client_session``) only, since they are full of identifiers.

Left out: ``page_ping`` (a heartbeat of an open page), ``transaction_item`` (a line of a transaction that is an event
itself), and ``server_side`` (platform ``srv`` without a visitor).

Source: docs.snowplow.io, canonical event (the 131 columns of atomic.events) and tracker protocol (platforms). Made from
the public schema; never checked against a real file.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from pipelines.ingest.files import SourceFile
from pipelines.ingest.formats import tracker
from pipelines.ingest.formats.rows import RawRows, as_text
from pipelines.params import Source

COLUMNS: Final[tracker.Columns] = {
    "event_id": ("event_id",),
    "visitor_id": ("domain_userid", "network_userid"),
    "customer_id": ("user_id",),
    "ts": ("derived_tstamp", "collector_tstamp"),  # the first is the device's time, corrected by the collector's
    "received_ts": ("collector_tstamp",),
    "channel": ("platform",),
    "event_type": ("event_name", "event"),
    "url": ("page_url",),
    "title": ("page_title",),
    "element": ("se_label",),
    "referrer": ("page_referrer",),
    "source": ("mkt_source",),
    "medium": ("mkt_medium",),
    "campaign": ("mkt_campaign",),
    "device": ("dvce_type",),
    "os": ("os_name", "os_family"),
    "browser": ("br_name", "br_family"),
    "region": ("geo_region_name", "geo_region", "geo_country"),
    "user_agent": ("useragent",),
}
STRUCTURED: Final = ("se_category", "se_action", "se_label", "se_property", "se_value")
SESSION_CONTEXT: Final = "contexts_com_snowplowanalytics_snowplow_client_session_1"
OWN: Final = ("event", "platform", "unstruct_event", "contexts", SESSION_CONTEXT, "domain_sessionid", *STRUCTURED)
WIDE: Final = "unstruct_event_"
APPS: Final = "'mob', 'app', 'pc', 'tv', 'cnsl', 'iot', 'headset'"
"""Platforms of the tracker protocol that are programs of their own; `web` and `srv` are the others."""


def read(file: SourceFile, source: Source) -> Iterator[RawRows]:
    """Yields the file's rows.

    Raises:
        SourceError: the header lacks the column of the visitor or of the time.
    """
    tops = dict.fromkeys(column.split(".")[0] for column in tracker.header(file, tracker.kind(file)))
    wide = [column for column in tops if column.startswith(WIDE)]
    for block in tracker.read(file, source, COLUMNS, (*OWN, *wide)):
        yield events(block, source)


def events(block: tracker.Mapped, source: Source) -> RawRows:
    """Returns the rows of ``block``, whose ``own`` columns are ``OWN`` and the wide ones, as events."""
    raw, own = block.raw, block.own
    fields = {name: as_text(sql) for name, sql in raw.fields.items()}
    platform = f"lower({own['platform']})"
    data = _data(own)
    visitor = f"coalesce({fields.get('visitor_id', 'NULL')}, {_device(own)})"
    computed = {
        "visitor_id": visitor,
        "channel": f"CASE WHEN {platform} IN ({APPS}) THEN 'app' WHEN {platform} = 'srv' THEN 'web' "
        f"ELSE {platform} END",
        "element": f"coalesce({fields.get('element', 'NULL')}, {data} ->> '$.elementId')",
        "page": f"CASE WHEN {fields.get('event_type', 'NULL')} = 'screen_view' THEN {data} ->> '$.name' END",
        "query": f"CASE WHEN {fields.get('event_type', 'NULL')} = 'site_search' THEN "
        f"array_to_string(({data} ->> '$.terms[*]'), ' ') END",
        "properties": _properties(own, data, source),
    }
    json_columns = [own["unstruct_event"], *(sql for column, sql in own.items() if column.startswith(WIDE))]
    return replace(
        raw,
        fields=fields | tracker.chosen_unless(source, computed),
        problems={
            **raw.problems,
            "bad_unstruct_event": " OR ".join(tracker.is_no_object(sql) for sql in json_columns),
            "bad_contexts": tracker.is_no_object(own["contexts"]),
        },
        rules={
            "page_ping": f"{own['event']} = 'page_ping'",
            "transaction_item": f"{own['event']} = 'transaction_item'",
            "server_side": f"{platform} = 'srv' AND {visitor} IS NULL",
        },
    )


def _data(own: Mapping[str, str]) -> str:
    """SQL: the data of a self-describing event, whichever column holds it."""
    inner = f"(TRY_CAST({own['unstruct_event']} AS JSON) -> '$.data.data')"
    wide = [f"TRY_CAST({sql} AS JSON)" for column, sql in own.items() if column.startswith(WIDE)]
    return f"coalesce({', '.join([inner, *wide])})" if wide else inner


def _device(own: Mapping[str, str]) -> str:
    """SQL: the visitor of a mobile device, of its ``client_session`` context."""
    contexts, session = own["contexts"], own[SESSION_CONTEXT]
    among = f"""CASE WHEN contains({contexts}, '/client_session/') THEN list_filter(
        json_extract(TRY_CAST({contexts} AS JSON), '$.data[*]')::JSON[],
        lambda c: contains(c ->> '$.schema', '/client_session/'))[1] ->> '$.data.userId' END"""
    return f"coalesce({among}, TRY_CAST({session} AS JSON) ->> '$[0].userId')"


def _properties(own: Mapping[str, str], data: str, source: Source) -> str:
    """SQL: an event's own data and the number of its session, less what ``source`` maps, as a JSON object or null."""
    mapped = {column for columns in source.alternatives.values() for column in columns}
    kept = [name for name in (*STRUCTURED, "domain_sessionid") if name not in mapped]
    patched = f"coalesce({data}, '{{}}'::JSON)"
    for above in ("unstruct_event.data.data", *(column for column in own if column.startswith(WIDE))):
        patched = f"json_merge_patch({patched}, {tracker.removal(source, above)})"
    fields = ", ".join(f"'{name}', {own[name]}" for name in kept)
    patched = f"json_merge_patch({patched}, json_object({fields}))"
    return f"nullif({patched}::VARCHAR, '{{}}')"
