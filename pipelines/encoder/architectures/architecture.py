"""What every architecture is: events to states, causal."""

from torch import Tensor, nn
from torch.nn import functional


class Architecture(nn.Module):
    """Maps events (B, T, E) to states (B, T, H); state t has seen events 1 to t and nothing else."""

    def of_distinct(self, events: Tensor, places: Tensor) -> Tensor:
        """Returns the states, (B, T, H), of the events that ``places`` (B, T) names among distinct ``events`` (K, E).

        For inference. One that has something to compute of an event alone does it once here, whatever its length.
        """
        states: Tensor = self(functional.embedding(places, events))
        return states
