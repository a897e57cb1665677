"""The table `pages` of Segment's and RudderStack's warehouses, as CSV, JSON lines or Parquet: a page view a row.

``search`` is the query string of the URL, no site search. Columns that a company added are not read: name the ones you
want in ``columns``.

Source: segment.com/docs/connections/storage/warehouses/schema. Checked against one real row (dbt-labs/segment).
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from pipelines.ingest.files import SourceFile
from pipelines.ingest.formats import tracker
from pipelines.ingest.formats.rows import RawRows
from pipelines.params import Source

COLUMNS: Final[tracker.Columns] = {
    "event_id": ("id",),
    "visitor_id": ("anonymous_id", "user_id"),
    "customer_id": ("user_id",),
    "ts": ("timestamp", "original_timestamp", "sent_at"),
    "received_ts": ("received_at",),
    "url": ("url", "context_page_url"),
    "title": ("title", "context_page_title"),
    "referrer": ("referrer", "context_page_referrer"),
    "source": ("context_campaign_source",),
    "medium": ("context_campaign_medium",),
    "campaign": ("context_campaign_name",),
    "os": ("context_os_name",),
    "region": ("context_location_region", "context_location_country"),
    "user_agent": ("context_user_agent",),
}


def read(file: SourceFile, source: Source) -> Iterator[RawRows]:
    """Yields the file's rows."""
    constant = {"channel": "'web'", "event_type": "'page_view'"}
    for block in tracker.read(file, source, COLUMNS):
        yield replace(block.raw, fields={**block.raw.fields, **tracker.chosen_unless(source, constant)})
