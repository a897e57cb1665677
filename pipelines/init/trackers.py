"""Which named tracker wrote a file: by columns that nobody else calls so, or by the shape of rows without a header."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from pipelines.errors import SourceError
from pipelines.ingest.files import SourceFile
from pipelines.ingest.formats import adobe_lookups, snowplow_tsv

MARKS: Final = {
    "ga4": ("event_params", "event_timestamp", "event_name"),  # flat exports are mapped like any table
    "segment": ("messageId", "type", "anonymousId"),
    "snowplow": ("collector_tstamp", "domain_userid", "event_id"),
}
MOST: Final = 0.5  # of the rows must have the width of a format without a header


def of_columns(columns: Collection[str]) -> str | None:
    """Returns the format whose columns are among ``columns``."""
    return next((name for name, marks in MARKS.items() if {*marks} <= {*columns}), None)


def of_rows(path: Path, texts: Sequence[str]) -> str | None:
    """Returns the format without a header that ``texts``, the first rows of ``path``, have the width of."""
    if _share(texts, (len(snowplow_tsv.NAMES),)) >= MOST and texts[0].split("\t") != [*snowplow_tsv.NAMES]:
        return "snowplow_tsv"
    with suppress(SourceError):
        n_columns = len(adobe_lookups.find(SourceFile(path, path.name, 0, 0)).columns)
        if _share(texts, (n_columns - 1, n_columns)) >= MOST:
            return "adobe_data_feed"
    return None


def _share(texts: Sequence[str], widths: Sequence[int]) -> float:
    return sum(text.count("\t") + 1 in widths for text in texts) / max(1, len(texts))
