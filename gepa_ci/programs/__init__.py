"""Turns a prompt and an example into an output; `chat` is the program that makes one call."""

from gepa_ci.programs.chat import ChatProgram

__all__ = ["ChatProgram"]
