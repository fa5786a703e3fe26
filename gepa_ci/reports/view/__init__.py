"""The view model: what templates may read of a result, and the way there from its document."""

from gepa_ci.reports.view.report import view

__all__ = ["view"]
