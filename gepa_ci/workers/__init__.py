"""Processes without keys that run what users write: their start, their limits, what they tell."""
