"""Owns running a DSPy module in a worker: prompts put into its predictors, calls by the hub."""

from __future__ import annotations

import inspect
import json
import sys
from threading import Lock
from typing import TYPE_CHECKING, Any

from gepa_ci.formats.dspy_json import NAME as SAVED
from gepa_ci.programs.host_dspy_lm import Run, engine_lm
from gepa_ci.programs.host_outcome import outcome, plain
from gepa_ci.programs.host_prompts import prompt_view
from gepa_ci.workers.loading import told

if TYPE_CHECKING:
    from gepa_ci.programs.host_hub import Hub
    from gepa_ci.programs.host_prompts import PromptView

_KEPT = 32
"""Candidates whose modules are kept."""

_ASIDE = "reasoning"
"""The field in which a model thinks; it is no part of the answer."""


class MisfitError(Exception):
    """Prompts that do not fit a module."""


class UnparsableError(Exception):
    """An answer that an adapter of DSPy could not read."""


class Modules:
    """A module, and its copies with the prompts of candidates put in."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self._copies: dict[str, Any] = {}
        self._lock = Lock()

    def described(self, files: list[dict[str, str]]) -> list[dict[str, Any]]:
        """Return name, instructions and fields of each predictor."""
        module = self._with(files) if files else self._module
        return [
            {
                "name": name,
                "instructions": predictor.signature.instructions,
                "inputs": _fields(predictor.signature.input_fields),
                "outputs": _fields(predictor.signature.output_fields),
            }
            for name, predictor in module.named_predictors()
        ]

    def answer(self, request: dict[str, Any], hub: Hub, path: str) -> dict[str, Any]:
        """Run the module with a candidate's prompts on one example."""
        import asyncio

        import dspy

        module = self._with(request["files"])
        run = Run(hub, request["id"], module, request["model"])
        failure: dict[str, Any]
        try:
            with dspy.context(lm=run.lm, trace=run.trace, disable_history=True):
                if hasattr(type(module), "forward"):
                    value = module(**request["inputs"])
                else:
                    value = asyncio.run(module.acall(**request["inputs"]))
            return {**_outcome(value), "steps": run.steps()}
        except dspy.utils.exceptions.AdapterParseError as error:
            run.unread(error)
            failure = {"failure": "unparsable", "raised": told(_unparsable(error), path)}
        except BaseException as error:  # noqa: BLE001 - whatever the user's code raises is told
            failure = {"raised": told(error, path)}
        return {**failure, "steps": run.steps()}

    def _with(self, files: list[dict[str, str]]) -> Any:
        key = json.dumps(files)
        with self._lock:
            if key not in self._copies:
                if len(self._copies) >= _KEPT:
                    self._copies.pop(next(iter(self._copies)))
                self._copies[key] = _filled(self._module.deepcopy(), files)
            return self._copies[key]


def modules_of(function: Any) -> Modules | None:
    """Return the modules of an object that is one, or makes one; None for a plain function.

    Raises:
        TypeError: it takes nothing, and does not return a module.
    """
    dspy = sys.modules.get("dspy")
    if dspy is not None and isinstance(function, dspy.Module):
        return Modules(function)
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    takes = [p for p in parameters if p.kind is not p.VAR_KEYWORD]
    if any(p.default is p.empty for p in takes if p.kind is not p.VAR_POSITIONAL):
        return None
    if takes and not isinstance(function, type) and len(takes) > 1:
        return None
    if any(p.kind is p.VAR_POSITIONAL for p in takes) and not isinstance(function, type):
        return None
    made = function()
    dspy = sys.modules.get("dspy")
    if dspy is None or not isinstance(made, dspy.Module):
        raise TypeError(
            f"it takes nothing and made a {type(made).__name__}, which is not a dspy.Module; "
            "a function takes (prompts, inputs, lm)"
        )
    return Modules(made)


def _filled(module: Any, files: list[dict[str, str]]) -> Any:
    # What a saved state says of models is not read; what the code says is.
    models = {name: predictor.lm for name, predictor in module.named_predictors()}
    for file in files:
        view = prompt_view(file["path"], file["source"])
        if view.format == SAVED:
            module.load_state(_state(file["source"].encode("latin-1")))
        else:
            _instruct(module, view)
    for name, predictor in module.named_predictors():
        own = models.get(name)
        # A model of DSPy's own would be called with keys that are not here.
        predictor.lm = None if own is None else engine_lm(own.model, own.kwargs)
    return module


def _state(source: bytes) -> dict[str, Any]:
    state: dict[str, Any] = json.loads(source.decode("utf-8-sig"))
    return state


def _instruct(module: Any, view: PromptView) -> None:
    for name, predictor in module.named_predictors():
        if view.name in {name, name.removesuffix(".predict"), name.replace(".", "_")}:
            predictor.signature = predictor.signature.with_instructions(view.text)
            return
    known = ", ".join(name for name, _ in module.named_predictors())
    raise MisfitError(f"'{view.name}' is no predictor of the module; predictors: {known}")


def _fields(fields: dict[str, Any]) -> list[list[str]]:
    found = {name: (f.json_schema_extra or {}).get("desc") or "" for name, f in fields.items()}
    # DSPy describes a field that nobody has described by its own name.
    return [[name, "" if text == f"${{{name}}}" else text] for name, text in found.items()]


def _outcome(value: Any) -> dict[str, Any]:
    import dspy

    if not isinstance(value, dspy.Prediction):
        return outcome(value)
    fields = plain(value.toDict())
    told = [name for name in fields if name != _ASIDE] or list(fields)
    answer: dict[str, Any] = {"output": fields}
    if len(told) == 1:
        only = fields[told[0]]
        answer["text"] = only if isinstance(only, str) else json.dumps(only, ensure_ascii=False)
    return answer


def _unparsable(error: Any) -> BaseException:
    """Return the error without the whole answer, which is told as a step."""
    wanted = ", ".join(error.signature.output_fields)
    got = ", ".join(error.parsed_result or ()) or "none"
    said = f"{error.adapter_name} expected the output fields {wanted}; found {got}"
    return UnparsableError(said).with_traceback(error.__traceback__)
