"""The teacher that is an LLM: makes a taxonomy (generation.py), then labels sessions with it (labelling.py)."""

from collections.abc import Sequence

from pipelines.params import Taxonomy as TaxonomyParams
from pipelines.taxonomy import generation, labelling
from pipelines.taxonomy.document import Document, Labels
from pipelines.taxonomy.question import Asked
from pipelines.taxonomy.quoting import Quotable
from pipelines.taxonomy.rendering import RenderedSession

SAMPLING_TEMPERATURE = 0.7  # where samples must differ; a single label is drawn at 0
MAX_SUPPORTING = 1_000  # sessions that are labelled to see which intents of a new taxonomy hold


class LlmTeacher:
    """Makes taxonomies and labels by asking ``llm``."""

    def __init__(self, llm: Asked, params: TaxonomyParams) -> None:
        self.llm = llm
        self.params = params
        self.model = self.second_model = params.model

    def study(self, sessions: Sequence[RenderedSession]) -> None:
        """Has nothing to learn: the prompts say everything."""

    def propose(self, sessions: Sequence[RenderedSession], may: Quotable) -> Document:
        """Returns the taxonomy of what ``sessions`` show; an intent that leads in few of them is dropped."""
        made, read = generation.generate(self.llm, sessions, self.params)
        proposal = may.floored(made)
        labels = self._labels(read[:MAX_SUPPORTING], proposal, [0], 0.0)
        return proposal.supported([list(given or ()) for given in labels], self.params.min_sessions)

    def label(self, sessions: Sequence[RenderedSession], taxonomy: Document) -> list[Labels | None]:
        """Returns the labels of each session: the share of ``samples_per_session`` answers that name an intent."""
        n_samples = self.params.samples_per_session
        return self._labels(sessions, taxonomy, range(n_samples), SAMPLING_TEMPERATURE if n_samples > 1 else 0.0)

    def label_again(self, sessions: Sequence[RenderedSession], taxonomy: Document) -> list[Labels | None]:
        """Returns the labels of one more sample: how well the teacher agrees with itself bounds any student."""
        return self._labels(sessions, taxonomy, [self.params.samples_per_session], SAMPLING_TEMPERATURE)

    def used(self) -> str:
        """Returns the calls and their cost."""
        return self.llm.used()

    def finish(self) -> None:
        """Ends the run's budget."""
        self.llm.finish()

    def _labels(
        self, sessions: Sequence[RenderedSession], taxonomy: Document, samples: Sequence[int], temperature: float
    ) -> list[Labels | None]:
        answers = [
            self.llm.answers(
                labelling.questions(sessions, taxonomy, sample, temperature),
                f"taxonomy: labelling, sample {sample + 1}",
            )
            for sample in samples
        ]
        return labelling.agreement(answers, self.model)
