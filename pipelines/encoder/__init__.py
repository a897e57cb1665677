"""The session encoder: what pretrain trains (``Encoder``) and score loads (``Runtime``).

Neither is imported before it is asked for: scoring must not wait for torch, nor need it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.encoder.bundle import Encoder
    from pipelines.encoder.runtime import Runtime

__all__ = ["Encoder", "Runtime"]


def __getattr__(name: str) -> Any:
    if name == "Encoder":
        from pipelines.encoder.bundle import Encoder

        return Encoder
    if name == "Runtime":
        from pipelines.encoder.runtime import Runtime

        return Runtime
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
