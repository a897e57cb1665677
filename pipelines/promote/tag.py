"""A git tag that holds what the champion was made by, without touching the branch, the index or the working tree."""

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

TAGGED_FILES: Final = ("params.yaml", "dvc.lock", "data.dvc", "taxonomy.yaml")
"""Added to the code of HEAD as they lie in the working tree: a run's inputs, whether they were committed or not."""

IDENTITY: Final = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "Clicks to Intent"), ("EMAIL", "champion@localhost"))
}
"""Set for the commit alone, so that it needs no user.name."""


def numbers(root: Path) -> list[int]:
    """Returns the numbers of the tags champion/<number> of the repository at ``root``; none outside git."""
    if not _is_repository(root):
        return []
    names = _git(root, "tag", "--list", "champion/*").splitlines()
    return [int(number) for number in (name.partition("/")[2] for name in names) if number.isdigit()]


def tag(root: Path, number: str, message: str) -> str | None:
    """Tags HEAD with the present TAGGED_FILES as champion/``number``; returns the tag, or None outside git.

    ``root`` must itself be the top of a repository with a commit: one that merely lies around it is not its history.
    """
    if not _is_repository(root):
        return None
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        _git(root, "read-tree", "HEAD", environment=index)
        present = [name for name in TAGGED_FILES if (root / name).is_file()]
        _git(root, "update-index", "--add", "--", *present, environment=index)
        tree = _git(root, "write-tree", environment=index)
    commit = _git(root, "commit-tree", tree, "-p", "HEAD", "-m", message, environment=IDENTITY)
    _git(root, "update-ref", f"refs/tags/champion/{number}", commit, "")  # "": refuses to move a tag
    return f"champion/{number}"


def _is_repository(root: Path) -> bool:
    try:
        top = _git(root, "rev-parse", "--show-toplevel")
        _git(root, "rev-parse", "--verify", "--quiet", "HEAD")
    except (FileNotFoundError, subprocess.CalledProcessError):  # no git here, no repository, or no commit in it
        return False
    return Path(top).resolve() == root.resolve()


def _git(root: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Output of one git command, run free of the variables that a calling git (a hook) may have set."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", *arguments],
        cwd=root,
        env={**inherited, **(environment or {})},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()
