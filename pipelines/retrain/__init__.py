"""A retraining's own workspace."""
