"""git and DVC as this project calls them: free of a calling git's variables, and with one clear message on failure."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pipelines.errors import RunError

IDENTITY: Final = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "Clicks to Intent"), ("EMAIL", "champion@localhost"))
}
"""Set for a commit alone, so that it needs no user.name."""


def is_repository(root: Path) -> bool:
    """Returns whether ``root`` is itself the top of a repository with a commit: one around it is not its history."""
    try:
        top = git(root, "rev-parse", "--show-toplevel")
        git(root, "rev-parse", "--verify", "--quiet", "HEAD")
    except RunError:  # no git here, no repository, or no commit in it
        return False
    return Path(top).resolve() == root.resolve()


def git(root: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Returns the output of one git command, run free of the variables that a calling git (a hook) may have set.

    Raises:
        RunError: it failed, or there is no git.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-c", "core.hooksPath=/dev/null", *arguments]
    try:
        done = subprocess.run(
            command, cwd=root, env={**inherited, **(environment or {})}, check=True, capture_output=True, text=True
        )
    except FileNotFoundError:
        raise RunError("git is not installed: install it") from None
    except subprocess.CalledProcessError as error:
        raise RunError(f"`git {arguments[0]}` failed: {_last_line(error.stderr)}") from None
    return done.stdout.strip()


def dvc(root: Path, *arguments: str) -> str:
    """Returns what one DVC command of this environment printed.

    Raises:
        RunError: it failed.
    """
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, cwd=root, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RunError(f"`dvc {arguments[0]}` failed: {_last_line(done.stderr)}")
    return done.stdout.strip()


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1]
