"""Runs the command line as `python -m gepa_ci`."""

from gepa_ci.cli import entry

if __name__ == "__main__":
    entry()
