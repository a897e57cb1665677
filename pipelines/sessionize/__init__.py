"""Events to sessions, linked to customers as of their end, split by time."""
