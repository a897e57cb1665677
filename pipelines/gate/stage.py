"""gate: the challenger beside the champion -> reports/gate.json and gate.html; refuses one that is worse."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipelines import champion, runs, schemas
from pipelines import params as params_file
from pipelines.champion import Champion
from pipelines.errors import GateError, TableError
from pipelines.evaluate.inputs import Inputs, read_inputs
from pipelines.gate import page, taxonomy
from pipelines.gate.compare import Rivals, compared
from pipelines.params import Params
from pipelines.paths import Workspace, staged
from pipelines.score.days import ROWS
from pipelines.score.scorer import Scorer
from pipelines.student.labels import id_matrix
from pipelines.verdict import Comparison, TaxonomyChange, Verdict


def run(workspace: Workspace, params: Params, challenger: Path | None) -> None:
    """Writes the verdict and its page into the challenger's reports, passed or not.

    Raises:
        RunError: there is no such challenger.
        TableError: an artifact of the challenger is missing.
        GateError: it is worse than the champion.
    """
    made = runs.opened(challenger) if challenger else workspace
    if challenger:
        params = params_file.load(made.params)
    held = champion.present(workspace, "gate")
    inputs = read_inputs(made)
    if inputs.student is None:
        raise TableError("artifacts/student is missing: run the stages first (`dvc repro`)")
    change = taxonomy.change(held.folder / champion.TAXONOMY if held else None, made.used_taxonomy)
    comparisons = _comparisons(held, made, inputs, params, change)
    verdict = _verdict(held, inputs, comparisons, change)
    with staged(made, "gate") as staging:
        champion.write_json(staging.path(made.gate), verdict)
        staging.path(made.gate.with_suffix(".html")).write_text(page.page(verdict), encoding="utf-8")
    print(f"gate: {verdict.sentence}\ngate: {made.gate.with_suffix('.html')}")
    if not verdict.passed:
        raise GateError(verdict.sentence)


def _comparisons(
    held: Champion | None, made: Workspace, inputs: Inputs, params: Params, change: TaxonomyChange
) -> list[Comparison]:
    if held is None:
        return []
    print(f"gate: {len(inputs.sessions):,} sessions by champion {held.version}", flush=True)
    rivals = Rivals(inputs, _as_the_champion_sees(held, made, inputs, change), not change.changed)
    return compared(rivals, params.evaluate, params.gate, params.seed)


def _as_the_champion_sees(held: Champion, made: Workspace, inputs: Inputs, change: TaxonomyChange) -> Inputs:
    """The challenger's tables with the champion's embeddings, probabilities and decisions."""
    scorer = Scorer.of(held, made.pages)
    embeddings = np.concatenate(
        [scorer.encoder.embed(inputs.sessions.slice(start, ROWS), scorer.pages)
         for start in range(0, len(inputs.sessions), ROWS)]
    )  # fmt: skip
    probabilities = scorer.student.probabilities(embeddings)
    decided = None
    if not change.changed:  # then both have the same intents, but perhaps in another order
        assert inputs.student is not None
        ids = scorer.student.intent_ids
        order = [ids.index(intent) for intent in inputs.student.intent_ids if intent in ids]
        named, _ = scorer.student.decide(probabilities)
        lists = pa.chunked_array([pa.array(named, schemas.INTENTS.field("intents").type)])
        decided = id_matrix(lists, ids)[:, order] if len(order) == len(inputs.student.intent_ids) else None
    return replace(inputs, embeddings=embeddings, probabilities=probabilities, decided=decided)


def _verdict(held: Champion | None, inputs: Inputs, comparisons: list[Comparison], change: TaxonomyChange) -> Verdict:
    assert inputs.student is not None
    worse = [one.metric for one in comparisons if one.outcome == "worse"]
    judged = [one for one in comparisons if one.outcome != "not available"]
    if held is None:
        sentence = "There is no champion to compare with: the first one."
    elif worse:
        sentence = f"Worse than champion {held.version} on {', '.join(worse)}."
    elif not judged:
        sentence = f"No metric could be compared with champion {held.version}."
    else:
        n_better = sum(one.outcome == "better" for one in judged)
        sentence = f"No worse than champion {held.version} on {len(judged)} metrics, better on {n_better} of them."
    return Verdict(
        passed=held is None or (bool(judged) and not worse),
        sentence=sentence,
        champion=held.version if held else None,
        versions={
            "encoder_version": inputs.student.encoder_version,
            "taxonomy_version": inputs.student.taxonomy_version,
            "student_version": inputs.student.version,
        },
        comparisons=comparisons,
        taxonomy=change,
        data="The simulated demo bank: its figures show that the machinery works." if inputs.demo_bank else "",
    )
