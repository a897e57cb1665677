"""What the files beside the code say agrees with the code: Makefile, lock, telemetry, README; no path of a machine."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from pipelines import telemetry
from pipelines.__main__ import BESIDE, STAGES

TARGETS = {"help", "demo", "test", "check", "data", "monitor", "map", "audit", "airflow", "msnbc", "bench", "lock"}
TARGETS |= {"bench-bank", "bench-formats", "bench-ingest", "bench-scrub", "bench-taxonomy", "bench-worlds"}
TARGETS |= {"bench-sessionize", "bench-sessionize-large", "bench-student", "redteam", "test-llm", "test-spark"}
TARGETS |= {"test-airflow", "test-browser", "test-ddp"}
TARGETS |= {"ablate", "bench-encoder", "bench-probes", "drift-ui", "bench-drift"}
OF_A_MACHINE = re.compile(r"(?<![\w.~-])/(?:work|tmp|root|home|opt|farm|Users)/\w")
INDEX_OPTION = re.compile(r"^\s*(--|-i\b|-f\b)|://|@", re.MULTILINE)


@pytest.fixture(scope="module")
def makefile(repository: Path) -> str:
    return (repository / "Makefile").read_text(encoding="utf-8")


def tracked(repository: Path) -> list[Path]:
    """The files that git tracks, or would: those that it does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [repository / name for name in listed.split("\0") if name and (repository / name).is_file()]


def test_make_lists_every_target_with_what_it_does(makefile: str, repository: Path) -> None:
    listed = subprocess.run(["make"], cwd=repository, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^make (\S+) +\S", listed, re.MULTILINE)) == TARGETS
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony
    assert set(phony[1].split()) == TARGETS


def test_the_makefile_switches_off_the_telemetry_that_the_pipeline_does(makefile: str) -> None:
    exported = dict(re.findall(r"^export (\w+) \?= (\S+)$", makefile, re.MULTILINE))
    assert exported.items() >= telemetry.OFF.items()


def test_dvc_neither_reports_nor_looks_for_updates(repository: Path) -> None:
    config = (repository / ".dvc" / "config").read_text(encoding="utf-8")
    assert re.search(r"^\s*analytics = false$", config, re.MULTILINE)
    assert re.search(r"^\s*check_update = false$", config, re.MULTILINE)


def test_the_lock_names_one_version_a_package_and_no_place(repository: Path) -> None:
    lines = (repository / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if not re.fullmatch(r"#.*|[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line)]


def test_the_lock_holds_every_direct_dependency_at_its_pin(repository: Path) -> None:
    direct = (repository / "requirements.in").read_text(encoding="utf-8")
    assert not INDEX_OPTION.search(direct)
    lock = dict(
        line.lower().split("==")
        for line in (repository / "requirements.txt").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    )
    wanted = re.findall(r"^([A-Za-z0-9._-]+)(==\S+)?", direct, re.MULTILINE)
    assert len(wanted) > 20
    for name, pin in wanted:
        assert name.lower() in lock, f"requirements.in names {name}, which the lock lacks: run `make lock`"
        assert not pin or pin == f"=={lock[name.lower()]}", f"{name} is locked otherwise: run `make lock`"


def test_the_tiny_profile_names_values_that_params_yaml_has(repository: Path) -> None:
    def keys(values: dict[str, object], prefix: str = "") -> set[str]:
        found: set[str] = set()
        for key, value in values.items():
            found |= keys(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}"}
        return found

    full = yaml.safe_load((repository / "params.yaml").read_text(encoding="utf-8"))
    tiny = yaml.safe_load((repository / "tests" / "tiny.yaml").read_text(encoding="utf-8"))
    assert keys(tiny) <= keys(full)


def test_no_tracked_file_names_a_path_of_a_machine(repository: Path) -> None:
    for file in tracked(repository):
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture or an archive
        found = OF_A_MACHINE.search(text)
        assert not found, f"{file.relative_to(repository)} names {found[0] if found else ''}..."


def test_no_tracked_file_is_large(repository: Path) -> None:
    large = [file.name for file in tracked(repository) if file.stat().st_size > 1_000_000]
    assert not large, "files over 1 MB belong to DVC"


def test_the_readme_names_only_what_there_is(repository: Path) -> None:
    readme = (repository / "README.md").read_text(encoding="utf-8")
    commands = set(re.findall(r"python -m pipelines (\w+)", readme))
    assert commands <= {*STAGES, *BESIDE}
    assert set(re.findall(r"\bmake ([a-z-]+)\b(?!ing)", "\n".join(code(readme)))) <= TARGETS
    modules = re.findall(r"python -m ((?:pipelines|benchmarks)(?:\.\w+)+)", readme)
    places = [module.replace(".", "/") for module in modules]
    assert all((repository / f"{place}.py").exists() or (repository / place).is_dir() for place in places)


def test_the_readmes_links_and_file_tree_exist(repository: Path) -> None:
    readme = (repository / "README.md").read_text(encoding="utf-8")
    links = [link.split("#")[0] for link in re.findall(r"\]\((?!\w+:|#)([^)\s]+)\)", readme)]
    assert all((repository / link).exists() for link in links)
    made = ("artifacts/", "reports/", "data/", "champion", ".env", "taxonomy.yaml", ".airflow", "dvc.lock", "data.dvc")
    words = [word for word in re.findall(r"`([\w./-]+/[\w./-]*)`", readme) if "..." not in word]
    named = [word for word in words if not word.startswith((*made, "../"))]
    assert not [word for word in named if not (repository / word).exists()]


def code(markdown: str) -> list[str]:
    """Code blocks and code spans."""
    return re.findall(r"```.*?```|`[^`\n]+`", markdown, re.DOTALL)


def test_params_yaml_holds_only_what_dvc_reads(repository: Path) -> None:
    """DVC refuses a bare date anywhere in the file: dates are quoted."""

    def leaves(value: object) -> list[object]:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        return [value] if inner is None else [leaf for one in inner for leaf in leaves(one)]

    values = yaml.safe_load((repository / "params.yaml").read_text(encoding="utf-8"))
    assert [leaf for leaf in leaves(values) if not isinstance(leaf, str | int | float | bool | None)] == []
