"""gepa-ci gates prompt files on pull requests and optimizes them with GEPA."""

__version__ = "0.1.0"
