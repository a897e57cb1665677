"""forget: a person out of every table, cache and export under the root, and out of every later ingest.

What ``score --output`` wrote outside the root is not known here: delete it, or move it below the root first.
"""

import json
import re
import shutil
import tempfile
from collections import Counter
from itertools import compress
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import champion, schemas, warehouse
from pipelines.errors import ForgetError, SourceError
from pipelines.forget import beyond
from pipelines.forget.person import HASH_LENGTH, Link, Person, keyed_hash, of_customer
from pipelines.forget.tables import Removal, gone_sessions, removals, rewrite
from pipelines.ingest import forgotten, gather, ids
from pipelines.params import Params
from pipelines.paths import Staging, Workspace, staged
from pipelines.sessionize.identity import link

LINK_COLUMNS: Final = ("visitor_id", "valid_from", "valid_to", "customer_id")


def run(
    workspace: Workspace, params: Params, customer: str | None, visitor: str | None, hashed: bool, dry_run: bool
) -> None:
    """Removes one customer with all their visitors, or one visitor; everything at once, at the end.

    Raises:
        ForgetError: nobody of that id is found, or the id cannot be hashed.
    """
    with staged(workspace, "forget") as staging:
        secret = _secret(workspace, params)
        person = _person(workspace, customer, visitor, None if hashed else _needed(secret), staging.folder)
        found = removals(workspace, person)
        raw, problem = _raw(workspace, params, person, secret)
        if not any(one.n_gone for one in found) and not raw:
            whom = "customer" if customer else "visitor"
            raise ForgetError(
                f"that {whom} is in no table or raw file{problem and f' ({problem})'}: check that the id is written as "
                f"the source writes it, and that {ids.KEY_VARIABLE} is the key of the tables"
            )
        lines, sessions = _said(found, dry_run), gone_sessions(found)
        if not dry_run:
            _write(workspace, params, person, found, sessions, staging)
    if not dry_run:
        n_replies = _empty_llm_cache(workspace, params, sessions)
        lines.append(f"stored LLM replies, any of which may show the sessions: {n_replies} removed")
        if _empty_token_caches(workspace, sessions):
            lines.append("all sessions as numbers, which pretrain and audit keep for the next time: removed")
    lines += [f"not reached: {line}" for line in (*_raw_lines(raw, problem), *beyond.kept_elsewhere(workspace))]
    print("\n".join(f"forget: {line}" for line in lines))


def _write(
    workspace: Workspace, params: Params, person: Person, found: list[Removal], sessions: set[str], staging: Staging
) -> None:
    """Stages the list of the forgotten first: who is on it is left out even if nothing else gets done."""
    listed = [*forgotten.read(workspace.forgotten), *person.lines]
    staging.path(workspace.forgotten).write_text(forgotten.text(listed), encoding="utf-8")
    for one in (one for one in found if one.n_gone):
        if one.target.parent.parent == workspace.champions:
            _renew_bundle(one, staging)
        else:
            rewrite(one, staging.path(one.target))
    sample = _recorded_sample(workspace, params)
    if sample and any(json.loads(line)["session_id"] in sessions for line in sample.read_text("utf-8").splitlines()):
        kept = [
            line for line in sample.read_text("utf-8").splitlines() if json.loads(line)["session_id"] not in sessions
        ]
        staging.path(sample).write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
    if workspace.remade.exists() and sessions:
        staging.path(workspace.remade).write_text(_remade_without(workspace.remade, sessions), encoding="utf-8")


def _remade_without(path: Path, sessions: set[str]) -> str:
    """What the remade taxonomies say of the sessions that stay."""
    said = json.loads(path.read_text("utf-8"))
    stay = [session not in sessions for session in said["session_id"]]
    strongest = [list(compress(of_one, stay)) for of_one in said["strongest"]]
    return json.dumps({"session_id": list(compress(said["session_id"], stay)), "strongest": strongest}) + "\n"


def _renew_bundle(one: Removal, staging: Staging) -> None:
    """Stages a champion's bundle with one of its tables anew: the one case in which a bundle changes."""
    bundle = one.target.parent
    renewed = staging.path(bundle)
    if not renewed.exists():  # else: another of its tables has been renewed already
        shutil.copytree(bundle, renewed)
    rewrite(one, renewed / one.target.name)
    manifest = champion.Manifest.model_validate_json((bundle / champion.MANIFEST).read_bytes())
    champion.write_json(
        renewed / champion.MANIFEST, manifest.model_copy(update={"files": champion.file_hashes(renewed)})
    )


