"""The simulator and the pipeline know nothing of each other."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import pipelines

PIPELINES = Path(pipelines.__file__).parent
SIMULATOR = sorted((PIPELINES / "simulate").glob("*.py"))
OTHERS = sorted(path for path in PIPELINES.rglob("*.py") if path not in SIMULATOR)
ALLOWED = ("pipelines.params", "pipelines.paths", "pipelines.errors", "pipelines.simulate")


def imports(module: Path) -> Iterator[str]:
    """Every module, or name of one, that a module imports."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("module", SIMULATOR, ids=lambda path: path.stem)
def test_the_simulator_imports_nothing_of_the_pipeline_but_its_nouns(module: Path) -> None:
    of_ours = [name for name in imports(module) if name.split(".")[0] == "pipelines"]
    assert all(name.startswith(ALLOWED) for name in of_ours)


@pytest.mark.parametrize("module", OTHERS, ids=lambda path: str(path.relative_to(PIPELINES)))
def test_nothing_of_the_pipeline_imports_the_simulator(module: Path) -> None:
    assert not [name for name in imports(module) if name.startswith("pipelines.simulate")]
    # not by its name in a text either; __main__ alone names the command, and puts the module's name together to run it
    assert "pipelines.simulate" not in module.read_text(encoding="utf-8")


def test_both_rules_look_at_something() -> None:
    assert len(SIMULATOR) > 15
    assert len(OTHERS) > 50
    assert "pipelines.simulate.content.world" in imports(PIPELINES / "simulate" / "stage.py")


@pytest.mark.parametrize("module", SIMULATOR, ids=lambda path: path.stem)
def test_no_draw_goes_through_a_function_that_differs_between_cpus(module: Path) -> None:
    called = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called.add(node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", ""))
        assert not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow)) or _is_whole(node)
    assert not called & {"exp", "log", "pow", "power", "sqrt", "normal", "exponential", "poisson", "gamma", "lognormal"}


def _is_whole(power: ast.BinOp) -> bool:
    """Whether a power is one of whole numbers."""
    return all(isinstance(side, ast.Constant) and isinstance(side.value, int) for side in (power.left, power.right))
