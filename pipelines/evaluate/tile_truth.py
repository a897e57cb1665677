"""What only the demo bank can tell of the tiles: how much there is to find, and how much of it web histories hold.

``linked_needs`` and ``current_needs`` are web signals made of the true needs, for the same head and app features as
every model's: those behind the very web sessions that a model may read, and those at the moment of the decision. What
the second lifts is there to be found; what the first lifts can be found by who reads these sessions rightly. ``oracle``
ranks by the probabilities that the clicks were drawn from. All read data/truth.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.evaluate.tile_models import Problem, Ranked
from pipelines.evaluate.truth import NO_NEED, knows_sessions, true_needs


def need_signals(problem: Problem) -> dict[str, np.ndarray]:
    """Returns ``linked_needs`` and ``current_needs``, (M, needs) each; without its truth a signal is left out."""
    found = {"linked_needs": _linked_needs(problem), "current_needs": _current_needs(problem)}
    return {name: signal for name, signal in found.items() if signal is not None}


def oracle(problem: Problem) -> Ranked | None:
    """Returns the demo bank's own click probabilities, or None where they are not known for every decision."""
    path = problem.inputs.truth / "impressions.parquet"
    if not path.exists():
        return None
    truth = pq.read_table(path, columns=["impression_id", "tile", "click_probability"])
    decisions = problem.decisions
    rows = pc.index_in(truth.column("impression_id"), value_set=pa.array(decisions.impression_ids, pa.string()))
    columns = pc.index_in(truth.column("tile"), value_set=pa.array(decisions.tiles, pa.string()))
    wanted = np.asarray(pc.and_(rows.is_valid(), columns.is_valid()))
    probabilities = np.zeros(decisions.position.shape)
    places = rows.filter(wanted).to_numpy(), columns.filter(wanted).to_numpy()
    probabilities[places] = truth.column("click_probability").filter(wanted).to_numpy()
    probabilities = np.where(decisions.shown, probabilities, 0)
    if not (probabilities > 0)[decisions.shown].all():
        return None
    shares = probabilities / probabilities.sum(axis=1, keepdims=True)  # of one click, given that there was one
    return Ranked(np.log(shares, where=decisions.shown, out=np.full(shares.shape, -np.inf)))


def _linked_needs(problem: Problem) -> np.ndarray | None:
    """Every need with the recency weight of the last web session that had it: a mean would forget how long ago."""
    if not knows_sessions(problem.inputs):
        return None
    owners, sessions = problem.web_history.tocoo().coords
    read, places = np.unique(sessions, return_inverse=True)
    needs = pa.array(true_needs(problem.inputs, read), pa.string()).take(pa.array(places))
    return problem.scaled(_multi_hot(owners, needs, problem.web_history.data, len(problem.decisions)))


def _current_needs(problem: Problem) -> np.ndarray | None:
    """The needs of each decision; None where the truth has none of them, or not those of every decision."""
    path = problem.inputs.truth / "impressions.parquet"
    if not path.exists() or "needs" not in pq.read_schema(path).names:
        return None
    truth = pq.read_table(path, columns=["impression_id", "needs"])
    rows = pc.index_in(truth.column("impression_id"), value_set=pa.array(problem.decisions.impression_ids, pa.string()))
    known = pc.and_(rows.is_valid(), truth.column("needs").is_valid())
    rows, needs = rows.filter(known).to_numpy(), truth.column("needs").filter(known).combine_chunks()
    if len(np.unique(rows)) < len(problem.decisions):
        return None
    owners = rows[pc.list_parent_indices(needs).to_numpy()]  # a decision comes once for each of its tiles
    return problem.scaled(_multi_hot(owners, pc.list_flatten(needs), np.ones(len(owners)), len(problem.decisions)))


def _multi_hot(owners: np.ndarray, needs: pa.Array, weights: np.ndarray, n_rows: int) -> np.ndarray:
    """The greatest weight with which a row has a need, (n_rows, needs); "none", and "" (not known), are no needs."""
    names = pa.array(sorted(set(pc.unique(needs).to_pylist()) - {NO_NEED, "", None}), pa.string())
    codes = pc.index_in(needs, value_set=names).fill_null(-1).to_numpy()
    named = codes >= 0
    found = np.zeros((n_rows, len(names)))
    np.maximum.at(found, (owners[named], codes[named]), weights[named])
    return found
