"""promote: artifacts -> champions/<version>/ and champion.json."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml
from pydantic import ValidationError

from pipelines import champion, runs, schemas, verdict
from pipelines import params as params_file
from pipelines.champion import Champion, Manifest, Record
from pipelines.drift.calibration import Thresholds
from pipelines.drift.cells import Cells
from pipelines.drift.facts import facts
from pipelines.drift.observed import OBSERVED, observed
from pipelines.drift.signals import SIGNALS
from pipelines.encoder.runtime import Runtime
from pipelines.errors import ChampionError, TableError
from pipelines.params import Params
from pipelines.paths import Workspace, staged
from pipelines.promote import anchors, history
from pipelines.repository import is_repository
from pipelines.student import Student
from pipelines.student.labels import embedding_matrix
from pipelines.tables import read_table, write_table


def run(workspace: Workspace, params: Params, challenger: Path | None = None) -> None:
    """Makes the artifacts the champion; says so and changes nothing when they are it already.

    champion.json comes last: killed before it, the former champion serves on, and a repetition goes on from there.

    Args:
        workspace: where the champion serves.
        params: of these artifacts; a challenger has its own.
        challenger: a retraining's workspace, whose artifacts must have passed the gate.

    Raises:
        TableError: an artifact is missing, or they come from different runs.
        GateError: the challenger did not pass the gate against the present champion.
        ChampionError: no session can serve as reference.
        RunError: there is no such challenger, or git or DVC refused.
    """
    made = runs.opened(challenger) if challenger else workspace
    with champion.claim(workspace):
        present = champion.present(workspace, "promote")
        manifest = _bundle(workspace, made, params_file.load(made.params) if challenger else params, present)
        record = manifest.record
        if present and present.version == record.version:
            print(f"promote: {present.version} is the champion already: nothing changed")
            return
        if challenger and history.push(made.root):
            print("promote: data, artifacts and models are at the DVC remote")
        if record.git_tag:
            number = record.version.partition("-")[0]
            message = f"Champion {number}: {record.encoder_version}, {record.student_version}"
            history.keep(made.root, number, message, f"retrain/{made.root.name}" if challenger else None)
        with staged(workspace, "promote") as staging:
            champion.write_json(staging.path(workspace.champion), record)
    print(f"promote: {record.version} is the champion ({record.git_tag or 'no git here, so no tag'})")


def _bundle(workspace: Workspace, made: Workspace, params: Params, present: Champion | None) -> Manifest:
    """Puts the artifacts into champions/, unless they are there: the champion, or what a killed promotion left."""
    with staged(workspace, "promote") as staging:
        bundle = staging.folder / "bundle"
        encoder, student = _fill(bundle, made, params, present)
        anchors.pin(bundle, made, present, params.seed)
        files = champion.file_hashes(bundle)
        if present and present.manifest.files == files:
            return present.manifest
        previous = present.version if present else None
        versions = {
            "encoder_version": encoder.version,
            "taxonomy_version": student.taxonomy_version,
            "student_version": student.version,
        }
        if made != workspace:
            verdict.insist(made, previous, versions)
        for known in (champion.current(workspace, name).manifest for name in _intact(workspace)):
            if known.files == files and known.previous == previous:
                return known
        number = f"{_next_number(workspace):04}"
        record = Record(
            version=f"{number}-{_content_hash(files)}",
            git_tag=f"champion/{number}" if is_repository(made.root) else None,
            promoted_at=datetime.now(UTC).isoformat(timespec="seconds"),
            **versions,
        )
        manifest = Manifest(record=record, previous=previous, files=files)
        champion.write_json(bundle / champion.MANIFEST, manifest)
        bundle.replace(staging.path(workspace.champions / record.version))
    return manifest


def _fill(bundle: Path, workspace: Workspace, params: Params, present: Champion | None) -> tuple[Runtime, Student]:
    """Copies the artifacts into ``bundle``; returns the encoder and the student, which load and belong together."""
    encoder, student = Runtime.load(workspace.encoder), Student.load(workspace.student)
    reference, cells = reference_of(workspace, encoder.version, student, params)
    shutil.copytree(workspace.encoder, bundle / champion.ENCODER)
    shutil.copytree(workspace.student, bundle / champion.STUDENT)
    write_table(read_table(workspace.pages, schemas.PAGES), bundle / champion.PAGES, schemas.PAGES)
    write_table(reference, bundle / champion.REFERENCE, OBSERVED)
    cells.save(bundle / champion.CELLS)
    if not workspace.used_taxonomy.exists():
        raise TableError("artifacts/taxonomy/taxonomy.yaml is missing: run `python -m pipelines taxonomy` first")
    shutil.copyfile(workspace.used_taxonomy, bundle / champion.TAXONOMY)
    values = params.model_dump(mode="json", by_alias=True)
    (bundle / champion.PARAMS).write_text(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), encoding="utf-8")
    champion.write_json(bundle / champion.THRESHOLDS, _thresholds(bundle, reference, params, present))
    return encoder, student


def _thresholds(bundle: Path, reference: pa.Table, params: Params, present: Champion | None) -> Thresholds:
    """The champion's, if they are of the same reference, params and signals; else calibrated, which takes seconds."""
    made = champion.file_hashes(bundle)
    if present and all(present.manifest.files[name] == made[name] for name in (champion.REFERENCE, champion.PARAMS)):
        try:
            former = Thresholds.model_validate_json(present.thresholds.read_bytes())
        except ValidationError:  # of other code
            former = None
        swinging = {signal.name for signal in SIGNALS if signal.own_swing}
        if former and list(former.limits) == [signal.name for signal in SIGNALS] and set(former.swings) == swinging:
            return former
    block = params.monitor
    return Thresholds.of(reference, block.window_days, block.false_alarm_rate, params.seed)


