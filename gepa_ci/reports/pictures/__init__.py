"""Owns the pictures of reports: view model values in, inline SVG markup out, or "" for none.

A picture has no style of its own: colours, fonts and line widths belong to the page's stylesheet,
which knows the classes. What a picture shows is said again in words, in its title and description.
"""

from __future__ import annotations

from gepa_ci.reports.pictures.counts import counts_picture
from gepa_ci.reports.pictures.effects import effect_bar, effect_picture
from gepa_ci.reports.pictures.frontier import frontier_picture
from gepa_ci.reports.pictures.lineage import lineage_picture
from gepa_ci.reports.pictures.progress import progress_picture
from gepa_ci.reports.pictures.timeline import Moment, history_picture

__all__ = [
    "Moment",
    "counts_picture",
    "effect_bar",
    "effect_picture",
    "frontier_picture",
    "history_picture",
    "lineage_picture",
    "progress_picture",
]
