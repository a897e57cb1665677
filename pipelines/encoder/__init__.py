"""The session encoder: what pretrain trains and score loads."""

from pipelines.encoder.bundle import Encoder

__all__ = ["Encoder"]
