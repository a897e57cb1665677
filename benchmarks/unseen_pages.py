"""Sessions that show only pages which no session of the training showed: what the pages' texts are worth there."""

import time
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks import probe_tasks
from benchmarks.fresh_encoder import fresh_encoder
from benchmarks.frozen_probe import Column, flat, log_losses, probed, quality
from pipelines import schemas
from pipelines.evaluate.bootstrap import Resamples
from pipelines.evaluate.inputs import Inputs
from pipelines.params import Params
from pipelines.paths import Workspace
from pipelines.pretrain.corpus import tokenised
from pipelines.tables import read_table, write_table

HELD_OUT: Final = 0.25
"""Of the website's pages, drawn at random; the home page is none of them: no site's is new, and it names no need."""
HOME: Final = "/"


def unseen_columns(bank: Workspace, inputs: Inputs, params: Params) -> dict[str, Column]:
    """Returns the columns of an encoder with the field `text` and of one without it, and what the text takes off."""
    pages = read_table(bank.pages, schemas.PAGES)
    shows, only = _held_out(inputs.sessions, pages, params.seed)
    task = probe_tasks.needs(inputs, params.seed)
    # The regression, too, reads no held-out page before the test.
    ids = inputs.sessions.column("session_id")
    place = pc.index_in(task.sessions.column("session_id"), value_set=ids.combine_chunks()).to_numpy()
    parts = [np.flatnonzero((task.part == part) & ~shows[place]) for part in ("fit", "valid")]
    parts.append(np.flatnonzero((task.part == "test") & only[place]))
    bounds, targets = np.cumsum([len(part) for part in parts[:2]]), task.targets[np.concatenate(parts)]
    tested, asked = targets[bounds[1] :], place[np.concatenate(parts)]
    resamples = Resamples(task.visitors[parts[2]], params.evaluate.n_bootstrap, 0)
    losses, columns = {}, {}
    for name, fields in (("with_text", {}), ("without_text", {"text"})):
        vectors = _embedded(bank, inputs.sessions, pages, shows, _without(params, fields))
        said = probed(vectors[asked], targets, bounds)
        losses[name] = log_losses(resamples, said, tested)
        columns[name] = flat("unseen", {"log_loss": losses[name]} | quality(resamples, said, tested))
    columns["with_text"] |= flat("unseen", {"gain": losses["without_text"] - losses["with_text"]})
    columns["with_text"]["unseen_n_test"] = float(len(tested))
    return columns


def _held_out(sessions: pa.Table, pages: pa.Table, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Whether each session shows a held-out page, and whether it shows nothing else: bool (N,) each."""
    web = sorted({*pages.filter(pc.equal(pages.column("channel"), "web")).column("page").to_pylist()} - {HOME})
    drawn = np.random.default_rng(seed).permutation(web)[: round(HELD_OUT * len(web))]
    events = sessions.column("events").combine_chunks()
    owner = pc.list_parent_indices(events).to_numpy()
    of_web = pc.equal(sessions.column("channel"), "web").to_numpy()[owner]
    held = pc.is_in(pc.struct_field(pc.list_flatten(events), "page"), pa.array(drawn)).to_numpy(zero_copy_only=False)
    n_held = np.bincount(owner, held & of_web, minlength=len(sessions))
    return n_held > 0, n_held == np.bincount(owner, minlength=len(sessions))


def _embedded(bank: Workspace, sessions: pa.Table, pages: pa.Table, shows: np.ndarray, params: Params) -> np.ndarray:
    """The embeddings of all sessions by an encoder that trained on those of the training part that show none."""
    root = Workspace(bank.root / ".work" / "bench-probes" / "unseen")
    root.artifacts.mkdir(parents=True, exist_ok=True)
    split = np.where(shows, "embargo", sessions.column("split").to_numpy())
    column = sessions.column_names.index("split")
    write_table(sessions.set_column(column, sessions.field("split"), pa.array(split)), root.sessions, schemas.SESSIONS)
    write_table(pages, root.pages, schemas.PAGES)
    corpus = tokenised(root, params.pretrain)
    start = time.perf_counter()
    encoder = fresh_encoder(corpus, params.pretrain, params.seed, root.root / "checkpoints")
    print(f"bench-probes: unseen: an encoder took {time.perf_counter() - start:.0f} s", flush=True)
    return encoder.embed_arrays(corpus.arrays)


def _without(params: Params, names: set[str]) -> Params:
    fields = {name: one for name, one in params.pretrain.fields.items() if name not in names}
    return params.model_copy(update={"pretrain": params.pretrain.model_copy(update={"fields": fields})})
