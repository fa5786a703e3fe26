"""Renders a result as one self-contained HTML page."""

from gepa_ci.reports.page.rendering import MAX_BYTES, render_page

__all__ = ["MAX_BYTES", "render_page"]
