"""The commit and the tag that hold what a champion was made by, without touching a branch, index or working tree.

A champion of a retraining also gets a branch, and what it was made of goes to the DVC remote where one is set.
"""

import tempfile
from pathlib import Path
from typing import Final

from pipelines.repository import IDENTITY, dvc, git, is_repository

INPUTS: Final = ("params.yaml", "dvc.yaml", "dvc.lock", "data.dvc", "forgotten.txt", "taxonomy.yaml")
"""Added to the code of HEAD as they lie in the working tree: a run's inputs, whether they were committed or not."""


def numbers(root: Path) -> list[int]:
    """Returns the numbers of the tags champion/<number> of the repository at ``root``; none outside git."""
    if not is_repository(root):
        return []
    names = git(root, "tag", "--list", "champion/*").splitlines()
    return [int(number) for number in (name.partition("/")[2] for name in names) if number.isdigit()]


def keep(root: Path, number: str, message: str, branch: str | None = None) -> None:
    """Tags HEAD with the present INPUTS as champion/``number``; a tag that exists stays.

    Args:
        root: the top of a repository with a commit, or of a worktree of it.
        number: of the champion.
        message: of the commit.
        branch: for a workspace that nobody edits: the commit holds all of it, its reports too, and gets this branch.
    """
    if int(number) in numbers(root):
        return
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        git(root, "read-tree", "HEAD", environment=index)
        if branch:
            git(root, "add", "--all", environment=index)
        else:
            present = [name for name in INPUTS if (root / name).is_file()]
            git(root, "update-index", "--add", "--", *present, environment=index)
        tree = git(root, "write-tree", environment=index)
    commit = git(root, "commit-tree", tree, "-p", "HEAD", "-m", message, environment=IDENTITY)
    if branch:
        git(root, "update-ref", f"refs/heads/{branch}", commit)
    git(root, "update-ref", f"refs/tags/champion/{number}", commit, "")  # "": refuses to move a tag


def push(root: Path) -> bool:
    """Sends data, artifacts and models of ``root`` to its DVC remote; returns False where none is set.

    Raises:
        RunError: the remote did not take them.
    """
    if not (root / ".dvc").is_dir() or not dvc(root, "remote", "list"):
        return False
    dvc(root, "push")
    return True
