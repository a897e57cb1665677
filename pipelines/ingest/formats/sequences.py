"""One visitor a line, codes separated by blanks; `names` gives each code, from 1, its page (MSNBC's form).

There is no clock: an event's time is an epoch and its position in seconds. The line number is the visitor, counted on
over the files of the source; lines that begin with %, the list of names, and blank lines are no rows.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.ingest import lines
from pipelines.ingest.files import SourceFile
from pipelines.ingest.formats.rows import STRUCTURE, RawRows, literal
from pipelines.params import Source
from pipelines.schemas import SEQUENCE_EPOCH

EPOCH: Final = f"TIMESTAMP '{SEQUENCE_EPOCH:%Y-%m-%d %H:%M:%S}'"
SECOND: Final = timedelta(seconds=1)


def read(file: SourceFile, source: Source) -> Iterator[RawRows]:
    """Yields one row a code."""
    names = "[" + ", ".join(literal(name) for name in source.names or []) + "]"
    for block in lines.blocks(file.path):
        rows = block.table()
        yield RawRows(
            rows=rows.append_column("visitor", pc.add(rows["line"], pa.scalar(file.lines_before, pa.int64()))),
            last_line=block.last_line,
            relation=_codes(names),
            fields={
                "event_id": "'s' || visitor || '_' || position",
                "visitor_id": "'sequence ' || visitor",
                "ts": f"({EPOCH} + to_seconds(position - 1))",
                "page": "page",
            },
            problems={"bad_code": "page IS NULL"},
            excerpt=STRUCTURE.format(text="code"),
        )


def _codes(names: str) -> str:
    return f"""(SELECT *, {names}[TRY_CAST(code AS INTEGER)] AS page FROM (
        SELECT file, line, visitor, problem, unnest(codes) AS code, generate_subscripts(codes, 1) AS position FROM (
            SELECT *, CASE WHEN problem IS NOT NULL THEN [text]
                ELSE string_split_regex(trim(text, E' \\t\\r'), '[ \\t]+') END AS codes
            FROM raw_rows WHERE problem IS NOT NULL OR NOT regexp_matches(text, '^\\s*(%|$)'))
        WHERE problem IS NOT NULL OR codes <> {names}))"""
