"""One event an id: repeated deliveries are dropped, contradicting ones quarantined; the first by file, line stays.

The id of a row without one is the hash of its payload: only such rows can repeat each other by what they say. No switch
turns this off, since every later stage counts on ids that name one event.
"""

import duckdb


def find(connection: duckdb.DuckDBPyConnection) -> None:
    """Marks duplicates, and moves conflicts to the rejected rows."""
    connection.execute(
        """INSERT INTO dropped
        WITH repeated AS (SELECT event_id FROM candidates GROUP BY event_id HAVING count(*) > 1),
        ordered AS (SELECT rowid AS id, has_id, row_number() OVER told AS n,
                        payload = first_value(payload) OVER told AS is_same
                    FROM candidates SEMI JOIN repeated USING (event_id)
                    WINDOW told AS (PARTITION BY event_id ORDER BY file, line))
        SELECT id, CASE WHEN is_same THEN 'duplicates' ELSE 'quarantined' END,
            CASE WHEN NOT is_same THEN 'id_conflict' WHEN has_id THEN 'same_id' ELSE 'same_payload' END
        FROM ordered WHERE n > 1"""
    )
    connection.execute(
        """INSERT INTO rejected SELECT file, line, 'id_conflict', concat_ws(' ', 'ts=' || ts::VARCHAR,
               'event_type=' || event_type, 'page=' || page)
           FROM candidates JOIN dropped ON candidates.rowid = dropped.id WHERE outcome = 'quarantined'"""
    )
