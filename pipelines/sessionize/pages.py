"""The page catalogue: what each page is called and says."""

import duckdb

_COMMONEST = """
SELECT page, channel, first({name} ORDER BY n DESC, {name}) FILTER ({name} IS NOT NULL) AS {name}, sum(n) AS n_events
FROM (SELECT page, channel, {name}, count(*) AS n FROM events WHERE page IS NOT NULL GROUP BY ALL)
GROUP BY page, channel
"""


def catalogue(warehouse: duckdb.DuckDBPyConnection) -> None:
    """Makes the table ``pages`` (schemas.PAGES) out of ``events``: a page's commonest title and commonest text.

    Of equally common ones, the first in alphabetical order.
    """
    titles, texts = (_COMMONEST.format(name=name) for name in ("title", "text"))
    warehouse.execute(
        f"CREATE TABLE pages AS SELECT page, channel, title, text, n_events::BIGINT AS n_events FROM ({titles}) "
        f"JOIN (SELECT page, channel, text FROM ({texts})) USING (page, channel) ORDER BY page, channel"
    )
