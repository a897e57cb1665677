"""Reading a stage graph from dvc.yaml."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.dvcfile import DvcfileError, Stage, in_order, read, upstream


def stage(name: str, deps: tuple[str, ...] = (), outs: tuple[str, ...] = ()) -> Stage:
    return Stage(name=name, description="", command="true", deps=deps, params=(), outs=outs)


def written(folder: Path, text: str) -> Path:
    path = folder / "dvc.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_metrics_and_plots_are_outputs_with_or_without_options(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
stages:
  train:
    desc: learns
    cmd: train
    deps: [data]
    params: [seed, {other.yaml: [rate]}]
    outs: [model, {log: {cache: false}}]
    metrics: [{m.json: {cache: false}}]
    plots: [curves]
""",
    )
    assert read(path) == [
        Stage("train", "learns", "train", ("data",), ("seed", "other.yaml"), ("model", "log", "m.json", "curves"))
    ]


def test_a_file_in_an_output_folder_and_a_folder_of_outputs_depend_on_their_stage() -> None:
    stages = [
        stage("a", outs=("out/one", "out/two.txt")),
        stage("file", deps=("out/one/part.txt",)),
        stage("folder", deps=("out",)),
        stage("namesake", deps=("out/one.txt", "out/on")),
    ]
    assert upstream(stages) == {"a": [], "file": ["a"], "folder": ["a"], "namesake": []}


def test_a_stage_waits_only_for_those_that_no_other_waits_for() -> None:
    stages = [stage("c", ("b", "a")), stage("b", ("a",), ("b",)), stage("a", (), ("a",))]
    assert upstream(stages) == {"a": [], "b": ["a"], "c": ["b"]}
    assert [one.name for one in in_order(stages)] == ["a", "b", "c"]


def test_a_circle_is_refused_by_name() -> None:
    with pytest.raises(DvcfileError, match="`a`, `b` depend on each other"):
        in_order([stage("a", ("b",), ("a",)), stage("b", ("a",), ("b",))])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stages: [", "not valid YAML"),
        ("- a\n", "expected `stages:`"),
        ("stages:\n  a: {deps: [b]}\n", "stage `a`: expected a plain stage with one `cmd`"),
        ("stages:\n  a:\n    foreach: [1]\n    do: {cmd: x}\n", "stage `a`: expected a plain stage with one `cmd`"),
        ("stages:\n  a: {cmd: 'x ${y}'}\n", "stage `a`: expected a plain stage with one `cmd`"),
    ],
)
def test_what_it_does_not_read_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DvcfileError, match=message):
        read(written(tmp_path, text))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DvcfileError, match=r"dvc\.yaml is missing"):
        read(tmp_path / "dvc.yaml")


@given(
    st.permutations(range(6)), st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(lambda e: e[0] < e[1]))
)
def test_the_order_respects_every_dependency_however_the_stages_are_listed(
    listed: list[int], edges: set[tuple[int, int]]
) -> None:
    made = [stage(str(n), tuple(f"out{a}" for a, b in sorted(edges) if b == n), (f"out{n}",)) for n in listed]
    place = {one.name: position for position, one in enumerate(in_order(made))}
    assert len(place) == len(listed)
    assert all(place[str(a)] < place[str(b)] for a, b in edges)

    def ancestors(name: str) -> set[str]:
        direct = upstream(made)[name]
        return {*direct}.union(*(ancestors(other) for other in direct))

    assert all(str(a) in ancestors(str(b)) for a, b in edges)
