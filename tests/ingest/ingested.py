"""One ingest run over literal files: what tests of this folder start from and look at."""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipelines import params
from pipelines.ingest import stage
from pipelines.params import Ingest
from pipelines.paths import Workspace

KEY = "a key of tests, long enough"
OUTCOMES = ("accepted", "duplicates", "bots", "filtered", "quarantined")
JSONL = {"format": "jsonl", "columns": {"event_id": "id", "visitor_id": "who", "ts": "at", "url": "url"}}


@dataclass(frozen=True)
class Run:
    """What a run wrote."""

    workspace: Workspace

    @property
    def events(self) -> list[dict[str, Any]]:
        return list(pq.read_table(self.workspace.events, partitioning=None).to_pylist())

    @property
    def quarantine(self) -> list[dict[str, Any]]:
        return list(pq.read_table(self.workspace.quarantine).to_pylist())

    @property
    def reasons(self) -> list[tuple[int, str]]:
        """(line, reason) of every quarantined row."""
        return [(row["line"], row["reason"]) for row in self.quarantine]

    @property
    def report(self) -> dict[str, Any]:
        return dict(json.loads(self.workspace.ingest_report.read_text()))

    @property
    def total(self) -> dict[str, Any]:
        return dict(self.report["total"])

    def written(self) -> str:
        """All that a run leaves behind, as one text to look for what must not be in it."""
        return repr((self.events, self.quarantine, self.report))


def ingest(
    root: Path,
    files: Mapping[str, str | bytes],
    sources: Sequence[Mapping[str, Any]],
    *,
    max_rejected_share: float = 1.0,
    window: Mapping[str, Any] | None = None,
    bots: bool = True,
    clocks: bool = True,
    duplicates: Mapping[str, bool] | None = None,
) -> Run:
    """Writes ``files`` under ``root``/data and ingests ``sources``; checks that no row was lost or made."""
    for name, content in files.items():
        path = root / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    run = Run(Workspace(root))
    stage.run(
        run.workspace,
        block(
            sources,
            max_rejected_share=max_rejected_share,
            window=window,
            bots=bots,
            clocks=clocks,
            duplicates=duplicates,
        ),
        seed=7,
    )
    conserved(run.report)
    return run


def block(
    sources: Sequence[Mapping[str, Any]],
    *,
    max_rejected_share: float = 1.0,
    window: Mapping[str, Any] | None = None,
    bots: bool = True,
    clocks: bool = True,
    duplicates: Mapping[str, bool] | None = None,
) -> Ingest:
    """The ingest block of params.yaml."""
    return params.Ingest.model_validate(
        {
            "sources": list(sources),
            "window": {"from": None, "to": None} | dict(window or {}),
            "max_rejected_share": max_rejected_share,
            "url_parameters": [],
            "duplicates": {"same_id": True, "same_payload": True, "id_conflict": True} | dict(duplicates or {}),
            "bots": {"declared": bots, "behaviour": bots},
            "clocks": {"ahead": clocks, "behind": clocks},
        }
    )


def conserved(report: Mapping[str, Any]) -> None:
    """Every row read is in exactly one outcome: in total, per source, per file, and summed over sources."""
    counts = [report["total"], *report["sources"], *(file for source in report["sources"] for file in source["files"])]
    for count in counts:
        assert sum(count[outcome] for outcome in OUTCOMES) == count["rows_read"]
    for name in ("rows_read", *OUTCOMES):
        assert sum(source[name] for source in report["sources"]) == report["total"][name]
        for source in report["sources"]:
            assert sum(file[name] for file in source["files"]) == source[name]


def jsonl(*rows: Mapping[str, Any] | str) -> str:
    """Lines of JSON; a row that is a string is a line as it is."""
    return "".join((row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)) + "\n" for row in rows)


def row(number: int, **more: Any) -> dict[str, Any]:
    """A sound row of ``JSONL``."""
    return {
        "id": f"e{number}",
        "who": "v1",
        "at": f"2026-01-05T10:{number // 60:02}:{number % 60:02}Z",
        "url": "/a",
    } | more


def compressed(text: str) -> bytes:
    return gzip.compress(text.encode(), mtime=0)