def _empty_llm_cache(workspace: Workspace, params: Params, sessions: set[str]) -> int:
    """Deletes every stored reply where a session went: a request holds rendered sessions, under no name."""
    sample = _recorded_sample(workspace, params)
    folders = [workspace.replies, *([sample.parent / "replies"] if sample else [])]
    n_deleted = sum(path.is_file() for folder in folders if sessions for path in folder.rglob("*"))
    for folder in folders if sessions else []:
        shutil.rmtree(folder, ignore_errors=True)
    return n_deleted


def _empty_token_caches(workspace: Workspace, sessions: set[str]) -> bool:
    """Deletes what pretrain and an unfinished audit keep of all sessions, where one went; says whether there was any.

    Sessions lie there in the order of the table, without ids, so none can be taken out alone.
    """
    present = [folder for folder in (workspace.tokens, workspace.audit) if sessions and folder.exists()]
    for folder in present:
        shutil.rmtree(folder)
    return bool(present)


def _recorded_sample(workspace: Workspace, params: Params) -> Path | None:
    sample = workspace.root / (params.taxonomy.recording or "") / "sample.jsonl"
    inside = sample.resolve().is_relative_to(workspace.root.resolve())
    return sample if params.taxonomy.recording and inside and sample.exists() else None


def _secret(workspace: Workspace, params: Params) -> bytes | None:
    """The key that ``ingest`` would use; None when there is none, or the raw files are gone."""
    try:
        paths = [file.path for file in gather.find(workspace.root, params.ingest.sources)]
    except SourceError:
        paths = []
    try:
        return ids.key(workspace.data / "demo_bank.json", paths)
    except SourceError:
        return None


def _needed(secret: bytes | None) -> bytes:
    if secret is None:
        raise ForgetError(
            f"{ids.KEY_VARIABLE} is not set: set it to the key under which the tables were made, or give the keyed "
            "hash itself with --hashed"
        )
    return secret


def _person(
    workspace: Workspace, customer: str | None, visitor: str | None, secret: bytes | None, scratch: Path
) -> Person:
    """Whom the tables know by that id; ``secret`` is None when the id is the hash already."""
    purpose, given = ("customer", customer) if customer is not None else ("visitor", str(visitor))
    known = keyed_hash(secret, purpose, str(given)) if secret else str(given)
    if not re.fullmatch(f"[0-9a-f]{{{HASH_LENGTH}}}", known):
        raise ForgetError(f"--hashed: expected {HASH_LENGTH} hexadecimal digits, as visitor_id and customer_id are")
    return of_customer(known, _links(workspace, scratch)) if purpose == "customer" else Person(None, frozenset({known}))


def _links(workspace: Workspace, scratch: Path) -> list[Link]:
    """The links of the table ``identity``, and those of the present events, which may be newer."""
    tables = []
    if workspace.identity.exists():
        tables.append(pq.read_table(workspace.identity, columns=list(LINK_COLUMNS)))
    files = [str(file) for file in sorted(workspace.events.rglob("*.parquet"))]
    if files:
        with warehouse.connect(scratch) as house:
            house.read_parquet(files, hive_partitioning=False).create_view("events")
            link(house)
            linked = house.table("identity").to_arrow_table().select(list(LINK_COLUMNS))
            tables.append(linked.cast(pa.schema([schemas.IDENTITY.field(name) for name in LINK_COLUMNS])))
    return [Link(*(row[name] for name in LINK_COLUMNS)) for table in tables for row in table.to_pylist()]


def _raw(workspace: Workspace, params: Params, person: Person, secret: bytes | None) -> tuple[dict[str, int], str]:
    """The rows of raw files that are the person's, or why that is not known."""
    if secret is None:
        return {}, f"raw files were not searched, for {ids.KEY_VARIABLE} is not set"
    try:
        with tempfile.TemporaryDirectory(prefix="forget-") as scratch:
            return beyond.raw_rows(workspace, params.ingest, person, secret, Path(scratch)), ""
    except SourceError as error:
        return {}, f"raw files were not searched ({error})"


def _said(found: list[Removal], dry_run: bool) -> list[str]:
    gone: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    for one in found:
        gone[one.table] += one.n_gone
        rows[one.table] += one.n_rows
    verb = "would be removed" if dry_run else "removed"
    return [f"{table}: {gone[table]:,} of {rows[table]:,} rows {verb}" for table in gone]


def _raw_lines(raw: dict[str, int], problem: str) -> list[str]:
    if not raw:
        return [problem] if problem else []
    counts = [f"raw file {name}: {n:,} rows" for name, n in raw.items()]
    return [*counts, "raw files are left as they are: delete the rows there, then `dvc add data` and `dvc repro`"]
