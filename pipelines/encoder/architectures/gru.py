"""A gated recurrent network (Cho et al., arXiv 1406.1078): a strong rival on event sequences (EBES, 2410.03399)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipelines.encoder.architectures.architecture import Architecture
from pipelines.encoder.dropout import Dropout
from pipelines.encoder.shape import Shape


class Gru(Architecture):
    """Events (B, T, E) to states (B, T, H); padding on the right is read after all that counts."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.layers = nn.GRU(shape.event_dim, shape.hidden_dim, shape.n_layers, batch_first=True)
        self.dropout = Dropout(shape.dropout)  # of the states; between layers nothing is dropped

    def forward(self, events: Tensor) -> Tensor:
        states: Tensor = self.dropout(self.layers(events)[0])
        return states

    def of_distinct(self, events: Tensor, places: Tensor) -> Tensor:
        """Returns the states, (B, T, H), as Architecture says; sessions that begin alike are one until they part.

        What the layer makes of an event alone is made once as well. A graph that is exported has the runtime's own GRU
        instead, and several layers PyTorch's.
        """
        layer = self.layers
        if layer.num_layers > 1 or torch.onnx.is_in_onnx_export():
            return super().of_distinct(events, places)
        inward, recurrent, inward_bias, recurrent_bias = layer.all_weights[0]
        given = functional.linear(events, inward, inward_bias)  # (K, 3 H): of the gates and the new state
        state, path = events.new_zeros(1, layer.hidden_size), places.new_zeros(len(places))
        states = []
        for step in places.T:
            paths, path = torch.unique(path * len(events) + step, return_inverse=True)  # (W,), (B,): W ways to be here
            before, inputs = state[paths // len(events)], given[paths % len(events)]
            recalled = functional.linear(before, recurrent, recurrent_bias)
            gates = (inputs[:, : 2 * layer.hidden_size] + recalled[:, : 2 * layer.hidden_size]).sigmoid_()
            reset, kept = gates.chunk(2, dim=1)
            new = torch.addcmul(inputs[:, -layer.hidden_size :], reset, recalled[:, -layer.hidden_size :]).tanh_()
            state = torch.lerp(new, before, kept)
            states.append(state[path])
        return torch.stack(states, dim=1)
