"""Crews of worker processes on other machines: an agent runs one there, and the engine places the work."""
