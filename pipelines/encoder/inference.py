"""ONNX Runtime as the encoder's graphs are run: threads that sleep when idle, nothing printed."""

from pathlib import Path

import onnxruntime


def opened(graph: bytes | Path, n_threads: int) -> onnxruntime.InferenceSession:
    """Returns ``graph`` ready to run on the CPU, by ``n_threads`` at once in each operation (0: as many as cores)."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = n_threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    given = graph if isinstance(graph, bytes) else str(graph)
    return onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
