"""A git repository with DVC on the tiny profile, as a user's clone is: before its stages ran, or after."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml
from tiny import REPOSITORY, dvc

from pipelines.paths import Workspace

CODE = ("dags", "pipelines", "dvc.yaml", "forgotten.txt", ".gitignore", ".dvcignore")


def repository_root(root: Path, of: Workspace) -> Workspace:
    """Makes ``root`` a clone with the code of this repository, the data and params of ``of``, and what stages made."""
    for name in CODE:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            root.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, root / name)
    for name in ("data", "artifacts", "reports"):
        if (of.root / name).is_dir():
            shutil.copytree(of.root / name, root / name)
    for name in ("params.yaml", "taxonomy.yaml"):
        if (of.root / name).is_file():
            shutil.copyfile(of.root / name, root / name)
    git(root, "init", "--quiet", "-b", "main")
    dvc(root, "init", "--quiet")
    dvc(root, "add", "--quiet", "data")
    if of.artifacts.is_dir():
        dvc(root, "commit", "--quiet", "--force")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "-m", "all of it")
    return Workspace(root)


def git(root: Path, *arguments: str) -> str:
    """One git command by somebody; it must succeed."""
    author = ["-c", "user.name=T", "-c", "user.email=t@localhost"]
    command = ["git", *author, *arguments]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def champion(workspace: Workspace) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(workspace.champion.read_text("utf-8"))
    return found


def change(workspace: Workspace, key: str, value: object) -> None:
    """What a person does in params.yaml between two runs."""
    values = yaml.safe_load(workspace.params.read_text("utf-8"))
    block, _, name = key.partition(".")
    values[block][name] = value
    workspace.params.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
