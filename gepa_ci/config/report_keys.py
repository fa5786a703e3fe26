"""Owns the keys of `report` in the config: own templates, and how much result files show."""

from __future__ import annotations

from gepa_ci.config.leaves import Leaf, choice, path
from gepa_ci.config.records import Fields, Key, Record
from gepa_ci.config.values import BAD
from gepa_ci.core.config import HeldOutShown, ReportPolicy

_VIEW = Leaf(
    expects="view 1, the version of the view model that this gepa-ci has",
    json={"const": 1},
    accept=lambda value: value if value == 1 and not isinstance(value, bool | str) else BAD,
)


def _report(found: Fields) -> ReportPolicy:
    values = dict(found.values)
    if "held_out" in values:
        values["held_out"] = HeldOutShown(values["held_out"])
    return ReportPolicy(**values, line=found.lines.get("templates", 0))


REPORT = Record(
    about="report",
    of=ReportPolicy,
    build=_report,
    misnomers={
        "template": "did you mean 'templates'? It takes a folder",
        "texts": "did you mean 'held_out'? It takes texts or ids",
        "view_version": "did you mean 'view'?",
    },
    keys=(
        Key(
            "templates",
            path("the path of a folder inside the repository, relative to its root"),
            "Folder with templates of your own, which override blocks of the built-in ones.",
        ),
        Key("view", _VIEW, "Version of the view model that those templates are written for."),
        Key(
            "held_out",
            choice(*(shown.value for shown in HeldOutShown)),
            "Whether the result and the page have the `texts` of examples, or only their `ids` and "
            "scores; posts never have texts.",
        ),
    ),
)
