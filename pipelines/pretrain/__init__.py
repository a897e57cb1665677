"""Sessions to a self-supervised encoder."""
