"""Which traffic is no person's: declared by its user agent, or betrayed by its behaviour."""

from typing import Final

import duckdb

AGENT: Final = (
    "(?i)bot|crawl|spider|slurp|scrap|archiver|headless|phantomjs|lighthouse|pingdom|uptime|monitor|feed|rss|preview|"
    "https?://|fetch|facebookexternalhit|curl/|wget|^java/|^ruby|^perl|^php|^go-http|python|libwww|httpclient|^okhttp|"
    "^axios|mediapartners|validator|nutch|ezooms|sleuth|scout|embedly"
)
"""Words by which robots name themselves (a browser gives no address to write to), after the IAB/ABC list of spiders and
the crawler-user-agents collection."""
DECLARED: Final = f"coalesce(regexp_matches(regexp_replace(user_agent, '(?i)cubot', ''), '{AGENT}'), false)"
"""SQL: the row's user agent says it is a robot. Cubot makes phones."""

MIN_PAGE_TURNS: Final = 100
MAX_MEDIAN_GAP_SECONDS: Final = 2.0
"""A visitor's UTC day is a machine's when a page is opened at least 100 times, and the median time to the next is below
2 seconds. People do turn pages that fast, but not half of the time over a hundred pages: they stay for some tens of
seconds (Liu, White, Dumais: Understanding web browsing behaviors through Weibull analysis of dwell time, SIGIR 2010).
Page turns are counted, not events, since one page may send many events at once."""


def find_declared(connection: duckdb.DuckDBPyConnection) -> None:
    """Marks every event of a visitor who ever declared to be a robot."""
    connection.execute(
        """INSERT INTO dropped SELECT rowid, 'bots', 'declared' FROM candidates
           WHERE visitor_id IN (SELECT visitor_id FROM candidates WHERE declared_bot)
             AND rowid NOT IN (SELECT id FROM dropped)"""
    )


def find_behaviour(connection: duckdb.DuckDBPyConnection) -> None:
    """Marks the UTC days on which a visitor turned pages as no person does; times that are positions say nothing."""
    connection.execute(
        f"""INSERT INTO dropped
        WITH kept AS (SELECT rowid AS id, visitor_id, ts::DATE AS day, ts, event_id, event_type, page FROM candidates
                      WHERE has_clock AND rowid NOT IN (SELECT id FROM dropped)),
        busy AS (SELECT visitor_id, day FROM kept GROUP BY ALL HAVING count(*) >= {MIN_PAGE_TURNS}),
        turns AS (
            SELECT * FROM (SELECT visitor_id, day, ts, event_type,
                    page IS DISTINCT FROM lag(page) OVER in_order AS is_other
                FROM kept SEMI JOIN busy USING (visitor_id, day)
                WINDOW in_order AS (PARTITION BY visitor_id, day ORDER BY ts, event_id))
            WHERE is_other OR event_type = 'page_view'),
        gaps AS (SELECT visitor_id, day, epoch(ts - lag(ts) OVER (PARTITION BY visitor_id, day ORDER BY ts))
                 AS gap_seconds FROM turns),
        machines AS (SELECT visitor_id, day FROM gaps GROUP BY ALL
                     HAVING count(*) >= {MIN_PAGE_TURNS} AND median(gap_seconds) < {MAX_MEDIAN_GAP_SECONDS})
        SELECT id, 'bots', 'behaviour' FROM kept SEMI JOIN machines USING (visitor_id, day)"""
    )
