"""What only the whole shows about the candidates: duplicates, clocks that are off, robots, people to leave out."""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from pipelines.ingest import bots, clocks, duplicates, forgotten
from pipelines.ingest.files import SourceFile
from pipelines.params import Ingest


def settle(
    connection: duckdb.DuckDBPyConnection, block: Ingest, found: Sequence[SourceFile], forgotten_list: Path
) -> None:
    """Decides about every candidate, and leaves the accepted ones; ``forgotten_list`` names the people to leave out."""
    connection.execute("CREATE TABLE dropped (id BIGINT, outcome VARCHAR, name VARCHAR)")
    duplicates.find(connection, block.duplicates)
    # Before whatever is judged by times.
    clocks.correct(connection, block.clocks, {file.index: file.source for file in found})
    if block.bots.declared:
        bots.find_declared(connection)
    if block.bots.behaviour:
        bots.find_behaviour(connection)
    forgotten.find(connection, forgotten_list)
    connection.execute("DELETE FROM outcomes WHERE outcome = 'candidate'")
    connection.execute(
        "INSERT INTO outcomes SELECT file, outcome, name, count(*) "
        "FROM dropped JOIN candidates ON candidates.rowid = id GROUP BY ALL"
    )
    connection.execute("DELETE FROM candidates WHERE rowid IN (SELECT id FROM dropped)")
    connection.execute("INSERT INTO outcomes SELECT file, 'accepted', '', count(*) FROM candidates GROUP BY file")
