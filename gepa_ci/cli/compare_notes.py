"""Owns what `gepa-ci compare` says about how its two files differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gepa_ci.reports.saved import SavedResult, SavedTask

_BOTH_PROMPTS = ("gate", "optimize", "compare")


def notes_on_files(
    paths: tuple[Path, Path], first: SavedResult, second: SavedResult
) -> Iterator[str]:
    """Yield finished sentences about what the files are, and how they differ as a whole."""
    yield f"The first file, the baseline, is '{paths[0]}'; the second is '{paths[1]}'."
    for path, saved in zip(paths, (first, second), strict=True):
        if saved.command in _BOTH_PROMPTS:
            yield (
                f"'{path}' is a result of `gepa-ci {saved.command}`: what is compared is its "
                "candidate."
            )
    if not (first.has_texts and second.has_texts):
        yield (
            "A file without texts has ids only, so it cannot be checked that examples with the "
            "same id are the same."
        )
    if first.config_digest != second.config_digest:
        yield "The files were made with different configs, so other things than the prompt differ."
    if first.version != second.version:
        yield (
            f"The files were made by different versions of gepa-ci: '{first.version}' and "
            f"'{second.version}'."
        )


def notes_on_task(first: SavedTask, second: SavedTask, *, same_config: bool) -> Iterator[str]:
    """Yield finished sentences about how the two sides of a task differ."""
    before, after = first.evaluation, second.evaluation
    if first.name != second.name:
        yield (
            f"The first file's only task is '{first.name}' and the second's is '{second.name}': "
            "they are compared all the same."
        )
    if before.model != after.model:
        yield f"The models differ: '{before.model}' and '{after.model}'."
    if before.prompt_digest == after.prompt_digest:
        yield _same_prompt(one_model=before.model == after.model, same_config=same_config)
    else:
        yield "The prompts differ."
    if before.part != after.part:
        yield "The examples were in another part of the suite in the first file."
    if before.width != after.width:
        yield f"Each example was run {_times(before.width)} and {_times(after.width)}."
    if first.weighted or second.weighted:
        yield "A result does not keep the weights of examples, so every example counts the same."
    if first.grouped or second.grouped:
        yield (
            "A result does not keep the groups of examples, so each counts by itself: the interval "
            "is narrower than it should be."
        )
    if first.guards or second.guards:
        yield "Guards are not compared: a result does not keep what they measured."


def _same_prompt(*, one_model: bool, same_config: bool) -> str:
    causes = [
        "chance",
        *([] if one_model else ["the model"]),
        *([] if same_config else ["the config"]),
    ]
    *others, last = causes
    listed = f"{', '.join(others)} or {last}" if others else last
    return f"Both files measured the same prompt: what differs is {listed}."


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"
