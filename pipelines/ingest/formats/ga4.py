"""GA4's BigQuery export, nested (``event_params`` as key and value structs) or flattened; JSON lines, CSV or Parquet.

Both shapes have one mapping: a parameter is looked for in ``event_params``, then under its name, then under its name
with ``param_`` before it. Where a row comes from is the event's own source (``collected_traffic_source``, then the
event's parameters): ``traffic_source`` is how the visitor first came, and would say the same of all later visits.
There is no event id. Events of one batch share a time to the microsecond, so their place in the batch is kept in
``properties``, which makes a repeated row a duplicate and two equal clicks two events.

Left out: ``consent_denied`` (no visitor, since analytics storage was refused) and ``user_engagement`` (a heartbeat that
the library sends by itself).

Source: support.google.com/analytics/answer/7029846 (export schema). The nested shape was checked against one real event
(Velir/dbt-ga4), the flat one against hand-made rows only (fivetran/dbt_ga4_export).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from pipelines.ingest.files import SourceFile
from pipelines.ingest.formats import tracker
from pipelines.ingest.formats.rows import RawRows, as_text, first_of, literal
from pipelines.params import Source

PARAMETER: Final = "event_params."
FLAT: Final = "param_"


def _parameter(*names: str) -> tuple[str, ...]:
    return tuple(place for name in names for place in (f"{PARAMETER}{name}", name, f"{FLAT}{name}"))


COLUMNS: Final[tracker.Columns] = {
    "visitor_id": ("user_pseudo_id", "client_id"),
    "customer_id": ("user_id",),
    "ts": ("event_timestamp", "timestamp"),
    "channel": ("platform",),
    "event_type": ("event_name", "name"),
    "page": _parameter("firebase_screen", "firebase_screen_class"),
    "url": _parameter("page_location"),
    "title": _parameter("page_title"),
    "referrer": _parameter("page_referrer"),
    "query": _parameter("search_term"),
    "element": _parameter("link_id", "link_text", "form_id"),
    "source": (
        "collected_traffic_source.manual_source", "collected_traffic_source_manual_source",
        f"{PARAMETER}source", f"{FLAT}source",
    ),
    "medium": (
        "collected_traffic_source.manual_medium", "collected_traffic_source_manual_medium",
        f"{PARAMETER}medium", f"{FLAT}medium",
    ),
    "campaign": (
        "collected_traffic_source.manual_campaign_name", "collected_traffic_source_manual_campaign_name",
        f"{PARAMETER}campaign", f"{FLAT}campaign",
    ),
    "device": ("device.category", "device_category"),
    "os": ("device.operating_system", "device_operating_system"),
    "browser": ("device.web_info.browser", "device_web_info_browser", "device.browser", "device_browser"),
    "region": ("geo.region", "geo_region", "geo.country", "geo_country"),
}  # fmt: skip
OWN: Final = ("event_params", "privacy_info.analytics_storage", "privacy_info_analytics_storage")
BATCH: Final = ("event_bundle_sequence_id", "bundle_sequence_id", "batch_page_id", "batch_ordering_id",
                "batch_event_index", "ga_session_id", "ga_session_number")  # fmt: skip
MAPPED: Final = {
    place.removeprefix(PARAMETER) for places in COLUMNS.values() for place in places if place.startswith(PARAMETER)
}
NOT_KEPT: Final = MAPPED | {"user_id", "client_id", "user_pseudo_id", "gclid", "dclid", "wbraid", "gbraid", "srsltid"}
"""Parameters that ``properties`` lacks: those with a column of their own, and identifiers of people and of clicks."""
PARAMS_TYPE: Final = (
    '[{"key": "VARCHAR", "value": {"string_value": "VARCHAR", "int_value": "VARCHAR", "float_value": "VARCHAR", '
    '"double_value": "VARCHAR"}}]'
)
NUMBER: Final = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?"
CHANNEL: Final = "CASE lower({platform}) WHEN 'ios' THEN 'app' WHEN 'android' THEN 'app' ELSE {platform} END"


def read(file: SourceFile, source: Source) -> Iterator[RawRows]:
    """Yields the file's rows.

    Raises:
        SourceError: the header lacks the column of the visitor or of the time.
    """
    kind = tracker.kind(file)
    header = tracker.header(file, kind)
    known = BATCH if kind == "jsonl" else tuple(name for name in BATCH if name in header)
    chosen = tracker.mapping(source, COLUMNS)
    mapped = {place for places in chosen.values() for place in places}
    own = (name for name in header if header.count(name) == 1 and _is_kept(name))
    flat = tuple(name for name in (*known, *own) if name not in mapped)
    stored, stated = (_stored(columns) for columns in (chosen, source.alternatives))
    for block in tracker.read(file, source.model_copy(update={"columns": stated}), stored, OWN + flat):
        yield _events(block, chosen, flat, source)


def _stored(columns: tracker.Columns) -> dict[str, tuple[str, ...]]:
    """Returns ``columns`` without the parameters of ``event_params``, which no column of the file is."""
    found = {name: tuple(place for place in places if not _in_params(place)) for name, places in columns.items()}
    return {name: places for name, places in found.items() if places}


def _events(block: tracker.Mapped, chosen: tracker.Columns, flat: Sequence[str], source: Source) -> RawRows:
    raw, own = block.raw, block.own
    origins = {name: _places(places, raw.origins.get(name, {})) for name, places in chosen.items()}
    origins = {name: places for name, places in origins.items() if places}
    fields = {name: as_text(first_of(places.values())) for name, places in origins.items()}
    visitor, event_type = fields.get("visitor_id", "NULL"), fields.get("event_type", "NULL")
    storage = f"coalesce({own['privacy_info.analytics_storage']}, {own['privacy_info_analytics_storage']})"
    computed = {
        "ts": tracker.instant(fields.get("ts", "NULL"), "16", 1),
        "channel": CHANNEL.format(platform=fields.get("channel", "NULL")),
        **tracker.chosen_unless(source, {"properties": _properties(own, flat, chosen)}),
    }
    return replace(
        raw,
        relation=_with_params(raw.relation, own["event_params"]),
        fields=fields | computed,
        problems={**raw.problems, "bad_event_params": "bad_params"},
        rules={
            "consent_denied": f"{visitor} IS NULL AND lower({storage}) IN ('no', 'false')",
            "user_engagement": f"{event_type} = 'user_engagement'",
        },
        mapping=chosen,
        origins=origins,
    )


def _places(places: Sequence[str], stored: Mapping[str, str]) -> dict[str, str]:
    """Source column -> SQL, of those ``places`` that the file may have."""
    found = {place: _of_params(place) if _in_params(place) else stored.get(place) for place in places}
    return {place: sql for place, sql in found.items() if sql is not None}


def _with_params(relation: str, params: str) -> str:
    """The rows of ``relation`` with ``keys``, ``texts`` and ``numbers`` of their event parameters."""
    number = "coalesce(p.value.int_value, p.value.float_value, p.value.double_value)"
    keyless = "list_contains(list_transform(params, lambda p: p.key IS NULL), true)"
    return f"""(SELECT *, list_transform(params, lambda p: p.key) AS keys,
            list_transform(params, lambda p: coalesce(p.value.string_value, {number})) AS texts,
            list_transform(params, lambda p: CASE WHEN p.value.string_value IS NULL THEN {number} END) AS numbers,
            given_params IS NOT NULL AND (params IS NULL OR {keyless}) AS bad_params
        FROM (SELECT *, CASE WHEN json_type(json_params) = 'ARRAY' THEN json_transform(json_params, '{PARAMS_TYPE}') END
                AS params
            FROM (SELECT *, {params} AS given_params, TRY_CAST({params} AS JSON) AS json_params FROM {relation})))"""


def _in_params(place: str) -> bool:
    return place.startswith(PARAMETER)


def _of_params(place: str) -> str:
    return f"texts[list_position(keys, {literal(place.removeprefix(PARAMETER))})]"


def _is_kept(column: str) -> bool:
    return column.startswith(FLAT) and column.removeprefix(FLAT) not in NOT_KEPT


def _properties(own: Mapping[str, str], flat: Sequence[str], chosen: tracker.Columns) -> str:
    """SQL: the other parameters, and the event's place in its batch, as one JSON object, or null."""
    mapped = {place.removeprefix(PARAMETER) for places in chosen.values() for place in places if _in_params(place)}
    left_out = ", ".join(map(literal, sorted(NOT_KEPT | mapped)))
    nested = (
        "array_to_string(list_transform(list_filter(list_zip(keys, texts, numbers), "
        f"lambda p: p[2] IS NOT NULL AND p[1] NOT IN ({left_out})), lambda p: to_json(p[1])::VARCHAR || ':' || "
        f"CASE WHEN regexp_full_match(p[3], '{NUMBER}') THEN p[3] ELSE to_json(p[2])::VARCHAR END), ',')"
    )
    others = []
    for column in flat:
        key = column.removeprefix(FLAT)
        is_new = f"NOT coalesce(list_contains(keys, {literal(key)}), false)"
        others.append(
            f"CASE WHEN {is_new} THEN {literal(json.dumps(key) + ':')} || to_json({own[column]})::VARCHAR END"
        )
    members = ", ".join([f"nullif({nested}, '')", *others])
    return f"nullif('{{' || concat_ws(',', {members}) || '}}', '{{}}')"
