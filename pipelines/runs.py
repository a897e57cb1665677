"""Retrainings that began: the name of each, where it works, and what is known of it (.work/retrain/NAME.json)."""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines.errors import RunError, SkippedError
from pipelines.params import Retrain
from pipelines.paths import Workspace

Cause = Literal["person", "schedule", "alarm"]
Profile = Literal["full", "fast"]

_SAFE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,79}")


class Run(BaseModel):
    """What is known of a retraining: who started it and why, and what is new since the champion."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    began_at: datetime
    cause: Cause
    because: str
    profile: Profile
    window: tuple[str | None, str | None]
    champion: str | None
    code: str
    new: list[str]
    skipped: str = ""  # why it ended before its first stage


def name_of(run_id: str) -> str:
    """Returns ``run_id`` as the name of a folder and a git branch; no two ids have the same one."""
    if _SAFE.fullmatch(run_id):
        return run_id
    readable = re.sub(r"[^A-Za-z0-9]+", "-", run_id).strip("-")[:60]
    return f"{readable}-{hashlib.sha256(run_id.encode()).hexdigest()[:8]}".removeprefix("-")


def folder(workspace: Workspace, name: str) -> Path:
    """Returns where the run of that name works."""
    return workspace.retrainings / name


def opened(challenger: Path) -> Workspace:
    """Returns the workspace of a ``challenger`` that somebody named.

    Raises:
        RunError: there is no such folder.
    """
    if not challenger.is_dir():
        raise RunError(f"--challenger {challenger}: there is no such folder; retrainings lie in .work/retrain/")
    return Workspace(challenger.resolve())


def write(workspace: Workspace, run: Run) -> None:
    """Keeps ``run``, in one step; it outlives the run's workspace."""
    unfinished = workspace.retrainings / f".{run.name}.unfinished"
    unfinished.write_text(run.model_dump_json(indent=1) + "\n", encoding="utf-8")
    unfinished.replace(workspace.retrainings / f"{run.name}.json")


def known(workspace: Workspace) -> list[Run]:
    """Returns all runs that began, the newest first; a damaged record is none."""
    found = []
    for path in workspace.retrainings.glob("*.json"):
        try:
            found.append(Run.model_validate_json(path.read_bytes()))
        except ValidationError:
            continue
    return sorted(found, key=lambda run: run.began_at, reverse=True)


def insist_on_budget(earlier: list[Run], cause: Cause, retrain: Retrain, now: datetime) -> None:
    """Raises SkippedError where a schedule or an alarm may not start another run yet; a person may always."""
    since = now - timedelta(days=retrain.budget_days)
    spent = [run for run in earlier if run.cause != "person" and run.began_at > since and not run.skipped]
    if cause != "person" and len(spent) >= retrain.budget_runs:
        raise SkippedError(
            f"{len(spent)} runs began by themselves since {since.astimezone(UTC):%Y-%m-%d}, and "
            f"retrain.budget_runs is {retrain.budget_runs}: start one by hand, or raise it"
        )
