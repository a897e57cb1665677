"""One JSON object a line; a mapped column is a path whose dots descend into nested objects."""

from collections.abc import Iterable, Iterator
from typing import Final

from pipelines.ingest import lines
from pipelines.ingest.files import SourceFile
from pipelines.ingest.formats.rows import STRUCTURE, RawRows, literal
from pipelines.params import Source

# An excerpt of broken JSON keeps its keys and shows `…` for its strings: keys come from a program, strings from people.
KEYS_ONLY: Final = (
    r"""regexp_replace(regexp_replace(regexp_replace(left(text, 2000), '"([A-Za-z_][A-Za-z0-9_.$-]*)"\s*:', '<\1>:', """
    r"""'g'), '"[^"]*("|$)', '"…"', 'g'), '<([^<>]*)>:', '"\1":', 'g')"""
)
SCALARS: Final = ("event_id", "visitor_id", "customer_id", "ts", "received_ts", "channel", "event_type", "user_agent")


def read(file: SourceFile, source: Source) -> Iterator[RawRows]:
    """Yields the file's rows; lines that are no JSON object carry a problem."""
    columns = source.columns or {}
    positions = {name: position for position, name in enumerate(columns, start=1)}
    excerpt = f"CASE WHEN starts_with(ltrim(text), '{{') THEN {KEYS_ONLY} ELSE {STRUCTURE.format(text='text')} END"
    for block in lines.blocks(file.path):
        yield RawRows(
            rows=block.table(),
            relation=_documents(list(columns.values())),
            fields={name: _field(name, position, columns[name]) for name, position in positions.items()},
            excerpt=excerpt,
            problems={
                "invalid_json": "document IS NULL",
                "not_an_object": "json_type(document) <> 'OBJECT'",
                **{f"bad_{name}": _is_nested(positions[name], columns[name]) for name in SCALARS if name in columns},
            },
            missing=None,
            last_line=block.last_line,
        )


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


def json_path(column: str) -> str:
    """Returns the JSONPath of a dotted column: ``page.url`` is ``$."page"."url"``."""
    return "$" + "".join('."' + key.replace('"', '\\"') + '"' for key in column.split("."))


def _documents(columns: list[str]) -> str:
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
    # Trackers also send objects as a string that holds JSON: the object is what was meant.
    return f"""CASE WHEN found[{position}] IS NULL THEN NULL WHEN left(found[{position}], 1) = left({nested}, 1)
        OR NOT json_valid(found[{position}]) THEN {nested}::VARCHAR ELSE found[{position}] END"""


def _is_nested(position: int, column: str) -> str:
    """SQL: the value is an object or array where a scalar is needed; only such values, and strings, begin like one."""
    return (
        f"CASE WHEN left(found[{position}], 1) IN ('{{', '[') "
        f"THEN json_type(document, {literal(json_path(column))}) IN ('OBJECT', 'ARRAY') ELSE false END"
    )
