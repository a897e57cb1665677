"""The formats that ``ingest.sources`` may name: one file and one line each."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pipelines.ingest.files import SourceFile
from pipelines.ingest.formats import (
    adobe_data_feed,
    combined_log,
    csv,
    ga4,
    jsonl,
    native,
    parquet,
    segment,
    segment_pages,
    sequences,
    snowplow,
    snowplow_tsv,
)
from pipelines.ingest.formats.rows import RawRows
from pipelines.params import Source


@dataclass(frozen=True)
class Format:
    """How a format is read.

    Attributes:
        has_clock: False when times are positions, so that neither rate nor date mean anything.
        timestamp_format: the format's own way of writing times, where it has one.
    """

    read: Callable[[SourceFile, Source], Iterator[RawRows]]
    has_clock: bool = True
    timestamp_format: str | None = None


FORMATS: Final[Mapping[str, Format]] = {
    "native": Format(native.read),
    "csv": Format(csv.read),
    "jsonl": Format(jsonl.read),
    "parquet": Format(parquet.read),
    "sequences": Format(sequences.read, has_clock=False),
    "combined_log": Format(combined_log.read, timestamp_format=combined_log.TIMESTAMP_FORMAT),
    "ga4": Format(ga4.read),
    "snowplow": Format(snowplow.read),
    "snowplow_tsv": Format(snowplow_tsv.read),
    "segment": Format(segment.read),
    "segment_pages": Format(segment_pages.read),
    "adobe_data_feed": Format(adobe_data_feed.read),
}
