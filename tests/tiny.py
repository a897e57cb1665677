"""The tiny profile: small workspaces for tests, and what is compared in them."""

import contextlib
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from pipelines.__main__ import main
from pipelines.paths import Workspace

Rows = list[dict[str, Any]]
"""A table as its rows."""

REPOSITORY = Path(__file__).resolve().parents[1]


def tiny_values() -> dict[str, Any]:
    """The values of params.yaml, with those of tests/tiny.yaml instead where it names them."""
    return _merge(_read(REPOSITORY / "params.yaml"), _read(REPOSITORY / "tests" / "tiny.yaml"))


def write_tiny_params(root: Path) -> None:
    """Writes the tiny profile as ``root``'s params.yaml."""
    (root / "params.yaml").write_text(yaml.safe_dump(tiny_values(), sort_keys=False), encoding="utf-8")


def run_command(command: str, root: Path, *options: str) -> str:
    """Runs one command of ``python -m pipelines`` in this process, which must succeed; returns what it printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        code = main([command, "--root", str(root), *options])
    assert code == 0, f"{command} left with {code}: {printed.getvalue()}"
    return printed.getvalue()


def dvc_root(root: Path, bank: Workspace) -> Workspace:
    """Makes ``root`` a DVC workspace of its own, code included, on the data and params of ``bank``."""
    shutil.copytree(REPOSITORY / "pipelines", root / "pipelines", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(bank.data, root / "data")
    shutil.copy(bank.params, root)
    shutil.copy(REPOSITORY / "dvc.yaml", root)
    shutil.copy(REPOSITORY / "forgotten.txt", root)
    dvc(root, "init", "--no-scm", "--quiet")
    return Workspace(root)


def dvc(root: Path, *arguments: str) -> str:
    """Runs DVC in ``root``, which must succeed; returns what it printed."""
    result = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=root,
        env=child_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"dvc {' '.join(arguments)} left with {result.returncode}: {result.stdout}"
    return result.stdout


def child_environment() -> dict[str, str]:
    """This process's environment with this Python first on the PATH, as the Makefile has it."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def hashes(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file under ``folder``, by relative path."""
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def texts(folder: Path) -> dict[str, str]:
    """The readable content of every file under ``folder``, by relative path; the rows of Parquet files as text."""
    found = {}
    for file in sorted(folder.rglob("*")):
        if not file.is_file():
            continue
        if file.suffix == ".parquet":
            rows = pq.read_table(file, partitioning=None).to_pylist()
            text = "\n".join(json.dumps(row, default=str, ensure_ascii=False) for row in rows)
        else:
            text = file.read_bytes().decode("utf-8", errors="replace")
        found[file.relative_to(folder).as_posix()] = text
    return found


def last_day(workspace: Workspace) -> date:
    """The last one with events."""
    return date.fromisoformat(
        max(path.name.removesuffix(".jsonl.gz") for path in (workspace.data / "events").iterdir())
    )


def _read(path: Path) -> dict[str, Any]:
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(values, dict)
    return values


def _merge(values: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    merged = dict(values)
    for key, other in others.items():
        assert key in values, f"tests/tiny.yaml names `{key}`, which params.yaml lacks"
        merged[key] = _merge(values[key], other) if isinstance(other, dict) else other
    return merged
