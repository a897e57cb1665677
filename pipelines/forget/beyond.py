"""What ``forget`` cannot reach, and the commands that do: raw files, DVC cache, remotes, git tags, trained models."""

import subprocess
from collections.abc import Iterator
from configparser import ConfigParser
from configparser import Error as ConfigError
from pathlib import Path
from typing import Final

from pipelines.forget.person import Person
from pipelines.ingest import forgotten, gather
from pipelines.params import Ingest, Window
from pipelines.paths import Workspace

COUNTED: Final = f"""SELECT file, count(*) FROM candidates
    WHERE rowid IN (SELECT id FROM ({forgotten.MATCHED})) GROUP BY file ORDER BY file"""


def raw_rows(workspace: Workspace, block: Ingest, person: Person, secret: bytes, scratch: Path) -> dict[str, int]:
    """Returns how many rows of each raw file are the person's, by the name that reports show; files without are absent.

    Rows in quarantine belong to nobody who could be named, and are not counted.

    Raises:
        SourceError: a source is missing or cannot be read.
    """
    found = gather.find(workspace.root, block.sources)
    block = block.model_copy(update={"window": Window(**{"from": None, "to": None})})
    with gather.connect(scratch, secret) as connection:
        gather.read(connection, block, found, secret)
        forgotten.fill(connection, person.lines)
        counts = dict(connection.execute(COUNTED).fetchall())
    return {file.name: counts[file.index] for file in found if file.index in counts}


def kept_elsewhere(workspace: Workspace) -> list[str]:
    """Returns a line for every other place that may hold the person, with what to run; none where there is none."""
    return [*_retrainings(workspace), *_dvc(workspace), *_git(workspace), *_models(workspace)]


def _retrainings(workspace: Workspace) -> Iterator[str]:
    """Each holds a copy of data/ and tables of its own."""
    kept = sorted(path.name for path in workspace.retrainings.glob("*") if path.is_dir())
    if kept:
        yield f"workspaces of retrainings {', '.join(kept)}: `git worktree remove --force .work/retrain/NAME`, each"


def _dvc(workspace: Workspace) -> Iterator[str]:
    folder = workspace.root / ".dvc"
    if not folder.is_dir():
        return
    objects = [path for path in (folder / "cache" / "files").rglob("*") if path.is_file()]
    runs = [path for path in (folder / "cache" / "runs").rglob("*") if path.is_file()]
    if objects or runs:
        yield (
            f"DVC cache: {len(objects)} objects and {len(runs)} recorded runs, former versions of the tables among "
            "them: `dvc repro`, then `rm -r .dvc/cache/runs`, then `dvc gc --workspace`"
        )
    for name, url in _remotes(folder):
        yield f"DVC remote `{name}` ({url}): `dvc push`, then `dvc gc --workspace --cloud --remote {name}`"


def _remotes(folder: Path) -> Iterator[tuple[str, str]]:
    config = ConfigParser(interpolation=None, strict=False)
    try:
        config.read([folder / "config", folder / "config.local"], encoding="utf-8")
    except (ConfigError, UnicodeDecodeError):
        yield "?", ".dvc/config cannot be read"
    for section in config.sections():
        kind, _, name = section.strip("'\"").partition(" ")
        if kind == "remote":
            yield name.strip("'\""), config.get(section, "url", fallback="?").rpartition("@")[2]


def _git(workspace: Workspace) -> Iterator[str]:
    tags = _lines(workspace.root, "tag", "--list", "champion/*")
    if tags:
        yield (
            f"git tags {', '.join(tags)}: each names the data of its time in data.dvc and dvc.lock, so `dvc gc "
            "--all-tags` would keep them and a checkout bring them back; when no longer needed: `git tag --delete "
            f"{' '.join(tags)}`"
        )
    for remote in _lines(workspace.root, "remote"):
        yield f"git remote `{remote}`: `git ls-remote --tags {remote} 'champion/*'`, `git push --delete {remote} TAG`"


def _lines(root: Path, *arguments: str) -> list[str]:
    """Output lines of a git command; none outside git."""
    if not (root / ".git").exists():
        return []
    try:
        done = subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        return []
    return done.stdout.split()


def _models(workspace: Workspace) -> Iterator[str]:
    """Weights and texts that were made with the person among many."""
    if workspace.encoder.exists() or workspace.student.exists():
        yield (
            "encoder, student, taxonomy texts, page titles and reports were made with these sessions among the others: "
            "run the stages again (`dvc repro`), then `python -m pipelines promote`"
        )
    bundles = sorted(path.name for path in workspace.champions.glob("*") if path.is_dir())
    if bundles:
        yield f"models of the champions {', '.join(bundles)}: delete the folders of those that no longer serve"
    if workspace.quarantine.exists():
        yield "quarantine: excerpts are scrubbed and carry no id, so none can be told to be somebody's"
