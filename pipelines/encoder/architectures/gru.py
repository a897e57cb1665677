"""A gated recurrent network (Cho et al., arXiv 1406.1078): a strong rival on event sequences (EBES, 2410.03399)."""

from torch import Tensor, nn

from pipelines.encoder.shape import Shape


class Gru(nn.Module):
    """Events (B, T, E) to states (B, T, H); padding on the right is read after all that counts."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        between = shape.dropout if shape.n_layers > 1 else 0.0
        self.layers = nn.GRU(shape.event_dim, shape.hidden_dim, shape.n_layers, batch_first=True, dropout=between)
        self.dropout = nn.Dropout(shape.dropout)

    def forward(self, events: Tensor) -> Tensor:
        states: Tensor = self.dropout(self.layers(events)[0])
        return states
