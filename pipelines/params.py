"""params.yaml as frozen, validated models: every value lives in the file, none in the code.

A stage gets its own block and the seed, nothing else. `null` means off.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from pipelines.errors import ParamsError

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Text = Annotated[str, Field(min_length=1)]
Parameter = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.~-]+$")]


class Block(BaseModel):
    """A block of params.yaml: frozen, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Scenario(Block):
    """Something that changes in the demo bank from a day on, in a share of its sessions."""

    kind: Literal["launch", "intent_shift", "tracker_rename", "dead_tag", "bot_wave"]
    from_: date = Field(alias="from")
    strength: Share


class Simulate(Block):
    """The demo bank."""

    start: date
    days: Count
    people: Count
    # A bare null of YAML means the world of that name.
    world: Annotated[
        Literal["default", "null", "counts"], BeforeValidator(lambda name: "null" if name is None else name)
    ]
    scenarios: list[Scenario]


class Source(Block):
    """One raw source; what a format does not use must be absent.

    A canonical column may be mapped to a list of source columns: the first that holds a value in a row gives it.
    The named trackers know their columns; what ``columns`` maps there takes the place of their own mapping, by name.
    """

    path: Text
    format: Literal[
        "native", "csv", "jsonl", "parquet", "sequences", "combined_log",
        "ga4", "snowplow", "snowplow_tsv", "segment", "segment_pages", "adobe_data_feed",
    ]  # fmt: skip
    columns: dict[str, str | list[str]] | None = None
    constants: dict[str, str] | None = None
    timestamp_format: Text | None = None
    timezone: Text | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    names: list[Text] | None = None
    keep: list[Text] | None = None  # rules of the format that leave nothing out

    @model_validator(mode="after")
    def _fits_its_format(self) -> Self:
        mapped = self.format in ("csv", "jsonl", "parquet")
        if self.format in ("native", "sequences", "combined_log") and (self.columns, self.constants) != (None, None):
            raise ValueError("`columns` and `constants` go with csv, jsonl, parquet and the named trackers only")
        for key in ("timestamp_format", "timezone"):
            if not mapped and getattr(self, key) is not None:
                raise ValueError(f"`{key}` goes with csv, jsonl and parquet only")
        if mapped and not (self.columns and {"visitor_id", "ts"} <= {*self.columns, *(self.constants or {})}):
            raise ValueError("`columns` must map at least `visitor_id` and `ts`")
        for name, alternatives in self.alternatives.items():
            if not all(alternatives) or not alternatives:
                raise ValueError(f"`columns` maps {name} to nothing: name a source column, or a list of them")
            if len({*alternatives}) < len(alternatives):
                raise ValueError(f"`columns` maps {name} to a list that names a source column twice: name each once")
        if (self.names is not None) != (self.format == "sequences"):
            raise ValueError("`names` lists the meaning of each code of a `sequences` source, and goes with it only")
        if self.delimiter is not None and self.format != "csv":
            raise ValueError("`delimiter` goes with csv only")
        return self

    @property
    def alternatives(self) -> dict[str, tuple[str, ...]]:
        """Canonical name -> source columns, the preferred first."""
        return {name: (to,) if isinstance(to, str) else tuple(to) for name, to in (self.columns or {}).items()}


class Window(Block):
    """What is read, by event time: from `from` (included) to `to` (excluded); null leaves that side open."""

    from_: datetime | date | None = Field(alias="from")
    to: datetime | date | None


class Bots(Block):
    """Which bot rules run."""

    declared: bool
    behaviour: bool


class Clocks(Block):
    """Which clocks that are off are set right."""

    ahead: bool
    behind: bool


class Duplicates(Block):
    """Which rows with the id of another go; where a rule is off, they stay under an id of their own."""

    same_id: bool
    same_payload: bool
    id_conflict: bool


class Ingest(Block):
    """Raw sources to the canonical events table."""

    sources: Annotated[list[Source], Field(min_length=1)]
    window: Window
    max_rejected_share: Share
    url_parameters: list[Parameter]
    duplicates: Duplicates
    bots: Bots
    clocks: Clocks


class Split(Block):
    """Where training ends: by dates, or by shares of the time span; one of the two pairs is null."""

    valid_from: datetime | date | None
    test_from: datetime | date | None
    valid_share: Share | None
    test_share: Share | None
    embargo_days: Annotated[float, Field(ge=0)]

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        dates = [self.valid_from, self.test_from]
        shares = [self.valid_share, self.test_share]
        if (None in dates and None in shares) or (dates + shares).count(None) != 2:
            raise ValueError("set `valid_from` and `test_from`, or `valid_share` and `test_share`; the other two null")
        if None not in shares and sum(share or 0 for share in shares) >= 1:
            raise ValueError("`valid_share` + `test_share` must leave something to train on")
        return self


