"""Owns the module that DSPy's optimizers change; its source is shown to LMs, and so is short."""

from __future__ import annotations

from typing import Any

import dspy

from gepa_ci.optimizers.dspy_text import signed


class PromptProgram(dspy.Module):  # type: ignore[misc]
    """A program made of prompts: it is given the inputs of an example and returns its output.

    The instructions of each predictor are one of its prompts.
    """

    def forward(self, **inputs: Any) -> Any:
        """Run the program with the prompts as they are."""
        return self.run(self, inputs)

    def deepcopy(self) -> PromptProgram:
        """Return a copy with signatures of its own: some optimizers change them in place."""
        copied: PromptProgram = super().deepcopy()
        for predictor in copied.predictors():
            predictor.signature = signed(predictor.signature)
        return copied
