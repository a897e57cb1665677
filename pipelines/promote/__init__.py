"""Make the current artifacts the champion."""
