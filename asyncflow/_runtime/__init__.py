"""Carries out what the core decides: futures, the run loop, timers. Knows backends only by their contract."""
