"""What a model costs: as stated in params.yaml, else as LiteLLM's own list has it; never guessed."""

from typing import NamedTuple

from pipelines.errors import BudgetError
from pipelines.params import Price as StatedPrice
from pipelines.taxonomy.provider import litellm


class Price(NamedTuple):
    """US dollars a token."""

    read_usd: float
    written_usd: float

    def of(self, read: float, written: float) -> float:
        """Returns US dollars of so many tokens."""
        return read * self.read_usd + written * self.written_usd


def price_of(model: str, stated: StatedPrice | None) -> Price:
    """Returns the price of ``model``.

    Raises:
        BudgetError: nobody knows it, a server of one's own included: that it costs nothing must be stated.
    """
    if stated is not None:
        return Price(stated.read / 1e6, stated.written / 1e6)
    provider, _, bare = model.partition("/")
    prices = litellm().model_cost
    entry = prices.get(model)
    if entry is None and prices.get(bare, {}).get("litellm_provider") == provider:
        entry = prices[bare]
    if entry is None or "input_cost_per_token" not in entry or "output_cost_per_token" not in entry:
        raise BudgetError(
            f"the price of {model} is unknown, so taxonomy.budget_usd cannot hold: set "
            "taxonomy.price_per_million_tokens, for a server of your own to {read: 0, written: 0}"
        )
    return Price(float(entry["input_cost_per_token"]), float(entry["output_cost_per_token"]))
