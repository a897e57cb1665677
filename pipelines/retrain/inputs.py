"""What a run reads: the root's data and settings as they lie there now, and what the champion was made of."""

import fcntl
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import yaml

from pipelines import params as params_file
from pipelines.dvcfile import Stage
from pipelines.errors import RunError
from pipelines.repository import dvc, git

OF_THE_ROOT: Final = ("params.yaml", "dvc.yaml", "forgotten.txt", "taxonomy.yaml")
OF_THE_CHAMPION: Final = ("data.dvc", "dvc.lock", "reports")
_FICLONE: Final = 0x40049409  # Linux: share the blocks of a file until one of both is written


def take(root: Path, folder: Path, tag: str | None) -> None:
    """Puts the root's settings into the worktree, and the lock and the tracked reports that ``tag`` holds."""
    for name in OF_THE_ROOT:
        if (root / name).is_file():
            shutil.copyfile(root / name, folder / name)
    if tag:
        held = git(folder, "ls-tree", "--name-only", tag, "--", *OF_THE_CHAMPION).splitlines()
        if held:
            git(folder, "checkout", tag, "--", *held)


def override(path: Path, overrides: Sequence[str]) -> None:
    """Applies ``overrides`` to the params.yaml at ``path``; without any the file stays as it is, comments and all.

    Raises:
        ParamsError: a value is not allowed.
    """
    params_file.load(path, overrides)
    if overrides:  # as they stand there: DVC compares 1800 and 1800.0 as different
        values = params_file.overridden(path, overrides)
        path.write_text(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), encoding="utf-8")


def land(data: Path, folder: Path) -> None:
    """Copies ``data`` into the worktree and has DVC track it there.

    Copies, and shares blocks where the file system can: a hard link would let DVC write-protect the user's own files.

    Raises:
        RunError: there are no data, or they could not be copied.
    """
    if not data.is_dir():
        raise RunError("data/ is missing: put raw events there, or run `make data`")
    landed = folder / "data"
    shutil.rmtree(landed, ignore_errors=True)
    try:
        shutil.copytree(data, landed, copy_function=_copy)
    except (OSError, shutil.Error):
        raise RunError("data/ could not be copied into the run's workspace: is the disk full?") from None
    dvc(folder, "add", "--quiet", "data")


def new(folder: Path, stages: Sequence[Stage], tag: str | None) -> list[str]:
    """Returns what the run would read otherwise than the champion of ``tag`` did; all of it without a tag.

    DVC compares, so data, params, code and commands count, and what no stage reads does not.
    """
    if not tag:
        return ["there is no champion with a git tag"]
    made = {out for stage in stages for out in stage.outs}
    status = json.loads(dvc(folder, "status", "--json") or "{}")
    found = [reason for stage in stages for reason in _reasons(stage.name, status.get(stage.name, []), made)]
    return list(dict.fromkeys(found))


def _reasons(stage: str, entries: list[str | dict[str, dict[str, object]]], made: set[str]) -> list[str]:
    found = []
    for entry in entries:
        if isinstance(entry, str):
            found.append(f"the command of {stage}")
            continue
        for name, change in entry.get("changed deps", {}).items():
            if isinstance(change, dict):
                found.append(f"params: {', '.join(change)}")
            elif name not in made:
                found.append(f"code: {name}" if name.startswith("pipelines/") else name)
    return found


def _copy(source: str, target: str) -> str:
    with Path(source).open("rb") as read, Path(target).open("wb") as written:
        try:
            fcntl.ioctl(written.fileno(), _FICLONE, read.fileno())
        except OSError:  # another file system than one that can
            shutil.copyfileobj(read, written, 1 << 20)
    return target
