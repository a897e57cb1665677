"""taxonomy: sessions, pages, embeddings -> artifacts/taxonomy (taxonomy.yaml, labels), reports/taxonomy.json."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines import schemas
from pipelines.errors import TableError, TeacherError, UnusableError
from pipelines.params import Taxonomy
from pipelines.paths import Workspace, staged
from pipelines.tables import read_table, write_table
from pipelines.taxonomy import diff_page, document, renewal, sampling, scores, shown
from pipelines.taxonomy.document import NOTHING_APPROVED, Document, Labels
from pipelines.taxonomy.gold import gold_table, read_gold
from pipelines.taxonomy.labels import answered, label_table, report
from pipelines.taxonomy.offline import MODEL as OFFLINE
from pipelines.taxonomy.quoting import Quotable, quotable
from pipelines.taxonomy.recording import Recording
from pipelines.taxonomy.rendering import render
from pipelines.taxonomy.replies import Replies
from pipelines.taxonomy.sample import Sample, check_splits
from pipelines.taxonomy.teacher import Teacher, teacher
from pipelines.taxonomy.versions import Diff


@dataclass(frozen=True)
class Taught:
    """What the teacher made of the sample."""

    drawn: Sample
    sample: Sample  # less the sessions without a usable answer
    taxonomy: Document
    approved: bool  # by a person
    labels: list[Labels]
    second: list[Labels]
    may: Quotable
    proposal: tuple[Document, Diff] | None  # in place of the approved taxonomy, where that no longer fits
    unproposed: str | None  # why there is none although that no longer fits
    remade: scores.Remade | None


def run(workspace: Workspace, params: Taxonomy, seed: int, *, dry_run: bool = False) -> None:
    """Makes the taxonomy (or takes the approved one) and labels a sample of all splits with it.

    Args:
        workspace: where everything lies.
        params: of the stage.
        seed: of the sample.
        dry_run: print what an LLM would cost; call nobody and write nothing.

    Raises:
        TableError: a table is missing, or no session is in the training part.
        TeacherError: the teacher, or the recording, gave nothing usable.
    """
    asked = teacher(params, _replies(workspace, params), workspace.llm_ledger, dry_run)
    taught = teach(workspace, params, seed, asked)
    if dry_run:
        print(f"taxonomy: dry run: nothing was called or written\n{asked.used() or 'the offline teacher is free'}")
        return
    with staged(workspace, "taxonomy") as staging:
        _write_tables(staging.path(workspace.taxonomy), workspace, taught, asked)
        split_of = _split_of(read_table(workspace.sessions, schemas.SESSIONS, ["session_id", "split"]))
        lists = (taught.labels, taught.second)
        found = report(taught.sample, *lists, taught.taxonomy, asked.model, split_of, taught.remade)
        _write(staging.path(workspace.taxonomy_report), found)
        _write(staging.path(workspace.taxonomy_diff_page), _diff_page(taught))
        _write_gold(workspace, params, taught.taxonomy, staging.path(workspace.taxonomy))
        if not workspace.approved_taxonomy.exists():
            _write(staging.path(workspace.approved_taxonomy), NOTHING_APPROVED)
    print(_summary(taught, asked))
    asked.finish()


def teach(workspace: Workspace, params: Taxonomy, seed: int, asked: Teacher) -> Taught:
    """Returns what the teacher makes of the recorded sample, else of one drawn now."""
    sessions = read_table(workspace.sessions, schemas.SESSIONS)
    recording = _recording(workspace, params)
    if recording:
        sample = recording.sample()
        check_splits(sample, _split_of(sessions))
    else:
        sample = _drawn(workspace, sessions, params, seed)
    may = quotable([*sample.read, *sample.label, *sample.second], _visitor_of(sessions), params.min_visitors)
    asked.study(sample.read)
    approved = _approved(workspace, recording)
    taxonomy = approved or asked.propose(sample.read, may)
    label, labels = answered(sample.label, asked.label(sample.label, taxonomy))
    again, second = answered(sample.second, asked.label_again(sample.second, taxonomy))
    why = renewal.why_renew(labels, params) if approved else None
    proposal, unproposed = None, None
    if why:
        try:
            proposal = renewal.proposal(asked, sample.read, taxonomy, why, may)
        except UnusableError as error:  # the labels by the approved one are good all the same
            unproposed = f"{why}, but {error}"
    return Taught(
        drawn=sample,
        sample=Sample(sample.read, label, again),
        taxonomy=taxonomy,
        approved=approved is not None,
        labels=labels,
        second=second,
        may=may,
        proposal=proposal,
        unproposed=unproposed,
        remade=scores.remade(asked, sample.read, sample.second, may, params.stability_seeds),
    )


def _write_tables(folder: Path, workspace: Workspace, taught: Taught, asked: Teacher) -> None:
    folder.mkdir()
    sample, taxonomy = taught.sample, taught.taxonomy
    for name, sessions, labels, model in (
        (workspace.labels.name, sample.label, taught.labels, asked.model),
        (workspace.second_labels.name, sample.second, taught.second, asked.second_model),
    ):
        write_table(label_table(sessions, labels, taxonomy, model), folder / name, schemas.LABELS)
    _write(folder / workspace.used_taxonomy.name, taxonomy.to_yaml())
    if taught.remade:
        said = {"session_id": taught.remade.session_ids, "strongest": taught.remade.strongest}
        _write(folder / workspace.remade.name, json.dumps(said) + "\n")
    content = shown.by_intent(sample.label, taught.labels, taxonomy, taught.may)
    _write(folder / workspace.shown_intents.name, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    if taught.proposal:
        proposed, diff = taught.proposal
        _write(folder / workspace.proposed_taxonomy.name, proposed.to_yaml())
        _write(folder / workspace.taxonomy_diff.name, diff.model_dump_json(indent=1) + "\n")


def _diff_page(taught: Taught) -> str:
    if taught.proposal:
        proposed, diff = taught.proposal
        return diff_page.diff_page(diff, taught.taxonomy, proposed, offline=proposed.model == OFFLINE)
    why = taught.unproposed or (
        "the approved taxonomy still fits"
        if taught.approved
        else "nothing is approved yet, so nothing is to be changed"
    )
    return diff_page.nothing_proposed(why)


def _recording(workspace: Workspace, params: Taxonomy) -> Recording | None:
    return Recording(workspace.root / params.recording) if params.recording else None


def _replies(workspace: Workspace, params: Taxonomy) -> Replies:
    recording = _recording(workspace, params)
    return Replies(workspace.replies, recording.replies if recording else None)


def _drawn(workspace: Workspace, sessions: pa.Table, params: Taxonomy, seed: int) -> Sample:
    splits, channels = (np.asarray(sessions.column(name).to_pylist(), dtype=str) for name in ("split", "channel"))
    if not (splits == "train").any():
        raise TableError("sessions.parquet: no session is in the training part; move the dates of sessionize.split")
    quota = sampling.Quota(params.n_read, params.n_label, params.uniform_share, params.n_clusters)
    rows = sampling.draw(_embeddings(workspace, sessions), splits, channels, quota, seed)
    pages = read_table(workspace.pages, schemas.PAGES)
    if params.gold:
        rows = replace(rows, label=np.union1d(rows.label, _gold_rows(workspace.root / params.gold, sessions)))
    second = sampling.second(rows.label, splits, seed)
    return Sample(
        *(render(sessions.take(chosen), pages, params.max_events) for chosen in (rows.read, rows.label, second))
    )


def _gold_rows(path: Path, sessions: pa.Table) -> np.ndarray:
    """The rows of the sessions that people labelled."""
    asked = pa.array(list(read_gold(path)), pa.string())
    rows = pc.index_in(asked, value_set=sessions.column("session_id").combine_chunks())
    if rows.null_count:
        raise TeacherError(f"{path.name}: {rows.null_count} of its {len(rows)} sessions are not in sessions.parquet")
    return np.asarray(rows.to_numpy())


def _embeddings(workspace: Workspace, sessions: pa.Table) -> np.ndarray:
    """The embeddings (N, D) in the order of ``sessions``."""
    table = read_table(workspace.embeddings, schemas.EMBEDDINGS, ["session_id", "embedding"])
    rows = pc.index_in(sessions.column("session_id"), table.column("session_id").combine_chunks())
    if rows.null_count:
        raise TableError(f"embeddings.parquet lacks {rows.null_count} of the {len(sessions)} sessions: re-run pretrain")
    embeddings = table.column("embedding").combine_chunks().take(rows.combine_chunks())
    return np.asarray(embeddings.flatten().to_numpy(), dtype=np.float32).reshape(len(sessions), -1)


def _approved(workspace: Workspace, recording: Recording | None) -> Document | None:
    approved = document.approved(workspace.approved_taxonomy)
    return approved or (document.approved(recording.approved_taxonomy) if recording else None)


def _visitor_of(sessions: pa.Table) -> dict[str, str]:
    columns = (sessions.column(name).to_pylist() for name in ("session_id", "visitor_id"))
    return dict(zip(*columns, strict=True))


def _split_of(sessions: pa.Table) -> dict[str, str]:
    columns = (sessions.column(name).to_pylist() for name in ("session_id", "split"))
    return dict(zip(*columns, strict=True))


def _write_gold(workspace: Workspace, params: Taxonomy, taxonomy: Document, folder: Path) -> None:
    if params.gold:
        by_people = gold_table(read_gold(workspace.root / params.gold), taxonomy)
        write_table(by_people, folder / workspace.gold.name, schemas.LABELS)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _summary(taught: Taught, asked: Teacher) -> str:
    taxonomy, n_labels = taught.taxonomy, len(taught.labels)
    n_unlabelled = sum(not given for given in taught.labels)
    n_unusable = len(taught.drawn.label) - n_labels
    unusable = f"; {n_unusable:,} sessions got no usable answer" if n_unusable else ""
    used = asked.used()
    due = f"\ntaxonomy: WARNING: no other taxonomy is proposed: {taught.unproposed}" if taught.unproposed else ""
    return (
        f"taxonomy: {taxonomy.version}: {len(taxonomy.intents)} intents in {len(taxonomy.categories)} categories; "
        f"{n_labels:,} sessions labelled by {asked.model}, {n_unlabelled:,} of them with nothing{unusable}"
        f"{'; ' if used else ''}{used}{due}"
    )
