"""ingest: raw web and app events to one canonical, scrubbed events table."""

import json
from typing import Final

import duckdb
import pyarrow as pa

from pipelines.ingest import events, gather, ids, report
from pipelines.ingest.files import SourceFile
from pipelines.ingest.report import Report
from pipelines.ingest.settle import settle
from pipelines.params import Ingest
from pipelines.paths import Staging, Workspace, staged
from pipelines.schemas import QUARANTINE
from pipelines.tables import write_table

EXCERPT_LENGTH: Final = 200


def run(workspace: Workspace, block: Ingest, seed: int) -> None:
    """Writes events, quarantine and report; when the stage refuses for what it read, the last two only.

    Raises:
        SourceError: a source is missing, cannot be mapped, or needs a key that is not set; or no event is left.
        QuarantineError: more rows were rejected than allowed.
    """
    del seed  # nothing here is random
    found = gather.find(workspace.root, block.sources)
    secret = ids.key(workspace.data / "demo_bank.json", [file.path for file in found])
    with staged(workspace, "ingest") as staging, gather.connect(staging.folder, secret) as connection:
        gathered = gather.read(connection, block, found, secret)
        settle(connection, block, found, workspace.forgotten)
        counted = report.build(connection, block.sources, gathered.files, gathered.columns)
        refusal = report.refusal(counted, block.max_rejected_share)
        _write_report(connection, gathered.files, counted, staging, workspace)
        if not refusal:
            n_written = events.write(connection, staging.path(workspace.events))
            report.check_conserved(counted, n_written)
    for warning in report.warnings(counted):
        print(f"ingest: warning: {warning}")
    print(f"ingest: {report.summary(counted)}")
    if refusal:
        raise refusal


def _write_report(
    connection: duckdb.DuckDBPyConnection,
    found: list[SourceFile],
    counted: Report,
    staging: Staging,
    workspace: Workspace,
) -> None:
    names = pa.table(
        {"index": pa.array([file.index for file in found], pa.uint32()), "name": [file.name for file in found]}
    )
    connection.register("names", names)
    rejected = connection.sql(
        f"SELECT name AS file, line, reason, nullif(left(mask(trim(regexp_replace("
        f"structure, '[\\x00-\\x1f]+', ' ', 'g'))), {EXCERPT_LENGTH}), '') AS excerpt "
        "FROM rejected JOIN names ON rejected.file = names.index ORDER BY rejected.file, line, reason, excerpt"
    ).to_arrow_table()
    write_table(rejected, staging.path(workspace.quarantine), QUARANTINE)
    staging.path(workspace.ingest_report).write_text(json.dumps(counted, indent=1) + "\n", encoding="utf-8")