class Sessionize(Block):
    """Events to sessions."""

    gap_seconds: Positive
    max_duration_seconds: Positive
    session_property: Text | None
    lateness_days: Annotated[float, Field(ge=0)]
    memory_gb: Annotated[float, Field(ge=1)]
    stitching: Literal["asof", "latest", "none"]
    engine: Literal["duckdb"]
    split: Split


class EncodedField(Block):
    """One field of an event that the encoder reads: see pipelines/encoder/fields.py."""

    kind: Literal["token", "words", "text", "elapsed", "hour", "weekday"]
    column: Text


class Network(Block):
    """The sizes of one architecture, and how fast it learns."""

    event_dim: Count
    hidden_dim: Count
    n_layers: Count
    dropout: Annotated[float, Field(ge=0, lt=1)]
    learning_rate: Positive


class AttentionNetwork(Network):
    """Likewise, with attention."""

    n_heads: Count

    @model_validator(mode="after")
    def _heads_fit(self) -> Self:
        if self.hidden_dim % (2 * self.n_heads):
            raise ValueError("`hidden_dim` must be a multiple of 2 x `n_heads`")
        return self


class Audits(Block):
    """How far a trained encoder may go: what each figure means is said in pipelines/pretrain/audits/."""

    max_padding_difference: Positive
    min_effective_rank: Annotated[float, Field(ge=1)]
    min_least_deviation: Share
    max_uniformity: Annotated[float, Field(le=0)]
    min_order_sensitivity: Weight
    max_leakage: Weight
    max_shortcut_cost: Weight


class Pretrain(Block):
    """The session encoder."""

    architecture: Literal["gru", "transformer"]
    gru: Network
    transformer: AttentionNetwork
    pooling: Literal["last", "mean", "attention", "mix"]
    trained_dim: Annotated[int, Field(ge=32, le=1024)]
    embedding_dim: Annotated[int, Field(ge=32, le=256)]
    fields: Annotated[dict[str, EncodedField], Field(min_length=1)]
    max_events: Annotated[int, Field(ge=2)]
    max_tokens: Count
    text_model: Text
    objectives: dict[
        Literal["next_event", "whole_session", "masked_events", "contrastive", "neighbours", "spread"], Weight
    ]
    targets: Annotated[dict[str, Weight], Field(min_length=1)]
    event_dropout: Annotated[float, Field(ge=0, lt=1)]
    field_dropout: Annotated[float, Field(ge=0, lt=1)]
    context_dropout: Annotated[float, Field(ge=0, lt=1)]
    temperature: Positive
    batch_size: Annotated[int, Field(ge=2)]
    weight_decay: Weight
    warmup_share: Share
    max_epochs: Count
    devices: Count
    audits: Audits

    @property
    def network(self) -> Network | AttentionNetwork:
        """The block of the architecture that is named."""
        return self.transformer if self.architecture == "transformer" else self.gru

    @model_validator(mode="after")
    def _as_many_trained_as_kept(self) -> Self:
        if self.trained_dim < self.embedding_dim:
            raise ValueError(
                f"`trained_dim` is {self.trained_dim}, fewer than the {self.embedding_dim} of `embedding_dim`: raise it"
            )
        return self

    @model_validator(mode="after")
    def _something_to_learn(self) -> Self:
        if not any(self.objectives.values()):
            raise ValueError("`objectives` needs at least one weight above zero")
        if len([one for one in self.fields.values() if one.kind == "text"]) > 1:
            raise ValueError("`fields` holds at most one of kind text")
        for name in self.targets:
            if name not in self.fields or self.fields[name].kind == "words":
                raise ValueError(f"`targets` names {name}, which is none of `fields`, or of kind words")
        return self


class Price(Block):
    """US dollars a million tokens."""

    read: Weight
    written: Weight


class Taxonomy(Block):
    """The teacher: which sessions it reads, and who it is."""

    model: Text
    api_base: Text | None
    price_per_million_tokens: Price | None
    budget_usd: Annotated[float, Field(ge=0)]
    concurrency: Count
    requests_per_minute: Positive | None
    samples_per_session: Count
    replay: bool
    recording: Text | None
    gold: Text | None
    n_read: Count
    n_label: Count
    uniform_share: Share
    n_clusters: Count
    max_intents: Annotated[int, Field(ge=2)]
    min_sessions: Count
    min_visitors: Count
    min_coverage: Share
    max_other_share: Share
    stability_seeds: Annotated[int, Field(ge=0)]
    max_events: Count
    batch_size: Count
    timeout_seconds: Positive
    max_attempts: Count

    @field_validator("api_base")
    @classmethod
    def _an_address_without_secrets(cls, api_base: str | None) -> str | None:
        """It goes into recordings."""
        address = urlsplit(api_base or "http://none")
        if address.scheme not in ("http", "https") or not address.hostname or "@" in address.netloc or address.query:
            raise ValueError("expected http(s)://HOST[:PORT][/PATH]; keys belong in the environment")
        return api_base


