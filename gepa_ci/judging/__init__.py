"""Judges: how well one agrees with humans, what biases it, and whether it has changed since."""
