"""One JSON object a line; a mapped column is a path whose dots descend into nested objects."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from pipelines.ingest import lines
from pipelines.ingest.files import SourceFile
from pipelines.ingest.formats.rows import STRUCTURE, RawRows, first_of, literal
from pipelines.params import Source

# An excerpt of broken JSON keeps its keys and shows `…` for its strings: keys come from a program, strings from people.
KEYS_ONLY: Final = (
    r"""regexp_replace(regexp_replace(regexp_replace(left(text, 2000), '"([A-Za-z_][A-Za-z0-9_.$-]*)"\s*:', '<\1>:', """
    r"""'g'), '"[^"]*("|$)', '"…"', 'g'), '<([^<>]*)>:', '"\1":', 'g')"""
)
IS_OBJECT: Final = r"(starts_with(document, '{') OR regexp_matches(document, '^\s*[{]'))"  # needs no second parser run
SCALARS: Final = ("event_id", "visitor_id", "customer_id", "ts", "received_ts", "channel", "event_type", "user_agent")
LOOKED_AT_ROWS: Final = 100
LOOKED_AT_CHARACTERS: Final = 1 << 16
"""The first rows tell which columns a file has, mapped or not; longer ones would take too long to look at."""


def read(file: SourceFile, source: Source) -> Iterator[RawRows]:
    """Yields the file's rows; lines that are no JSON object carry a problem."""
    mapping = source.alternatives
    paths = [*dict.fromkeys(column for columns in mapping.values() for column in columns)]
    origins = {
        name: {column: _field(name, paths.index(column) + 1, column) for column in columns}
        for name, columns in mapping.items()
    }
    nested = {
        name: _is_nested([(paths.index(column) + 1, column) for column in mapping[name]])
        for name in SCALARS
        if name in mapping
    }
    excerpt = f"CASE WHEN starts_with(ltrim(text), '{{') THEN {KEYS_ONLY} ELSE {STRUCTURE.format(text='text')} END"
    for block in lines.blocks(file.path):
        yield RawRows(
            rows=block.table(),
            relation=_documents(paths),
            fields={name: first_of(columns.values()) for name, columns in origins.items()},
            excerpt=excerpt,
            problems={
                "invalid_json": "document IS NULL",
                "not_an_object": f"NOT {IS_OBJECT}",
                **{f"bad_{name}": condition for name, condition in nested.items()},
            },
            missing=None,
            last_line=block.last_line,
            mapping=mapping,
            origins=origins,
            columns=filled(block.texts, LOOKED_AT_ROWS) if block.first_line == 1 else (),
        )


def filled(texts: Sequence[str], n_rows: int) -> tuple[str, ...]:
    """Returns the dotted paths of all values that are no objects in the first ``n_rows`` lines of moderate length."""
    found: dict[str, None] = {}
    for text in texts[:n_rows]:
        if len(text) <= LOOKED_AT_CHARACTERS:
            with suppress(ValueError, RecursionError):
                found |= dict.fromkeys(_leaves(json.loads(text), ""))
    return tuple(found)


def columns(documents: Iterable[object]) -> list[str]:
    """Returns the dotted paths of all values in ``documents``, in the order in which they first come."""
    found: dict[str, None] = {}
    for document in documents:
        found |= dict.fromkeys(_paths(document, ()))
    return [*found]


def _paths(value: object, above: tuple[str, ...]) -> Iterator[str]:
    if above:
        yield ".".join(above)
    if isinstance(value, dict):
        for key, nested in value.items():
            yield from _paths(nested, (*above, str(key)))


def look(path: Path, n_rows: int) -> tuple[str, ...]:
    """Returns the dotted paths of the values in the first ``n_rows`` lines of the file at ``path``."""
    block = next(lines.blocks(path), None)
    return filled(block.texts, n_rows) if block else ()


def held(connection: duckdb.DuckDBPyConnection, rows: pa.Table, columns: Sequence[str]) -> set[str]:
    """Returns those dotted paths of ``columns`` in which any of ``rows`` holds a value; `…` stands for any key."""
    paths = [column.removesuffix("…").removesuffix(".") for column in columns]
    connection.register("raw_rows", rows)
    counts = ", ".join(f"count(found[{position}])" for position in range(1, len(columns) + 1))
    (found,) = connection.execute(f"SELECT {counts} FROM {_documents(paths)} WHERE problem IS NULL").fetchall()
    connection.unregister("raw_rows")
    return {column for column, n in zip(columns, found, strict=True) if n}


def _leaves(value: object, above: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, nested in value.items():
            yield from _leaves(nested, f"{above}.{key}" if above else key)
    elif above and value is not None:
        yield above


def json_path(column: str) -> str:
    """Returns the JSONPath of a dotted column: ``page.url`` is ``$."page"."url"``; an empty one is all of the row."""
    keys = column.split(".") if column else []
    return "$" + "".join('."' + key.replace('"', '\\"') + '"' for key in keys)


def _documents(columns: Sequence[str]) -> str:
    paths = "[" + ", ".join(literal(json_path(column)) for column in columns) + "]"
    return (
        f"(SELECT *, json_extract_string(document, {paths}) AS found FROM "
        "(SELECT *, CASE WHEN problem IS NULL THEN TRY_CAST(text AS JSON) END AS document "
        "FROM raw_rows WHERE problem IS NOT NULL OR NOT regexp_full_match(text, '\\s*')))"
    )


def _field(name: str, position: int, column: str) -> str:
    if name != "properties":
        return f"found[{position}]"
    nested = f"json_extract(document, {literal(json_path(column))})"
    # Trackers also send objects as a string that holds JSON: the object is what was meant. What begins like an object
    # or an array is one either way; only other values are looked up again.
    return f"""CASE WHEN found[{position}] IS NULL THEN NULL
        WHEN {_is_open(position)} AND json_valid(found[{position}]) THEN found[{position}]
        WHEN left(found[{position}], 1) = left({nested}, 1)
        OR NOT json_valid(found[{position}]) THEN {nested}::VARCHAR ELSE found[{position}] END"""


def _is_nested(places: Sequence[tuple[int, str]]) -> str:
    """SQL: the value is an object or array where a scalar is needed; only such values, and strings, begin like one.

    ``places`` are the position in ``found`` and the column of all that may give it; what comes later does not count.
    """
    (position, column), *later = places
    nested = f"json_type(document, {literal(json_path(column))}) IN ('OBJECT', 'ARRAY')"
    others = f"WHEN nullif(found[{position}], '') IS NULL THEN {_is_nested(later)} " if later else ""
    return f"CASE WHEN {_is_open(position)} THEN {nested} {others}ELSE false END"


def _is_open(position: int) -> str:
    """SQL: the value begins like an object or an array."""
    return f"(starts_with(found[{position}], '{{') OR starts_with(found[{position}], '['))"