class Costs(Block):
    """What an answer of the student costs, in any one unit."""

    false_positive: Positive
    false_negative: Positive
    abstention: Weight


class Distill(Block):
    """The student."""

    hidden_dim: Count
    dropout: Annotated[float, Field(ge=0, lt=1)]
    max_epochs: Count
    learning_rate: Positive
    weight_decay: Weight
    batch_size: Count
    hard_share: Share
    costs: Costs


class TileRanking(Block):
    """How a home-screen impression and its click are written in the events."""

    impression_event: Text
    click_event: Text
    impression_id: Text
    tiles: Text


class Conversion(Block):
    """Which event is an outcome, and how soon after a session it counts."""

    event: Text
    product: Text
    horizon_days: Positive


class Evaluate(Block):
    """The offline evaluation."""

    tile_ranking: TileRanking
    conversion: Conversion
    half_life_days: Positive
    lookback_days: Positive
    l2: Annotated[list[Positive], Field(min_length=1)]
    n_bootstrap: Annotated[int, Field(ge=10)]


class Alarm(Block):
    """How many of the last days must have drifted, and how far one of them makes an alarm alone."""

    drifted: Count
    of: Count
    at_once: Annotated[float, Field(ge=1)] | None

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        if self.drifted > self.of:
            raise ValueError(f"`drifted` {self.drifted} of {self.of} days can never be: lower it, or raise `of`")
        return self


class Monitor(Block):
    """The drift report."""

    window_days: Count
    reference_sessions: Annotated[int, Field(ge=50)]
    false_alarm_rate: Annotated[float, Field(gt=0, lt=1)]
    alarm: Alarm
    cooldown_days: Count


class Gate(Block):
    """What a challenger must not be worse at."""

    metrics: Annotated[list[Text], Field(min_length=1)]
    max_loss: Share


class Retrain(Block):
    """Retraining by Airflow: who approves, how often, what stays on disk."""

    approval: Literal["ask", "policy"]
    answer_days: Positive
    budget_runs: Count
    budget_days: Positive
    kept_workspaces: Annotated[int, Field(ge=0)]
    fast: dict[str, bool | int | float | str | None]


class Params(Block):
    """All of params.yaml."""

    seed: Annotated[int, Field(ge=0, lt=2**32)]
    simulate: Simulate
    ingest: Ingest
    sessionize: Sessionize
    pretrain: Pretrain
    taxonomy: Taxonomy
    distill: Distill
    evaluate: Evaluate
    monitor: Monitor
    gate: Gate
    retrain: Retrain


def load(path: Path, overrides: Sequence[str] = ()) -> Params:
    """Returns the validated params of the file at ``path`` with ``overrides`` ("block.key=value", YAML values) applied.

    Raises:
        ParamsError: the file is missing or no YAML, or a value is not allowed; the message names the field.
    """
    return validate(overridden(path, overrides), path.name)


def overridden(path: Path, overrides: Sequence[str]) -> dict[str, Any]:
    """Returns the values of the file at ``path`` as they stand there, with ``overrides`` applied; not validated.

    Raises:
        ParamsError: the file is missing or no YAML, or an override names no block.
    """
    values = _read(path)
    for override in overrides:
        _apply(values, override)
    return values


def validate(values: Mapping[str, Any], name: str) -> Params:
    """Returns ``values`` as Params; ``name`` says in the error message where they came from."""
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        raise ParamsError(_explain(error, name)) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParamsError(f"{path} is missing: run in the repository's root, or name a folder by --root") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise ParamsError(f"{path.name}{where}: not valid YAML; compare with the file in the repository") from None
    if not isinstance(values, dict):
        raise ParamsError(f"{path.name}: expected blocks such as `ingest:`; compare with the file in the repository")
    return values


def _apply(values: dict[str, Any], override: str) -> None:
    key, sign, text = override.partition("=")
    *parents, leaf = key.split(".")
    if not sign or not leaf:
        raise ParamsError("--set: expected block.key=value, for example --set sessionize.gap_seconds=900")
    block: Any = values
    for parent in parents:
        block = block[int(parent)] if isinstance(block, list) and parent.isdigit() else block.get(parent)
        if not isinstance(block, dict | list):
            raise ParamsError(f"--set {key}: params.yaml has no block `{parent}`")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ParamsError(f"--set {key}: the value is not valid YAML") from None
    if isinstance(block, list):
        block[int(leaf)] = value
    else:
        block[leaf] = value


def _explain(error: ValidationError, name: str) -> str:
    """One line a field: which, and what was expected; never the value, which could be a secret pasted by mistake."""
    lines = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        where = ".".join(str(part) for part in problem["loc"]) or "the file"
        what = "unknown key: remove it" if problem["type"] == "extra_forbidden" else problem["msg"]
        lines.append(f"{name}: `{where}`: {what}")
    return "\n".join(lines)
