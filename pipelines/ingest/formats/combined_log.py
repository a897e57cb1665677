"""Apache's and nginx's combined (and common) log: page requests that succeeded; the rest is left out by named rules."""

from collections.abc import Iterator
from typing import Final

from pipelines.ingest import lines
from pipelines.ingest.files import SourceFile
from pipelines.ingest.formats.rows import STRUCTURE, RawRows
from pipelines.params import Source

TIMESTAMP_FORMAT: Final = "%d/%b/%Y:%H:%M:%S %z"
QUOTED: Final = r'"((?:[^"\\]|\\.)*)"'
LINE: Final = (
    rf"^(\S+) \S+ (\S+(?: \S+)*?) \[([^\]]+)\] {QUOTED} ([0-9]{{3}}) (?:[0-9]+|-)(?: {QUOTED} {QUOTED}(?: .*)?)?\r?$"
)
PARTS: Final = ("address", "login", "time", "request", "status", "referrer", "agent")
"""Of %h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" (httpd.apache.org/docs/2.4/mod/mod_log_config.html)."""
ASSETS: Final = (
    "css|js|mjs|map|json|png|jpe?g|gif|svg|ico|webp|avif|bmp|woff2?|ttf|otf|eot|mp[34]|m4[av]|webm|avi|mov|wav|og[gv]|"
    "swf|txt|xml|rss|atom"
)


def read(file: SourceFile, source: Source) -> Iterator[RawRows]:
    """Yields the file's rows; a visitor is an address and a user agent."""
    del source  # everything is in the lines
    for block in lines.blocks(file.path):
        yield RawRows(
            rows=block.table(),
            last_line=block.last_line,
            relation=_requests(),
            fields={
                "visitor_id": "address || ' ' || coalesce(agent, '')",
                "customer_id": "nullif(login, '-')",
                "ts": "time",
                "url": "target",
                "referrer": "nullif(referrer, '-')",
                "user_agent": "nullif(agent, '-')",
            },
            problems={"not_combined_log": "address = ''"},
            rules={
                "status": "NOT regexp_matches(status, '^(2..|304)$')",
                "method": "method <> 'GET'",
                "asset": f"regexp_matches(lower(target), '\\.({ASSETS})(?:[?#]|$)')",
            },
            excerpt=STRUCTURE.format(text="text"),
        )


def _requests() -> str:
    names = ", ".join(f"'{part}'" for part in PARTS)
    line = LINE.replace("'", "''")
    return rf"""(SELECT *, regexp_extract(request, '^([A-Z]+) (\S+)(?: HTTP/[0-9.]+)?$', 1) AS method,
            regexp_extract(request, '^([A-Z]+) (\S+)(?: HTTP/[0-9.]+)?$', 2) AS target
        FROM (SELECT * EXCLUDE (parts), unnest(parts)
            FROM (SELECT *, regexp_extract(text, '{line}', [{names}]) AS parts
                FROM raw_rows WHERE problem IS NOT NULL OR NOT regexp_full_match(text, '\s*'))))"""
