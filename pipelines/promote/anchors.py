"""What a bundle needs so that embeddings outlive a retraining: pinned anchors, and the way to the former champion."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines import alignment, champion, schemas
from pipelines.alignment import ALIGNMENT_FILE, ANCHORS, ANCHORS_FILE, Alignment
from pipelines.champion import Champion
from pipelines.encoder.runtime import Runtime
from pipelines.errors import TableError
from pipelines.paths import Workspace
from pipelines.tables import read_table, write_table


def pin(bundle: Path, workspace: Workspace, present: Champion | None, seed: int) -> None:
    """Adds anchors to ``bundle``, and its encoder's alignment with the ``present`` champion's where there is one.

    Sessions of the training and validation parts only: a window that is scored next is often the test part's.
    """
    sessions = read_table(workspace.sessions, schemas.SESSIONS)
    embeddings = read_table(workspace.embeddings, schemas.EMBEDDINGS)
    known = np.flatnonzero(pc.is_in(sessions.column("split"), pa.array(["train", "valid"])).to_numpy())
    size = min(alignment.N_ANCHORS, len(known))
    rows = pa.array(np.sort(np.random.default_rng(seed).choice(known, size, replace=False)))
    chosen = sessions.take(rows)
    places = pc.index_in(chosen.column("session_id"), value_set=embeddings.column("session_id").combine_chunks())
    both = chosen, embeddings.take(places)
    columns = {name: both[name not in schemas.SESSIONS.names].column(name) for name in ANCHORS.names}
    write_table(pa.table(columns), bundle / ANCHORS_FILE, ANCHORS)
    if present:
        _align(bundle, present)


def _align(bundle: Path, present: Champion) -> None:
    """Writes the alignment, or says why there is none."""
    runtime, former = Runtime.load(bundle / champion.ENCODER), present.folder / ALIGNMENT_FILE
    if runtime.version == present.manifest.record.encoder_version:
        if former.exists():  # the encoder stays, and so does the way from it
            shutil.copyfile(former, bundle / ALIGNMENT_FILE)
        return
    try:
        way = aligned(runtime, present)
    except TableError as error:
        print(f"promote: no alignment with {present.version}, so tables of its encoder cannot be joined: {error}")
        return
    way.save(bundle / ALIGNMENT_FILE)
    print(
        f"promote: aligned with {present.version}: R2 {way.r2:.3f}, {way.neighbour_overlap:.0%} of "
        f"{alignment.N_NEIGHBOURS} nearest neighbours kept (held-out anchors)"
    )


def aligned(runtime: Runtime, present: Champion) -> Alignment:
    """Returns the alignment of ``runtime`` with the champion's encoder, on the anchors that the champion pinned.

    Raises:
        TableError: the champion has no anchors that can be read, or too few.
    """
    anchors = read_table(present.folder / ANCHORS_FILE, ANCHORS)
    pages = read_table(present.pages, schemas.PAGES)
    former = np.stack(anchors.column("embedding").to_numpy()) if len(anchors) else np.empty((0, 1), np.float32)
    return alignment.fitted(
        runtime.version, present.manifest.record.encoder_version, runtime.embed(anchors, pages), former
    )
