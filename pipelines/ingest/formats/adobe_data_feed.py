"""Adobe Analytics data feed: parts of tab-separated hits without a header, and the lookups that came with them.

The columns are those of ``column_headers.tsv``, which must lie beside the parts, in a folder beside them, or in their
``*lookup_data.tar.gz``, as must ``event.tsv``, ``browser.tsv`` and ``operating_systems.tsv`` for codes to get names (a
code that no lookup has stays a code). Lookups, manifests and archives that the source's path also matches hold no rows.
A tab or line end inside a value is escaped by a backslash, and becomes a blank here. The parts of the one real delivery
that was seen leave out the last column, `zip`, so a row may be one column short.

By the vendor's rules ``post_`` columns come first, hits with ``exclude_hit`` above 0 and uploaded summaries
(``hit_source`` 5, 7, 8, 9: ``data_source``) are left out, and events in ``duplicate_events``, as well as the purchase
of a hit with ``duplicate_purchase``, are not counted. Feeds know no login, no title but the page's name and no site
search of their own: name the eVars and props that hold them in ``columns`` (``customer_id: post_evar5``).

Source: experienceleague.adobe.com, Analytics data feed (data column reference, calculate metrics, special characters).
Layout, columns and lookups were checked against one real delivery whose values are made anonymous, ten hits.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.ingest import lines
from pipelines.ingest.files import SourceFile
from pipelines.ingest.formats import adobe_lookups, tracker
from pipelines.ingest.formats.adobe_lookups import Lookups
from pipelines.ingest.formats.rows import STRUCTURE, RawRows, as_text, first_of, literal, required_columns
from pipelines.params import Source

COLUMNS: Final[tracker.Columns] = {
    "event_id": ("hitid_high",),
    "visitor_id": ("post_visid_high", "visid_high"),
    "ts": ("post_cust_hit_time_gmt", "cust_hit_time_gmt", "hit_time_gmt"),
    "received_ts": ("hit_time_gmt",),
    "channel": ("post_mobileappid", "mobileappid"),
    "event_type": ("post_page_event", "page_event"),
    "url": ("post_page_url", "page_url"),
    "title": ("post_pagename", "pagename"),
    "element": ("post_page_event_var2", "page_event_var2"),
    "referrer": ("post_referrer", "referrer"),
    "campaign": ("post_campaign", "campaign"),
    "os": ("os",),
    "browser": ("browser",),
    "region": ("geo_region", "geo_country"),
    "user_agent": ("user_agent",),
}
PAIRED: Final = {"post_visid_high": "post_visid_low", "visid_high": "visid_low", "hitid_high": "hitid_low"}
"""Halves of one number of 128 bits."""
TIMES: Final = ("ts", "received_ts")
PAGE_EVENTS: Final = {
    "page_view": ("0",), "link_click": ("10", "100"), "download": ("11", "101"), "exit_link": ("12", "102"),
}  # fmt: skip
CODED: Final = ("post_event_list", "event_list", "duplicate_events", "duplicate_purchase", "browser", "os")
MAX_HIT_LINES: Final = 1000
KEPT: Final = "\x1c"  # stands for an escaped backslash while the other escapes are undone
Hit = tuple[int, str, str | None]
SUMMARIES: Final = "'5', '7', '8', '9'"


def read(file: SourceFile, source: Source) -> Iterator[RawRows]:
    """Yields the hits of a part; of a lookup, a manifest or an archive, nothing.

    Raises:
        SourceError: there is no ``column_headers.tsv``, or it lacks the column of the visitor or of the time.
    """
    if adobe_lookups.is_no_part(file.path):
        return
    lookups = adobe_lookups.find(file)
    names = lookups.columns
    mapping = tracker.mapping(source, COLUMNS)
    missing = tracker.stated(source, required_columns(file, mapping, [*names]))
    origins = {name: _origins(name, columns, names, source) for name, columns in mapping.items()}
    origins = {name: columns for name, columns in origins.items() if columns}
    cells = {name: as_text(_cell(name, names)) for name in ("exclude_hit", "hit_source", "duplicate_purchase")}
    fields = {name: first_of(columns.values()) for name, columns in origins.items()}
    fields |= tracker.chosen_unless(source, _computed(fields, names, mapping))
    for hits, last_line in _hits(file, names, lookups):
        yield RawRows(
            rows=hits,
            fields=fields,
            excerpt=STRUCTURE.format(text="text"),
            problems={"bad_exclude_hit": f"NOT regexp_full_match({cells['exclude_hit']}, '[0-9]+')"},
            rules={
                "exclude_hit": f"TRY_CAST({cells['exclude_hit']} AS INTEGER) > 0",
                "data_source": f"{cells['hit_source']} IN ({SUMMARIES})",
            },
            missing=missing,
            last_line=last_line,
            mapping=mapping,
            origins=origins,
            columns=names,
        )


def _cell(column: str, names: Sequence[str]) -> str:
    return f"cells[{names.index(column) + 1}]" if column in names else "NULL"


def _origins(name: str, columns: Sequence[str], names: Sequence[str], source: Source) -> dict[str, str]:
    """Source column -> SQL, of those ``columns`` that the feed has."""
    found = {column: as_text(_cell(column, names)) for column in columns if column in names}
    if name in (source.columns or {}):
        return found
    if name in TIMES:  # 0 is no time
        return {column: tracker.instant(f"nullif({cell}, '0')", "9,10", 1_000_000) for column, cell in found.items()}
    if name in ("os", "browser"):
        return dict.fromkeys(found, f"{name}_name")
    return {
        column: f"{cell} || '_' || {as_text(_cell(PAIRED[column], names))}" if column in PAIRED else cell
        for column, cell in found.items()
    }


def _computed(fields: Mapping[str, str], names: Sequence[str], mapping: tracker.Columns) -> dict[str, str]:
    page_event = fields.get("event_type", "NULL")
    kinds = " ".join(
        f"WHEN {page_event} IN ({', '.join(map(literal, codes))}) THEN '{kind}'" for kind, codes in PAGE_EVENTS.items()
    )
    return {
        "channel": f"CASE WHEN {fields.get('channel', 'NULL')} IS NULL THEN 'web' ELSE 'app' END",
        "event_type": f"CASE WHEN is_purchase THEN 'purchase' {kinds} ELSE 'page_event_' || {page_event} END",
        "properties": _properties(names, mapping),
    }


def _properties(names: Sequence[str], mapping: tracker.Columns) -> str:
    """SQL: the events of a hit by name, its products, eVars and props but those mapped, as a JSON object, or null."""
    mapped = {column.removeprefix("post_") for columns in mapping.values() for column in columns}
    kept = [name for name in names if adobe_lookups.is_variable(name) and _is_best(name, names)]
    kept = [name for name in kept if name.removeprefix("post_") not in mapped]
    keys = ", ".join(literal(name.removeprefix("post_")) for name in kept)
    values = ", ".join(_cell(name, names) for name in kept)
    variables = (
        f"array_to_string(list_transform(list_filter(list_zip([{keys}], [{values}]), lambda p: p[2] <> ''), "
        "lambda p: to_json(p[1])::VARCHAR || ':' || to_json(p[2])::VARCHAR), ',')"
    )
    return f"nullif('{{' || concat_ws(',', '\"events\":' || event_names, nullif({variables}, '')) || '}}', '{{}}')"


def _is_best(name: str, names: Sequence[str]) -> bool:
    return name.startswith("post_") or f"post_{name}" not in names


def _hits(file: SourceFile, names: Sequence[str], lookups: Lookups) -> Iterator[tuple[pa.Table, int]]:
    """Yields the hits of a part and the number of the last line so far; an escaped line end is inside a hit."""
    begun: list[str] = []
    last_line = 0
    for block in lines.blocks(file.path):
        hits: list[Hit] = []
        for position, text in enumerate(block.texts):
            problem = block.problems.get(position)
            begun.append(text)
            if problem is None and _is_open(text) and len(begun) < MAX_HIT_LINES:
                continue
            hits.append(_hit(block.first_line + position + 1 - len(begun), begun, problem, names))
            begun = []
        last_line = block.last_line
        yield _table(hits, names, lookups), last_line
    if begun:
        yield _table([_hit(last_line + 1 - len(begun), begun, None, names)], names, lookups), last_line


def _is_open(text: str) -> bool:
    return (len(text) - len(text.rstrip("\\"))) % 2 == 1


def _hit(line: int, texts: Sequence[str], problem: str | None, names: Sequence[str]) -> Hit:
    """Returns the first line's number, the text without escapes and with all its columns, and what is wrong with it."""
    text = "\n".join(texts).rstrip("\r")
    if "\\" in text:
        text = text.replace("\\\\", KEPT).replace("\\\t", " ").replace("\\\n", " ").replace(KEPT, "\\")
    n_missing = len(names) - 1 - text.count("\t")
    if problem is None and text.strip() and n_missing not in (0, 1):
        problem = "wrong_number_of_columns"
    return line, text + "\t" * (n_missing == 1), problem


