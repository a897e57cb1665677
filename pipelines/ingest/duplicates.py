"""One event an id: repeated deliveries are dropped, contradicting ones quarantined; the first stays.

The first is what was received first, else what happened first, else what sorts first by its content: so it does not
matter in which files, and in which order, the rows came. All rows of a run are compared: there is no horizon behind
which a repetition is an event. The id of a row without one is the hash of its payload: only such rows can repeat each
other by what they say. Where a rule is off its rows stay, and since later stages count on ids that name one event, they
get others: a hash of id, content, and which repetition it is.
"""

from typing import Final

import duckdb

from pipelines.params import Duplicates

FIRST: Final = "received_ts NULLS LAST, ts, payload, file, line"


def find(connection: duckdb.DuckDBPyConnection, block: Duplicates) -> None:
    """Marks duplicates, moves conflicts to the rejected rows, and names what stays of either."""
    wanted = [name for name, is_on in block.model_dump().items() if is_on]
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE repeats AS
        WITH repeated AS (SELECT event_id FROM candidates GROUP BY event_id HAVING count(*) > 1),
        told AS (SELECT rowid AS id, event_id, has_id, payload,
                    payload = first_value(payload) OVER (PARTITION BY event_id ORDER BY {FIRST}) AS is_same,
                    row_number() OVER (PARTITION BY event_id, payload ORDER BY {FIRST}) AS nth
                 FROM candidates SEMI JOIN repeated USING (event_id))
        SELECT id, event_id, payload, nth, CASE
            WHEN NOT is_same AND list_contains($1, 'id_conflict') THEN 'id_conflict'
            WHEN nth > 1 AND has_id AND list_contains($1, 'same_id') THEN 'same_id'
            WHEN nth > 1 AND NOT has_id AND list_contains($1, 'same_payload') THEN 'same_payload' END AS rule
        FROM told WHERE nth > 1 OR NOT is_same""",
        [wanted],
    )
    connection.execute(
        """INSERT INTO dropped SELECT id, CASE rule WHEN 'id_conflict' THEN 'quarantined' ELSE 'duplicates' END, rule
           FROM repeats WHERE rule IS NOT NULL"""
    )
    connection.execute(
        """INSERT INTO rejected SELECT file, line, 'id_conflict', concat_ws(' ', 'ts=' || ts::VARCHAR,
               'event_type=' || event_type, 'page=' || page)
           FROM candidates JOIN dropped ON candidates.rowid = dropped.id WHERE outcome = 'quarantined'"""
    )
    connection.execute(
        """UPDATE candidates SET event_id = keyed_hash('event', concat_ws(chr(31), repeats.event_id, repeats.payload,
               nth)) FROM repeats WHERE candidates.rowid = repeats.id AND rule IS NULL"""
    )
