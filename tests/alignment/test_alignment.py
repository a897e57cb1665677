"""Spaces that are turned into one another, and tables of several encoders."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tiny import run_command

from pipelines import champion, params, schemas
from pipelines.alignment import ANCHORS, Alignment, fitted, neighbour_overlap, stacked
from pipelines.errors import TableError
from pipelines.paths import Workspace
from pipelines.promote import anchors
from pipelines.promote.stage import run as promote
from pipelines.tables import read_table


def vectors(n_rows: int, n_dims: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n_rows, n_dims)).astype(np.float32)


def rotation(n_dims: int) -> np.ndarray:
    return np.linalg.qr(vectors(n_dims, n_dims, seed=9))[0]


def way(source: str, target: str, turned: np.ndarray) -> Alignment:
    nothing = np.zeros(len(turned))
    return Alignment(source, target, nothing, turned, nothing, r2=1.0, neighbour_overlap=1.0)


def table(version: str, ids: list[str], embeddings: np.ndarray) -> pa.Table:
    rows = [
        {"session_id": name, "embedding": row.tolist(), "encoder_version": version}
        for name, row in zip(ids, embeddings, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=schemas.EMBEDDINGS)


def embeddings_of(found: pa.Table) -> np.ndarray:
    return np.array(found.column("embedding").to_pylist())


def test_a_turned_and_scaled_space_is_turned_back(tmp_path: Path) -> None:
    former = vectors(300, 8)
    new = 3 * (former - 1) @ rotation(8)
    found = fitted("new", "former", new, former)
    assert found.r2 == pytest.approx(1, abs=1e-6)
    assert found.neighbour_overlap == 1
    np.testing.assert_allclose(found.apply(new), former, atol=1e-5)
    found.save(tmp_path / "way")
    loaded = Alignment.load(tmp_path / "way")
    assert (loaded.source, loaded.target, loaded.r2) == ("new", "former", found.r2)
    assert np.array_equal(loaded.apply(new), found.apply(new))


def test_unrelated_spaces_are_found_to_be_so() -> None:
    found = fitted("new", "former", vectors(600, 8, seed=1), vectors(600, 8, seed=2))
    assert found.r2 < 0.05
    assert found.neighbour_overlap < 0.15  # 10 of 200 by chance


def test_a_wider_encoder_is_aligned_with_a_narrower_one() -> None:
    former = vectors(400, 4)
    new = np.concatenate([former @ rotation(4), 0.01 * vectors(400, 4, seed=3)], axis=1)
    found = fitted("new", "former", new, former)
    assert found.apply(new).shape == (400, 4)
    assert found.r2 > 0.99


def test_few_anchors_are_refused() -> None:
    with pytest.raises(TableError, match="200 at least"):
        fitted("new", "former", vectors(199, 4), vectors(199, 4))


def test_neighbours_by_hand() -> None:
    line = np.array([[0.0], [1.0], [3.0], [7.0]])
    assert neighbour_overlap(line, line * 2, n_neighbours=1) == 1
    swapped = np.array([[0.0], [1.0], [7.0], [3.0]])  # nearest are 1, 0, 3, 1 instead of 1, 0, 1, 2
    assert neighbour_overlap(line, swapped, n_neighbours=1) == 0.5


def test_tables_of_one_encoder_are_joined_as_they_are() -> None:
    first, second = table("a", ["1"], vectors(1, 4)), table("a", ["2"], vectors(1, 4, seed=1))
    assert stacked([first, second]).equals(pa.concat_tables([first, second]))


def test_tables_of_two_encoders_are_refused_unless_aligned() -> None:
    old, new = table("a", ["1", "2"], vectors(2, 4)), table("b", ["3"], vectors(1, 4, seed=1))
    with pytest.raises(TableError, match=r"of b and of a .* cannot be joined"):
        stacked([old, new])
    with pytest.raises(TableError, match="cannot be joined"):
        stacked([old, new], [way("a", "b", rotation(4))])  # leads the other way
    found = stacked([old, new], [way("b", "a", rotation(4))])
    assert found.schema.equals(schemas.EMBEDDINGS)
    assert found.column("encoder_version").to_pylist() == ["a", "a", "b@a"]
    assert np.array_equal(embeddings_of(found)[:2], vectors(2, 4))
    np.testing.assert_allclose(embeddings_of(found)[2], (vectors(1, 4, seed=1) @ rotation(4))[0], atol=1e-6)


def test_alignments_lead_on_from_one_retraining_to_the_next() -> None:
    ways = [way("c", "b", rotation(4)), way("b", "a", rotation(4))]
    found = stacked([table("a", ["1"], vectors(1, 4)), table("c", ["2"], vectors(1, 4, seed=1))], ways)
    assert found.column("encoder_version").to_pylist() == ["a", "c@a"]
    expected = vectors(1, 4, seed=1) @ rotation(4) @ rotation(4)
    np.testing.assert_allclose(embeddings_of(found)[1], expected[0], atol=1e-6)
    again = stacked([found, table("b", ["3"], vectors(1, 4, seed=2))], ways)
    assert again.column("encoder_version").to_pylist() == ["a", "c@a", "b@a"]
    with pytest.raises(TableError):
        stacked([table("a", ["1"], vectors(1, 4)), table("c", ["2"], vectors(1, 4))], [way("c", "c2", rotation(4))])


def test_a_retrained_encoder_is_aligned_with_the_champion_at_its_promotion(
    tiny_run: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = Workspace(tmp_path / "root")
    shutil.copytree(tiny_run.artifacts, workspace.artifacts)
    shutil.copyfile(tiny_run.params, workspace.params)
    values = params.load(workspace.params)
    promote(workspace, values)
    held = champion.current(workspace)
    pinned = read_table(held.folder / "anchors.parquet", ANCHORS)
    assert not (held.folder / "alignment.safetensors").exists()
    assert set(pinned.column("encoder_version").to_pylist()) == {held.manifest.record.encoder_version}
    run_command("pretrain", workspace.root, "--set", "seed=4", "--set", "pretrain.max_epochs=2")
    run_command("distill", workspace.root)
    capsys.readouterr()
    promote(workspace, values)
    assert "aligned with 0001-" in capsys.readouterr().out
    second = champion.current(workspace)
    found = Alignment.load(second.folder / "alignment.safetensors")
    assert (found.source, found.target) == (
        second.manifest.record.encoder_version, held.manifest.record.encoder_version
    )  # fmt: skip
    assert found.r2 > 0.2
    tables = [read_table(folder / "anchors.parquet", ANCHORS).select(schemas.EMBEDDINGS.names)
              for folder in (held.folder, second.folder)]  # fmt: skip
    assert len(stacked(tables, [found])) == len(tables[0]) + len(tables[1])
    promote(workspace, values)  # nothing changed: the alignment with the former one stays
    assert champion.current(workspace).version == second.version


def test_a_champion_without_anchors_is_no_obstacle(
    tiny_run: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = Workspace(tmp_path / "root")
    shutil.copytree(tiny_run.artifacts, workspace.artifacts)
    shutil.copyfile(tiny_run.params, workspace.params)
    promote(workspace, params.load(workspace.params))
    held = champion.current(workspace)
    (held.folder / "anchors.parquet").unlink()
    bundle = tmp_path / "bundle"
    shutil.copytree(held.folder, bundle)
    record = held.manifest.record.model_copy(update={"encoder_version": "encoder-former"})
    former = replace(held, manifest=held.manifest.model_copy(update={"record": record}))
    anchors.pin(bundle, workspace, former, seed=1)
    assert "no alignment" in capsys.readouterr().out
    assert not (bundle / "alignment.safetensors").exists()
