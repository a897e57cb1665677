"""The demo bank: a synthetic bank's web and app traffic with known truth."""
