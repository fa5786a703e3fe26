"""Owns how Jinja knows what is Markdown already: what blocks, macros and captures rendered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2 import nodes
from jinja2.compiler import CodeGenerator
from jinja2.sandbox import ImmutableSandboxedEnvironment

from gepa_ci.reports.posts.filters import Markdown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from jinja2.compiler import Frame


class _Code(CodeGenerator):
    """Compiles `{% filter %}` and `{% call %}` such that what they give is escaped too."""

    _is_escaping = False

    def start_write(self, frame: Frame, node: nodes.Node | None = None) -> None:
        """Begin a write; Jinja itself finalizes expressions only."""
        super().start_write(frame, node)
        self._is_escaping = isinstance(node, nodes.CallBlock | nodes.FilterBlock)
        if self._is_escaping:
            self.write("environment.finalize(")

    def end_write(self, frame: Frame) -> None:
        """End the write that began last."""
        if self._is_escaping:
            self.write(")")
            self._is_escaping = False
        super().end_write(frame)


class MarkdownEnvironment(ImmutableSandboxedEnvironment):
    """A sandbox in which whatever a template has rendered is Markdown, and nothing else is.

    `super()`, `self.block()`, macros and `{% set %}` blocks join what was escaped when it was
    written, and Jinja joins it by `concat`.
    """

    code_generator_class = _Code

    @staticmethod
    def concat(parts: Iterable[str]) -> Markdown:
        """Join what a template wrote."""
        return Markdown("".join(parts))

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Let what is filled into Markdown make it text again, which is escaped."""
        fill = super().wrap_str_format(value)
        return None if fill is None else lambda *texts, **named: str(fill(*texts, **named))
