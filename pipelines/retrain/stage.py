"""retrain: data and settings of now -> .work/retrain/RUN/, where the stages of dvc.yaml run beside the champion."""

from datetime import UTC, date, datetime
from pathlib import Path

from pipelines import champion, dvcfile, runs
from pipelines.champion import Champion
from pipelines.claim import claimed
from pipelines.errors import ParamsError, SkippedError
from pipelines.params import Params
from pipelines.paths import Workspace
from pipelines.repository import dvc, git
from pipelines.retrain import inputs, taxonomies, worktree
from pipelines.runs import Cause, Profile, Run

Days = tuple[date | None, date | None]


def run(
    workspace: Workspace, params: Params, from_: date | None, to: date | None, run: str | None, profile: Profile,
    cause: Cause, because: str,
) -> None:  # fmt: skip
    """Makes the run's workspace anew, and says what is new in it; repeated for the same run it begins again.

    The run is known from then on, a skipped one with its reason.

    Raises:
        SkippedError: the run would read what the champion was made of, or the budget of runs is spent.
        RunError: there is no git repository with DVC here, no data, or git or DVC refused.
        ParamsError: the window holds no day.
    """
    name, days = runs.name_of(run or f"{datetime.now(UTC):%Y-%m-%dT%H%M%S}"), (from_, to)
    overrides = _overrides(params, profile, days)
    workspace.retrainings.mkdir(parents=True, exist_ok=True)
    with claimed(workspace.retrainings / ".lock", "prepares a retraining here"):
        earlier = [one for one in runs.known(workspace) if one.name != name]
        folder, present = runs.folder(workspace, name), champion.present(workspace, "retrain")
        begun = _record(name, cause, because, profile, days, present)
        try:
            runs.insist_on_budget(earlier, cause, params.retrain, begun.began_at)
            code = worktree.make(workspace, folder)
            new = _filled(workspace, folder, present, overrides)
            if present and not new:
                worktree.remove(workspace, folder)
                raise SkippedError(f"no new data and no new params since champion {present.version} was made")
        except SkippedError as reason:
            runs.write(workspace, begun.model_copy(update={"skipped": str(reason)}))
            raise
        runs.write(workspace, begun.model_copy(update={"code": code, "new": new}))
        _prune(workspace, earlier, params.retrain.kept_workspaces)
    print(f"retrain: {folder.relative_to(workspace.root)} is ready; new: {'; '.join(new)}")


def _filled(workspace: Workspace, folder: Path, present: Champion | None, overrides: list[str]) -> list[str]:
    """Puts all inputs into the worktree, and the champion's outputs where they are cached; returns what is new."""
    tag = _tag(workspace, present)
    inputs.take(workspace.root, folder, tag)
    inputs.override(folder / "params.yaml", overrides)
    print("retrain: copying data/ and hashing it", flush=True)
    inputs.land(workspace.data, folder)
    new = inputs.new(folder, dvcfile.read(folder / "dvc.yaml"), tag)
    if present and taxonomies.settle(workspace, Workspace(folder), present):
        new.append("the approved taxonomy")
    if new and tag:  # a stage that reads nothing new has its outputs already
        dvc(folder, "checkout", "--quiet", "--allow-missing")
    return new


def _tag(workspace: Workspace, present: Champion | None) -> str | None:
    """The champion's tag, where it has one that nobody deleted."""
    tag = present.manifest.record.git_tag if present else None
    return tag if tag and git(workspace.root, "tag", "--list", tag) else None


def _overrides(params: Params, profile: Profile, days: Days) -> list[str]:
    from_, to = days
    if from_ and to and from_ >= to:
        raise ParamsError(f"--from {from_} --to {to}: the window holds no day; `to` is the first day no longer read")
    values = params.retrain.fast if profile == "fast" else {}
    overrides = [f"{key}={'null' if value is None else value}" for key, value in values.items()]
    return overrides + [f'ingest.window.{side}="{day}"' for side, day in (("from", from_), ("to", to)) if day]


def _record(
    name: str, cause: Cause, because: str, profile: Profile, days: Days, present: Champion | None
) -> Run:  # fmt: skip
    from_, to = (str(day) if day else None for day in days)
    return Run(
        name=name,
        began_at=datetime.now(UTC),
        cause=cause,
        because=because,
        profile=profile,
        window=(from_, to),
        champion=present.version if present else None,
        code="",
        new=[],
    )


def _prune(workspace: Workspace, earlier: list[Run], kept: int) -> None:
    """Removes the workspaces of older runs; what they promoted lies in git and in the DVC cache."""
    there = [run for run in earlier if runs.folder(workspace, run.name).is_dir()]
    for run in there[kept:]:
        print(f"retrain: removing the workspace of {run.name}")
        worktree.remove(workspace, runs.folder(workspace, run.name))
