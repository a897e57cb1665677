"""One event an id: repeated deliveries are dropped, contradicting ones quarantined; the first by file, line stays."""

import duckdb


def find(connection: duckdb.DuckDBPyConnection) -> None:
    """Marks duplicates, and moves conflicts to the rejected rows."""
    connection.execute(
        """INSERT INTO dropped
        WITH repeated AS (SELECT event_id FROM candidates GROUP BY event_id HAVING count(*) > 1),
        ordered AS (SELECT rowid AS id, row_number() OVER told AS n, payload = first_value(payload) OVER told AS is_same
                    FROM candidates SEMI JOIN repeated USING (event_id)
                    WINDOW told AS (PARTITION BY event_id ORDER BY file, line))
        SELECT id, CASE WHEN is_same THEN 'duplicates' ELSE 'quarantined' END,
            CASE WHEN is_same THEN '' ELSE 'id_conflict' END
        FROM ordered WHERE n > 1"""
    )
    connection.execute(
        """INSERT INTO rejected SELECT file, line, 'id_conflict', concat_ws(' ', 'ts=' || ts::VARCHAR,
               'event_type=' || event_type, 'page=' || page)
           FROM candidates JOIN dropped ON candidates.rowid = dropped.id WHERE outcome = 'quarantined'"""
    )
