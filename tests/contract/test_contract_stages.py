"""One word per stage, and one set of paths, in dvc.yaml, params.yaml, params.py, paths.py, the folders and the CLI."""

import ast
from pathlib import Path

import pytest

from pipelines import dvcfile, params
from pipelines.__main__ import BESIDE, STAGES
from pipelines.paths import Workspace

NOUNS = {"pipelines/encoder", "pipelines/student"}  # folders that stages share, and so depend on beside their own
WRITTEN_BY_PEOPLE = {"data", "forgotten.txt"}
MAY_IMPORT = {
    "audit": {"pretrain"},  # it trains the very encoder, over seeds
    "score": {"ingest", "sessionize"},  # a window passes the very same steps
    "monitor": {"score"},
    "gate": {"evaluate", "score"},  # the very same evaluation, of what the champion makes of the same sessions
    "forget": {"ingest", "sessionize"},  # raw files are searched and links made as those stages do
    "record": {"taxonomy"},  # the same run again, from stored replies
    "retrain": {"taxonomy"},  # whether one is approved, and which
    "approve": {"taxonomy"},  # what it approves is that stage's document
    "init": {"ingest"},  # what it shows is what ingest would make of the file
}


@pytest.fixture(scope="module")
def stages(repository: Path) -> list[dvcfile.Stage]:
    return dvcfile.read(repository / "dvc.yaml")


def workspace_paths() -> set[str]:
    workspace = Workspace(Path("root"))
    names = [name for name, value in vars(Workspace).items() if isinstance(value, property)]
    return {getattr(workspace, name).relative_to("root").as_posix() for name in names}


def test_dvc_and_the_command_line_name_the_same_stages_in_the_same_order(stages: list[dvcfile.Stage]) -> None:
    assert [stage.name for stage in stages] == list(STAGES)
    assert {stage.name: stage.command for stage in stages} == {name: f"python -m pipelines {name}" for name in STAGES}


def test_every_stage_says_what_it_does(stages: list[dvcfile.Stage]) -> None:
    assert all(stage.description for stage in stages)


def test_params_yaml_params_py_and_the_stages_name_the_same_blocks(repository: Path) -> None:
    blocks = set(params.Params.model_fields) - {"seed"}
    assert blocks == set(STAGES) | {"simulate", "monitor", "gate", "retrain"}
    params.load(repository / "params.yaml")


def test_a_stage_depends_on_its_own_block_and_the_seed_at_most(stages: list[dvcfile.Stage]) -> None:
    for stage in stages:
        assert stage.name in stage.params
        assert set(stage.params) <= {stage.name, "seed"}


def test_dvc_depends_on_a_stages_own_code_and_on_shared_nouns_only(stages: list[dvcfile.Stage]) -> None:
    for stage in stages:
        code = {dep for dep in stage.deps if dep.startswith("pipelines/")}
        assert f"pipelines/{stage.name}" in code
        assert code - {f"pipelines/{stage.name}"} <= NOUNS


def test_every_path_of_dvc_yaml_is_spelled_so_in_paths_py(stages: list[dvcfile.Stage]) -> None:
    known = workspace_paths()
    for stage in stages:
        read = {dep for dep in stage.deps if not dep.startswith("pipelines/")}
        assert read <= known, f"{stage.name} depends on a path that paths.py does not spell"
        assert set(stage.outs) <= known, f"{stage.name} writes a path that paths.py does not spell"


def test_every_path_that_a_stage_reads_is_written_by_a_stage_before_it(stages: list[dvcfile.Stage]) -> None:
    written = set(WRITTEN_BY_PEOPLE)
    for stage in stages:
        assert {dep for dep in stage.deps if not dep.startswith("pipelines/")} <= written
        written |= set(stage.outs)


def test_dvc_deletes_no_cache_and_no_checkpoint(stages: list[dvcfile.Stage]) -> None:
    kept = Workspace(Path()).cache.as_posix()
    assert not any(out == kept or out.startswith(f"{kept}/") for stage in stages for out in stage.outs)


@pytest.mark.parametrize("command", [*STAGES, *BESIDE])
def test_every_command_has_a_folder_whose_stage_py_defines_run(repository: Path, command: str) -> None:
    module = ast.parse((repository / "pipelines" / command / "stage.py").read_text(encoding="utf-8"))
    runs = [node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == "run"]
    assert len(runs) == 1
    n_lines = (runs[0].end_lineno or 0) - runs[0].lineno + 1
    assert n_lines <= 40, f"pipelines/{command}/stage.py: run has {n_lines} lines: move work into pure functions"
    assert ast.get_docstring(runs[0]), f"pipelines/{command}/stage.py: run lacks a docstring"


def test_no_stage_imports_another(repository: Path) -> None:
    folders = [*STAGES, *BESIDE]
    for stage in folders:
        allowed = {stage} | MAY_IMPORT.get(stage, set())
        for module in sorted((repository / "pipelines" / stage).rglob("*.py")):
            foreign = {name for name in imported(module) if name in folders} - allowed
            assert not foreign, f"{module.relative_to(repository)} imports {', '.join(sorted(foreign))}"


def test_shared_nouns_import_no_stage(repository: Path) -> None:
    folders = {*STAGES, *BESIDE}
    pipelines = repository / "pipelines"
    nouns = [module for module in pipelines.rglob("*.py") if module.relative_to(pipelines).parts[0] not in folders]
    assert nouns
    for module in nouns:
        assert not imported(module) & folders, f"{module.relative_to(repository)} imports a stage"


def test_truth_is_read_by_simulate_and_evaluate_only(repository: Path) -> None:
    pipelines = repository / "pipelines"
    for module in pipelines.rglob("*.py"):
        if module.relative_to(pipelines).parts[0] in {"simulate", "evaluate", "paths.py"}:
            continue
        names = {node.attr for node in ast.walk(parsed(module)) if isinstance(node, ast.Attribute)}
        assert "truth" not in names, f"{module.relative_to(repository)} reads the demo bank's truth"


def test_a_stage_gets_its_block_and_the_seed_only(repository: Path) -> None:
    for stage in STAGES:
        module = parsed(repository / "pipelines" / stage / "stage.py")
        run = next(node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == "run")
        assert len(run.args.args) == 3, f"pipelines/{stage}/stage.py: run takes (workspace, its block, the seed)"


def imported(module: Path) -> set[str]:
    """The parts directly under `pipelines` that a module imports, wherever in it the import stands."""
    names: set[str] = set()
    for node in ast.walk(parsed(module)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("pipelines.")}


def parsed(module: Path) -> ast.Module:
    return ast.parse(module.read_text(encoding="utf-8"))
