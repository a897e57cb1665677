"""The files of data/: which are the demo bank's, and writing them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import SourceError
from pipelines.paths import Workspace, staged
from pipelines.simulate import truth as truth_tables

_GENERATOR: Final = "pipelines.simulate 2"
_CANARIES: Final = "canaries.txt"


def write(
    workspace: Workspace,
    events: Iterable[tuple[str, bytes]],
    truth: Mapping[str, pa.Table],
    broken: Sequence[tuple[str, int, str]],
    canaries: Sequence[str],
) -> None:
    """Replaces the demo bank in data/ as a whole.

    Args:
        workspace: whose data/.
        events: name and bytes of each file.
        truth: tables by name.
        broken: file, line and kind of each broken line; filled while ``events`` are read.
        canaries: the planted personal data.

    Raises:
        SourceError: data/ holds files that are not the demo bank's and would be lost, or mixed with it.
    """
    refuse_foreign_files(workspace)
    with staged(workspace, "simulate") as staging:
        # Staged first and so moved first: were the moves cut short, the next run would still know these files.
        manifest = staging.path(_manifest(workspace))
        events_folder, truth_folder = staging.path(_events(workspace)), staging.path(workspace.truth)
        hashes = {}
        events_folder.mkdir()
        truth_folder.mkdir()
        with ThreadPoolExecutor(1) as pool:  # the last days are compressed meanwhile
            tables = [pool.submit(_write_table, truth_folder, name, table) for name, table in truth.items()]
            for name, compressed in events:
                (events_folder / name).write_bytes(compressed)
                hashes[f"events/{name}"] = sha256(compressed).hexdigest()
            for table in tables:
                table.result()
        _write_table(truth_folder, "malformed", truth_tables.table("malformed", broken))
        (truth_folder / _CANARIES).write_text("".join(f"{text}\n" for text in canaries), encoding="utf-8")
        truth_files = [f"truth/{name}.parquet" for name in truth_tables.TABLES] + [f"truth/{_CANARIES}"]
        listed = {"generator": _GENERATOR, "files": hashes, "truth": truth_files}
        manifest.write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")


def _write_table(folder: Path, name: str, table: pa.Table) -> None:
    pq.write_table(table, folder / f"{name}.parquet", compression="zstd")


def refuse_foreign_files(workspace: Workspace) -> None:
    """Checks that a new demo bank would neither replace nor join what somebody else put into data/."""
    manifest = _manifest(workspace)
    if manifest.exists():
        known = {workspace.data / name for name in _listed(manifest)}
        found = [*_events(workspace).rglob("*"), *workspace.truth.rglob("*")]
    else:
        known, found = set(), list(workspace.data.rglob("*"))
    n_foreign = sum(path.is_file() and path not in known and not path.name.startswith(".") for path in found)
    if n_foreign:
        raise SourceError(
            f"{workspace.data} holds {n_foreign} file(s) that are not the demo bank's, expected none: move them "
            "away, or simulate in another folder (--root)"
        )


def _listed(manifest: Path) -> list[str]:
    try:
        listed = json.loads(manifest.read_text(encoding="utf-8"))
        return [*listed["files"], *listed["truth"]]
    except (ValueError, KeyError, TypeError):
        raise SourceError(
            f"{manifest} is not a demo bank's list of files: if data/ is a demo bank, remove it and run again"
        ) from None


def _events(workspace: Workspace) -> Path:
    return workspace.data / "events"


def _manifest(workspace: Workspace) -> Path:
    return workspace.data / "demo_bank.json"
