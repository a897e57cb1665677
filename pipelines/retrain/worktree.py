"""A git worktree of HEAD that shares the root's DVC cache and paid replies; the user's branch, index and files stay.

What a stage writes lies in the worktree, what DVC caches in the root's cache, so that a promoted tag can be checked out
anywhere that cache (or the remote) is.
"""

import shutil
from configparser import ConfigParser
from pathlib import Path
from typing import Final

from pipelines.errors import RunError
from pipelines.paths import Workspace
from pipelines.repository import dvc, git, is_repository

SHARED: Final = ("checkpoints", "llm", "tokens", "llm_ledger.jsonl")
"""Of .cache/: keyed by content, so runs may share them, and a reply that was paid for is paid for once."""


def make(root: Workspace, folder: Path) -> str:
    """Makes ``folder`` a fresh worktree of HEAD, ready for DVC; returns the commit.

    Raises:
        RunError: the root is not the top of a git repository with DVC and a commit, or git refused.
    """
    if not is_repository(root.root) or not (root.root / ".dvc").is_dir():
        raise RunError(
            "a retraining works in a git worktree: make this folder a git repository with a commit, and `dvc init` it"
        )
    remove(root, folder)
    # --force: a worktree of that name whose folder was lost may still be registered
    git(root.root, "worktree", "add", "--force", "--detach", str(folder), "HEAD")
    if not (folder / ".dvc").is_dir():
        raise RunError(".dvc/config is not committed: `git add .dvc dvc.yaml`, and commit")
    _share_store(root.root, folder)
    _share_caches(root, Workspace(folder))
    return git(folder, "rev-parse", "HEAD")


def remove(root: Workspace, folder: Path) -> None:
    """Removes the worktree; one that is half there or unknown to git too."""
    if not folder.exists():
        return
    try:
        git(root.root, "worktree", "remove", "--force", "--force", str(folder))
    except RunError:  # what a killed run left need not be a worktree
        shutil.rmtree(folder)


def _share_store(root: Path, folder: Path) -> None:
    """The root's own settings and cache; a remote's relative path means the same folder as at the root."""
    settings = ConfigParser(interpolation=None, strict=False)
    for name in ("config", "config.local"):
        settings.read(root / ".dvc" / name, encoding="utf-8")
    for section in settings.sections():
        url = settings.get(section, "url", fallback="")
        if section.strip("'\"").startswith("remote") and url and "://" not in url:
            settings.set(section, "url", str((root / ".dvc" / url).resolve()))
    if not settings.has_section("cache"):
        settings.add_section("cache")
    settings.set("cache", "dir", dvc(root, "cache", "dir"))
    if settings.has_option("plots", "html_template"):
        settings.remove_option("plots", "html_template")  # the committed one holds: a path beside the config
    with (folder / ".dvc" / "config.local").open("w", encoding="utf-8") as stream:
        settings.write(stream)


def _share_caches(root: Workspace, made: Workspace) -> None:
    for name in SHARED:
        kept = root.cache / name
        if not kept.suffix:
            kept.mkdir(parents=True, exist_ok=True)
        made.cache.mkdir(exist_ok=True)
        (made.cache / name).symlink_to(kept)
