"""Turns the prompts of a task and an example into an output: by one call, or by the user's code."""

from __future__ import annotations

from gepa_ci.programs.build import build_program
from gepa_ci.programs.chat import ChatProgram
from gepa_ci.programs.program import Field, Predictor, Program

__all__ = ["ChatProgram", "Field", "Predictor", "Program", "build_program"]