def _table(hits: Sequence[Hit], names: Sequence[str], lookups: Lookups) -> pa.Table:
    """Returns ``hits`` that are no header and not blank, taken apart, and their codes by name."""
    header = "\t".join(names)
    hits = [hit for hit in hits if hit[2] or (hit[1].strip() and hit[1] != header)]
    texts = [text for _, text, _ in hits]
    problems = pa.array([problem for _, _, problem in hits], pa.string())
    cells = pc.split_pattern(pa.array(texts, pa.large_string()), "\t")
    cells = pc.if_else(pc.is_null(problems), cells, pa.scalar(None, cells.type))
    column = {name: _column(cells, name, names) for name in CODED}
    lists = [*map(_first, zip(column["post_event_list"], column["event_list"], strict=True))]
    counted = [
        lookups.counted(given, twice, is_twice)
        for given, twice, is_twice in zip(lists, column["duplicate_events"], column["duplicate_purchase"], strict=True)
    ]
    return pa.table(
        {
            "line": pa.array([line for line, _, _ in hits], pa.int64()),
            "problem": problems,
            "text": pa.array([text if problem else None for _, text, problem in hits], pa.large_string()),
            "cells": cells,
            "event_names": pa.array([json.dumps(names) if names else None for names, _ in counted], pa.string()),
            "is_purchase": pa.array([is_purchase for _, is_purchase in counted], pa.bool_()),
            "browser_name": pa.array([lookups.browser(code) for code in column["browser"]], pa.string()),
            "os_name": pa.array([lookups.system(code) for code in column["os"]], pa.string()),
        }
    )


def _column(cells: pa.Array, name: str, names: Sequence[str]) -> list[str | None]:
    if name not in names:
        return [None] * len(cells)
    return [value or None for value in pc.list_element(cells, names.index(name)).to_pylist()]


def _first(values: Sequence[str | None]) -> str | None:
    return next((value for value in values if value), None)
