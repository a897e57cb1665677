"""Raw sources of any shape to one canonical, scrubbed, conserved events table."""
