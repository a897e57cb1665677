"""promote: artifacts -> champions/<version>/ and champion.json."""

import hashlib
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from pipelines import champion, schemas
from pipelines.champion import Champion, Manifest, Record
from pipelines.encoder.runtime import Runtime
from pipelines.errors import ChampionError, TableError
from pipelines.params import Params
from pipelines.paths import Workspace, staged
from pipelines.promote import anchors, tag
from pipelines.student import Student
from pipelines.tables import read_table, write_table


def run(workspace: Workspace, params: Params) -> None:
    """Makes the current artifacts the champion; says so and changes nothing when they are it already.

    Raises:
        TableError: an artifact is missing, or they come from different runs.
        ChampionError: no session can serve as reference.
    """
    present = _present(workspace)
    with staged(workspace, "promote") as staging:
        bundle = staging.folder / "bundle"
        encoder, student = _fill(bundle, workspace, params)
        anchors.pin(bundle, workspace, present, params.seed)
        files = champion.file_hashes(bundle)
        if present and present.manifest.files == files:
            print(f"promote: {present.version} is the champion already: nothing changed")
            return
        number = f"{_next_number(workspace):04}"
        record = Record(
            version=f"{number}-{_content_hash(files)}",
            git_tag=tag.tag(workspace.root, number, f"Champion {number}: {encoder.version}, {student.version}"),
            encoder_version=encoder.version,
            taxonomy_version=student.taxonomy_version,
            student_version=student.version,
            promoted_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        manifest = Manifest(record=record, previous=present.version if present else None, files=files)
        champion.write_json(bundle / champion.MANIFEST, manifest)
        bundle.replace(staging.path(workspace.champions / record.version))
        champion.write_json(staging.path(workspace.champion), record)
    print(f"promote: {record.version} is the champion ({record.git_tag or 'no git here, so no tag'})")


def _fill(bundle: Path, workspace: Workspace, params: Params) -> tuple[Runtime, Student]:
    """Copies the artifacts into ``bundle``; returns the encoder and the student, which load and belong together."""
    encoder, student = Runtime.load(workspace.encoder), Student.load(workspace.student)
    reference = reference_table(workspace, encoder.version, student, params)
    shutil.copytree(workspace.encoder, bundle / champion.ENCODER)
    shutil.copytree(workspace.student, bundle / champion.STUDENT)
    write_table(read_table(workspace.pages, schemas.PAGES), bundle / champion.PAGES, schemas.PAGES)
    write_table(reference, bundle / champion.REFERENCE_FILE, champion.REFERENCE)
    if not workspace.used_taxonomy.exists():
        raise TableError("artifacts/taxonomy/taxonomy.yaml is missing: run `python -m pipelines taxonomy` first")
    shutil.copyfile(workspace.used_taxonomy, bundle / champion.TAXONOMY)
    values = params.model_dump(mode="json", by_alias=True)
    (bundle / champion.PARAMS).write_text(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return encoder, student


def reference_table(workspace: Workspace, encoder_version: str, student: Student, params: Params) -> pa.Table:
    """Returns a seeded sample of the training and validation sessions, as champion.REFERENCE, in the table's order.

    Test sessions are left out: a window that is scored next is often theirs, and would be compared with itself.
    """
    sessions = read_table(workspace.sessions, schemas.SESSIONS)
    embeddings = read_table(workspace.embeddings, schemas.EMBEDDINGS)
    intents = read_table(workspace.intents, schemas.INTENTS)
    _same(embeddings, "embeddings", {"encoder_version": encoder_version})
    _same(intents, "intents", {"encoder_version": encoder_version, "student_version": student.version})
    known = sessions.filter(pc.is_in(sessions.column("split"), pa.array(["train", "valid"])))
    if not len(known):
        raise ChampionError("no session is in train or valid, so drift would have no reference: move sessionize.split")
    size = min(params.monitor.reference_sessions, len(known))
    drawn = np.sort(np.random.default_rng(params.seed).choice(len(known), size, replace=False))
    return champion.observations(known.take(pa.array(drawn)), embeddings, intents, student.intent_ids)


def _present(workspace: Workspace) -> Champion | None:
    """The champion that can be returned to, if there is one; a damaged one is replaced like none."""
    try:
        return champion.current(workspace)
    except ChampionError:
        return None


def _same(table: pa.Table, name: str, versions: dict[str, str]) -> None:
    for column, version in versions.items():
        if pc.unique(table.column(column)).to_pylist() not in ([], [version]):
            raise TableError(
                f"{name}.parquet has another `{column}` than artifacts/: run the stages again, all of them"
            )


def _content_hash(files: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()[:8]


def _next_number(workspace: Workspace) -> int:
    """One more than any bundle's or tag's: a clone has the tags without the bundles."""
    bundles = (name.partition("-")[0] for name in champion.promoted(workspace))
    taken = [int(number) for number in bundles if number.isdigit()]
    return 1 + max([*taken, *tag.numbers(workspace.root)], default=0)
