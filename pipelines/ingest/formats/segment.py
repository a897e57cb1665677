"""Segment's and RudderStack's calls as JSON lines: page, screen, track, identify (group and alias are left out).

A call without ``anonymousId`` comes from a server: its ``userId`` is its visitor. An ``identify`` with both ids stays,
as the event that links a visitor to a customer; its traits are personal and are dropped, as are a call's own copies of
its page in ``properties``. ``query`` is the search of the e-commerce specification (``properties.query``); the page's
``search`` is the query string of its URL and no search.

Source: segment.com/docs/connections/spec (common fields, page, screen, track, identify, group, alias). Made from these
pages; never checked against a real file.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from pipelines.ingest.files import SourceFile
from pipelines.ingest.formats import tracker
from pipelines.ingest.formats.rows import RawRows
from pipelines.params import Source

COLUMNS: Final[tracker.Columns] = {
    "event_id": ("messageId",),
    "visitor_id": ("anonymousId", "userId"),
    "customer_id": ("userId",),
    "ts": ("timestamp", "originalTimestamp", "sentAt"),  # the first is the second by the clock of the receiver
    "received_ts": ("receivedAt",),
    "url": ("context.page.url", "properties.url"),
    "title": ("context.page.title", "properties.title"),
    "query": ("properties.query",),
    "referrer": ("context.page.referrer", "properties.referrer"),
    "source": ("context.campaign.source",),
    "medium": ("context.campaign.medium",),
    "campaign": ("context.campaign.name",),
    "device": ("context.device.type",),
    "os": ("context.os.name",),
    "region": ("context.location.region", "context.location.country"),
    "user_agent": ("context.userAgent",),
}
OWN: Final = ("type", "event", "name", "channel", "anonymousId", "userId", "context.device.type", "properties")
TYPES: Final = "'page', 'screen', 'track', 'identify', 'group', 'alias'"
OF_THE_PAGE: Final = ("url", "path", "title", "search", "referrer", "query")
"""Keys of ``properties`` that columns of their own hold; the first and fourth with parameters that no one cleaned."""


def read(file: SourceFile, source: Source) -> Iterator[RawRows]:
    """Yields the file's calls."""
    removal = tracker.removal(source, "properties", OF_THE_PAGE)
    for block in tracker.read(file, source, COLUMNS, OWN):
        own = block.own
        call, name, properties = own["type"], own["name"], own["properties"]
        channel, device = own["channel"], own["context.device.type"]
        fields = {
            "channel": f"CASE WHEN {call} = 'screen' OR lower({device}) IN ('ios', 'android') "
            f"OR lower({channel}) = 'mobile' THEN 'app' ELSE 'web' END",
            "event_type": f"CASE {call} WHEN 'page' THEN 'page_view' WHEN 'screen' THEN 'screen_view' "
            f"WHEN 'track' THEN {own['event']} ELSE {call} END",
            "page": f"CASE WHEN {call} = 'screen' THEN {name} END",
            "properties": f"CASE WHEN {call} <> 'identify' THEN "
            f"nullif(json_merge_patch(TRY_CAST({properties} AS JSON), {removal})::VARCHAR, '{{}}') END",
        }
        yield replace(
            block.raw,
            fields={**block.raw.fields, **tracker.chosen_unless(source, fields)},
            problems={
                **block.raw.problems,
                "bad_call_type": f"coalesce({call}, '') NOT IN ({TYPES})",
                "bad_properties": tracker.is_no_object(properties),
            },
            rules={
                "group_call": f"{call} = 'group'",
                "alias_call": f"{call} = 'alias'",
                "identify_without_link": f"{call} = 'identify' "
                f"AND ({own['anonymousId']} IS NULL OR {own['userId']} IS NULL)",
            },
        )
