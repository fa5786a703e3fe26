"""Owns which candidates may cost a call: refused with a reason, never repaired."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gepa_ci.core.prompt import ComponentKind
from gepa_ci.errors import PromptError
from gepa_ci.formats import placeholders, write_texts
from gepa_ci.formats.demos import from_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gepa_ci.core.prompt import Component, Prompts
    from gepa_ci.core.suite import TuningSet
    from gepa_ci.core.values import JSON

_RUN = 8
_EXCERPT = 80
_WORD = re.compile(r"\w+")
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s<>\"')\]]+|\bwww\.[^\s<>\"')\]]+", re.IGNORECASE)
_AFTER_URL = ".,;:!?"
_SECRET = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\b(?:sk|rk|pk)[-_](?:live|proj|ant|test)?[-_]?\w{16,}"
    r"|\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}|\bAKIA[0-9A-Z]{16}\b|\bxox[abprs]-[\w-]{10,}"
    r"|\bAIza[\w-]{30,}|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\."
)
_FROZEN = re.compile(r"<!-- gepa-ci:freeze -->.*?<!-- gepa-ci:/freeze -->", re.DOTALL)
_MIN_CAP, _GROWTH = 4000, 4
_ALLOWED_CONTROLS = "\n\t\r"
# Line and paragraph separators, fillers that are letters to Unicode, and variation selectors, which
# can carry whole hidden texts. U+FE0F stays allowed: it is part of common emoji.
_UNSEEN = re.compile(
    "[\u2028\u2029\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\ufe00-\ufe0e\U000e0100-\U000e01ef]"
)


@dataclass(frozen=True, kw_only=True)
class Admission:
    """What a candidate is held against."""

    baseline: Prompts
    runs: frozenset[tuple[str, ...]]
    """Every run of 8 words in a train or val example that the baseline does not have itself."""
    turns: frozenset[tuple[str, str]]
    """Pairs of question and answer that may stand among the examples as turns."""
    earned: set[tuple[str, str]] = field(default_factory=set)
    """Further pairs that may: train questions with answers of the model that had full marks."""
    max_chars: int | None = None
    urls: frozenset[str] = frozenset()
    """Web addresses of the baseline, which candidates may have too."""
    example_urls: frozenset[str] = frozenset()
    """Web addresses of train examples, which examples in a candidate may have."""

    def check(self, texts: Mapping[str, str]) -> Prompts | Refusal:
        """Return the candidate as it would stand in the files, or why it is refused."""
        for name, text in texts.items():
            component = self.baseline.component(name)
            if text == component.text:
                continue
            if (reason := self._reason(component, text)) is not None:
                return Refusal(component=name, text=text, reason=reason)
        try:
            return write_texts(self.baseline, texts)
        except PromptError as error:
            changed = [n for n, text in texts.items() if text != self.baseline.component(n).text]
            name = changed[0] if changed else next(iter(texts))
            said = f"The file cannot hold it: {error.problems[0].message}."
            return Refusal(component=name, text=texts[name], reason=said)

    def rules(self, name: str) -> list[str]:
        """Return the rules for one component's text, as a reflection LM is told them."""
        component = self.baseline.component(name)
        marks = sorted(set(placeholders(self._format(name), component.text)))
        rules = [
            f"At most {self._cap(component)} characters.",
            f"Do not quote {_RUN} or more words in a row from an example.",
            "No web address, key or invisible character that the current text does not have.",
        ]
        if marks:
            rules.insert(0, f"Keep each of these placeholders exactly as often: {', '.join(marks)}")
        else:
            rules.insert(0, "Add no placeholders in double braces.")
        if _FROZEN.search(component.text):
            rules.append("Keep everything between gepa-ci:freeze comments, and the comments.")
        return rules

    def _cap(self, component: Component) -> int:
        return self.max_chars or max(_MIN_CAP, _GROWTH * len(component.text))

    def _format(self, name: str) -> str:
        return self.baseline.place(name)[0].format

    def _reason(self, component: Component, text: str) -> str | None:
        match component.kind:
            case ComponentKind.TEXT:
                return self._instructions(component, text)
            case ComponentKind.DEMOS:
                return self._demos(component, text)
            case ComponentKind.RECORDS:
                return self._records(component, text)

    def _instructions(self, component: Component, text: str) -> str | None:
        if not text.strip():
            return "The text is empty."
        if len(text) > (cap := self._cap(component)):
            return f"The text has {len(text)} characters; the cap is {cap}."
        before = Counter(placeholders(self._format(component.name), component.text))
        try:
            after = Counter(placeholders(self._format(component.name), text))
        except PromptError as error:
            return f"The file cannot hold it: {error.problems[0].message}."
        if before != after:
            return _placeholder_reason(before, after)
        frozen = _FROZEN.findall(component.text)
        if _FROZEN.findall(text) != frozen:
            missing = next((f for f in frozen if f not in text), None)
            said = f"is changed: '{_short(missing)}'" if missing else "is moved, repeated or new"
            return f"A frozen part {said}."
        if (planted := self._planted(component, text, urls=self.urls)) is not None:
            return planted
        if copied := next((run for run in _runs(text) if run in self.runs), None):
            return f"The text quotes an example: '{' '.join(copied)}'."
        return None

    def _planted(self, component: Component, text: str, *, urls: frozenset[str]) -> str | None:
        if odd := _invisible(text) - _invisible(component.text):
            names = ", ".join(sorted(f"U+{ord(char):04X}" for char in odd))
            return f"The text has invisible or control characters: {names}."
        if new := [url for url in _urls(text) if url not in urls]:
            return f"The text has a web address that the prompt did not have: '{_short(new[0])}'."
        if set(_SECRET.findall(text)) - set(_SECRET.findall(component.text)):
            return "The text has something that looks like a secret."
        return None

    def _records(self, component: Component, text: str) -> str | None:
        """Check demos of a DSPy predictor: what it was given within a program is no example's."""
        try:
            records = json.loads(text)
        except ValueError:
            records = None
        if not isinstance(records, list) or not all(isinstance(item, dict) for item in records):
            return "The examples are not a list of objects."
        said = "\n".join(_strings(records))
        return self._planted(component, said, urls=self.urls | self.example_urls)

    def _demos(self, component: Component, text: str) -> str | None:
        before = _pairs(component.text)
        try:
            pairs = _pairs(text)
        except PromptError:
            return "The examples are not pairs of a user's and an assistant's turn."
        for pair in pairs:
            if pair not in self.turns and pair not in self.earned and pair not in before:
                return "An example among the turns is not a train example with its answer."
        if len(set(pairs)) != len(pairs):
            return "An example stands twice among the turns."
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A candidate that may not cost a call."""

    component: str
    text: str
    reason: str


def admission(
    baseline: Prompts,
    tuning: TuningSet,
    *,
    turns: Iterable[tuple[str, str]] = (),
    max_chars: int | None = None,
) -> Admission:
    """Prepare the checks for a prompt and the examples that its candidates are made from."""
    # A run of words that the prompt has anyway is not copied from an example.
    own = {run for component in baseline.components for run in _runs(component.text)}
    runs = {
        run
        for example in (*tuning.train, *tuning.val)
        for text in _strings([dict(example.inputs), example.expected])
        for run in _runs(text)
    }
    return Admission(
        baseline=baseline,
        runs=frozenset(runs - own),
        turns=frozenset(turns),
        max_chars=max_chars,
        urls=frozenset(url for c in baseline.components for url in _urls(c.text)),
        example_urls=frozenset(
            url
            for example in tuning.train
            for text in _strings([dict(example.inputs), example.expected])
            for url in _urls(text)
        ),
    )


def _pairs(text: str) -> list[tuple[str, str]]:
    contents = [turn.content for turn in from_text(text, "")]
    return list(zip(contents[::2], contents[1::2], strict=True))


def _urls(text: str) -> list[str]:
    return [url.rstrip(_AFTER_URL) for url in _URL.findall(text)]


def _runs(text: str) -> Iterable[tuple[str, ...]]:
    words = [word.casefold() for word in _WORD.findall(text)]
    return (tuple(words[i : i + _RUN]) for i in range(len(words) - _RUN + 1))


def _strings(value: JSON) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)


def _invisible(text: str) -> set[str]:
    odd = {
        char
        for char in text
        if unicodedata.category(char) in ("Cf", "Cc", "Co", "Cs") and char not in _ALLOWED_CONTROLS
    }
    return odd | set(_UNSEEN.findall(text))


def _placeholder_reason(before: Counter[str], after: Counter[str]) -> str:
    lost, added = before - after, after - before
    said = []
    if lost:
        said.append(f"lost {', '.join(sorted(lost))}")
    if added:
        said.append(f"added {', '.join(sorted(added))}")
    return f"The placeholders changed: {' and '.join(said)}."


def _short(text: str) -> str:
    return text if len(text) <= _EXCERPT else f"{text[: _EXCERPT - 3]}..."