def reference_of(
    workspace: Workspace, encoder_version: str, student: Student, params: Params
) -> tuple[pa.Table, Cells]:
    """Returns sessions of training and validation as OBSERVED, in the table's order, and the cells of their embeddings.

    They are all sessions of a seeded sample of visitors: how much people come back belongs to what drift is measured
    against. Test sessions are left out: a window that is scored next is often theirs: it would meet itself.
    """
    sessions = read_table(workspace.sessions, schemas.SESSIONS)
    embeddings = read_table(workspace.embeddings, schemas.EMBEDDINGS)
    intents = read_table(workspace.intents, schemas.INTENTS)
    _same(embeddings, "embeddings", {"encoder_version": encoder_version})
    _same(intents, "intents", {"encoder_version": encoder_version, "student_version": student.version})
    known = sessions.filter(pc.is_in(sessions.column("split"), pa.array(["train", "valid"])))
    if not len(known):
        raise ChampionError("no session is in train or valid, so drift would have no reference: move sessionize.split")
    sample = known.filter(_of_drawn_visitors(known, params.monitor.reference_sessions, params.seed))
    own = embeddings.filter(pc.is_in(embeddings.column("session_id"), sample.column("session_id").combine_chunks()))
    cells = Cells.of(embedding_matrix(own), params.seed)
    seen = facts(workspace.events, sample)
    return observed(sample, seen, embeddings, intents, student.intent_ids, cells), cells


def _of_drawn_visitors(sessions: pa.Table, n_sessions: int, seed: int) -> pa.Array:
    """Which sessions are those of visitors drawn, one after the other, until they have ``n_sessions``."""
    visitors = sessions.column("visitor_id").combine_chunks().dictionary_encode().indices.to_numpy()
    counts = np.bincount(visitors)
    order = np.random.default_rng(seed).permutation(len(counts))
    n_before = np.concatenate([[0], counts[order].cumsum()[:-1]])
    drawn = np.zeros(len(counts), bool)
    drawn[order[n_before < n_sessions]] = True
    return pa.array(drawn[visitors])


def _intact(workspace: Workspace) -> Iterator[str]:
    """The bundles that can be taken up again, the newest first."""
    for name in reversed(champion.promoted(workspace)):
        try:
            champion.current(workspace, name)
        except ChampionError:
            continue
        yield name


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
    return 1 + max([*taken, *history.numbers(workspace.root)], default=0)
