"""The drift report of a window of events against the champion's reference."""
