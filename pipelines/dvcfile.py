"""The stage graph of dvc.yaml: Airflow's DAG and the tests read it here, so that it is written once.

Reads plain stages only: `foreach`, `matrix` and `${}` are refused rather than half understood.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from pipelines.errors import PipelineError


class DvcfileError(PipelineError):
    """dvc.yaml is missing, or holds what this module does not read."""


@dataclass(frozen=True)
class Stage:
    """One stage of dvc.yaml; ``outs`` holds its metrics and plots as well."""

    name: str
    description: str
    command: str
    deps: tuple[str, ...]
    params: tuple[str, ...]
    outs: tuple[str, ...]


def read(path: Path) -> list[Stage]:
    """Returns the stages of the dvc.yaml at ``path``, each after those it depends on.

    Raises:
        DvcfileError: the file is missing, is not understood, or its stages form a cycle.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DvcfileError(f"{path} is missing: expected the dvc.yaml of the repository") from None
    except yaml.YAMLError:
        raise DvcfileError(f"{path.name} is not valid YAML: compare with the file in the repository") from None
    if not isinstance(values, dict) or not isinstance(values.get("stages"), dict):
        raise DvcfileError(f"{path.name}: expected `stages:`; compare with the file in the repository")
    return in_order([_stage(name, block) for name, block in values["stages"].items()])


def in_order(stages: Sequence[Stage]) -> list[Stage]:
    """Returns the stages, each after those it depends on; otherwise in the order given."""
    waiting, ordered = list(stages), list[Stage]()
    needs = _needs(stages)
    while waiting:
        done = {stage.name for stage in ordered}
        ready = next((stage for stage in waiting if done.issuperset(needs[stage.name])), None)
        if ready is None:
            names = ", ".join(f"`{stage.name}`" for stage in waiting)
            raise DvcfileError(f"dvc.yaml: the stages {names} depend on each other in a circle: remove one dependency")
        waiting.remove(ready)
        ordered.append(ready)
    return ordered


def upstream(stages: Sequence[Stage]) -> dict[str, list[str]]:
    """Returns, for every stage, those it must wait for, less those that one of them waits for anyhow."""
    needs = _needs(stages)
    before: dict[str, set[str]] = {}  # all ancestors
    for stage in in_order(stages):
        before[stage.name] = {*needs[stage.name]}.union(*(before[name] for name in needs[stage.name]))
    return {
        stage: [name for name in names if not any(name in before[other] for other in names)]
        for stage, names in needs.items()
    }


def _needs(stages: Sequence[Stage]) -> dict[str, list[str]]:
    return {
        stage.name: [other.name for other in stages if other is not stage and _reads(stage.deps, other.outs)]
        for stage in stages
    }


def _stage(name: str, block: Any) -> Stage:
    if not isinstance(block, dict) or not isinstance(block.get("cmd"), str) or "${" in str(block):
        raise DvcfileError(
            f"dvc.yaml: stage `{name}`: expected a plain stage with one `cmd` (no foreach, matrix, ${{}})"
        )
    outs = [path for kind in ("outs", "metrics", "plots") for path in _names(block.get(kind, ()))]
    return Stage(
        name=name,
        description=str(block.get("desc", "")),
        command=block["cmd"],
        deps=tuple(_names(block.get("deps", ()))),
        params=tuple(_names(block.get("params", ()))),
        outs=tuple(outs),
    )


def _names(entries: Iterable[str | Mapping[str, Any]]) -> list[str]:
    """Entries are plain names, or names with options: `{name: {cache: false}}`."""
    return [name for entry in entries for name in ([entry] if isinstance(entry, str) else entry)]


def _reads(deps: Iterable[str], outs: Iterable[str]) -> bool:
    pairs = [(PurePosixPath(dep), PurePosixPath(out)) for dep in deps for out in outs]
    return any(dep.is_relative_to(out) or out.is_relative_to(dep) for dep, out in pairs)
