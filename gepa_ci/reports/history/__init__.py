"""A task's scores over time: a plot, JSON, and a page."""
