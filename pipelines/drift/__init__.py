"""Drift: what is observed of a session, the signals, their thresholds, and when they add up to an alarm."""
