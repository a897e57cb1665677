"""What a run would ask, read, write and cost, without a call: stored replies are used, the others assumed."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.errors import BudgetError
from pipelines.params import Taxonomy as TaxonomyParams
from pipelines.taxonomy.price import Price, price_of
from pipelines.taxonomy.prompt import as_json
from pipelines.taxonomy.provider import Provider, litellm
from pipelines.taxonomy.question import Question, Reply, Unusable, most_read
from pipelines.taxonomy.replies import Replies, key_of


@dataclass
class Assumed:
    """The sum of some calls that were not made."""

    n_calls: int = 0
    n_stored: int = 0
    read: int = 0
    written: int = 0
    most_usd: float = 0.0  # if every reply is as long as is allowed and every token one byte


class Rehearsal:
    """Answers as the store does, else as the question expects, and counts.

    Tokens are counted by one tokenizer (cl100k) whatever the model, plus the schema: near, not exact.
    """

    def __init__(self, params: TaxonomyParams, replies: Replies) -> None:
        self.params = params
        self.replies = replies
        self.provider = Provider(params.model, params.api_base, params.timeout_seconds)
        self.by_purpose: dict[str, Assumed] = {}
        self.seen: set[str] = set()
        try:
            self.price: Price | None = price_of(params.model, params.price_per_million_tokens)
        except BudgetError:
            self.price = None

    def ask(self, question: Question[Reply]) -> Reply:
        """Returns the stored reply, or the expected one."""
        key = key_of(question.request(self.params.model, self.params.api_base))
        assumed = self.by_purpose.setdefault(question.purpose, Assumed())
        stored = self.replies.reply(key, question)
        if stored is not None:
            assumed.n_stored += 1
            return stored
        if key not in self.seen:
            self.seen.add(key)
            assumed.n_calls += 1
            texts = [*(message["content"] for message in question.messages), as_json(question.schema)]
            assumed.read += sum(map(n_tokens, texts))
            assumed.written += n_tokens(question.expected.model_dump_json())
            if self.price is not None:
                most = self.provider.most_tokens(question.max_tokens)
                assumed.most_usd += self.price.of(most_read(question.messages, question.schema), most)
        return question.expected

    def answers(self, questions: Sequence[Question[Reply]], what: str = "") -> list[Reply | Unusable]:
        """Returns the answer to each question."""
        return [self.ask(question) for question in questions]

    def used(self) -> str:
        """Returns the table of what would be used."""
        rows: list[tuple[str, ...]] = [("purpose", "calls", "stored", "tokens read", "written", "USD", "at most")]
        total = Assumed()
        for purpose, of in self.by_purpose.items():
            rows.append(self._row(purpose, of))
            for name, value in vars(of).items():
                setattr(total, name, getattr(total, name) + value)
        rows.append(self._row("total", total))
        table = "\n".join("".join(f"{cell:>14}" for cell in row) for row in rows)
        return f"{table}\n{self._verdict(total)}"

    def finish(self) -> None:
        """Has nothing to end."""

    def _row(self, name: str, of: Assumed) -> tuple[str, ...]:
        known = self.price is not None
        usd = f"{self.price.of(of.read, of.written):.4f}" if self.price is not None else "unknown"
        counts = (f"{count:,}" for count in (of.n_calls, of.n_stored, of.read, of.written))
        return (name, *counts, usd, f"{of.most_usd:.4f}" if known else "unknown")

    def _verdict(self, total: Assumed) -> str:
        budget = f"taxonomy.budget_usd is {self.params.budget_usd:.2f}"
        if self.price is None:
            return f"the price of {self.params.model} is unknown: set taxonomy.price_per_million_tokens ({budget})"
        enough = self.price.of(total.read, total.written) <= self.params.budget_usd
        return f"{budget}: {'enough' if enough else 'the run would stop before it is exceeded'}"


def n_tokens(text: str) -> int:
    """Returns about how many tokens ``text`` is."""
    return len(litellm().encoding.encode(text, disallowed_special=()))
