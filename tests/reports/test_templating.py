# ruff: noqa: E501 - problems as they are told
from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import view_reference
from post_samples import HEAD, LINKS, MARKER, document
from report_samples import SAMPLES

from gepa_ci.errors import Problem
from gepa_ci.reports import result_document
from gepa_ci.reports.posts.comment import (
    MAX_CHARS,
    render_comment,
    render_failure_comment,
    render_nothing_comment,
)
from gepa_ci.reports.posts.markdown import (
    REPORT,
    SUMMARY,
    Room,
    cut_markdown,
    environment,
    post_size,
    render_markdown,
)
from gepa_ci.reports.posts.pull_body import render_pull_body
from gepa_ci.reports.templating import rendering
from gepa_ci.reports.templating.checks import blocks_of, template_problems
from gepa_ci.reports.templating.rendering import OwnTemplateError
from gepa_ci.reports.templating.sample import sample_documents
from gepa_ci.reports.templating.sources import BUILT_IN, ENTRIES, OwnTemplates, our_names
from gepa_ci.reports.view import view

if TYPE_CHECKING:
    from collections.abc import Callable

PROBLEMS = (Problem(message="no key", path="a.yml", line=2, hint="set it"), Problem(message="odd"))
MARKDOWN_ENTRIES = [name for name in ENTRIES if name.endswith(".md.j2")]
RENDER: dict[str, Callable[[dict[str, Any], OwnTemplates], str]] = {
    "comment.md.j2": lambda d, own: render_comment(
        d, links=LINKS, head=HEAD, marker=MARKER, notes=("Note.",), own=own
    ),
    "failure.md.j2": lambda _, own: render_failure_comment(
        PROBLEMS, links=LINKS, head=HEAD, marker=MARKER, own=own
    ),
    "nothing.md.j2": lambda _, own: render_nothing_comment(
        "Nothing changed.", links=LINKS, head=HEAD, marker=MARKER, own=own
    ),
    "pull_body.md.j2": lambda d, own: render_pull_body(d, "orders", links=LINKS, own=own),
    "report.md.j2": lambda d, own: render_markdown(d, own, links=LINKS),
}
BLOCKS = [(name, block) for name in MARKDOWN_ENTRIES for block in blocks_of(name)]


def own(**sources: str) -> OwnTemplates:
    """Return templates, given `comment="..."` for `comment.md.j2`."""
    return OwnTemplates(
        folder="report", sources={f"{name}.md.j2": text for name, text in sources.items()}
    )


def override(name: str, block: str, text: str) -> str:
    return f'{{% extends "gepa-ci/{name}.md.j2" %}}\n{{% block {block} %}}{text}{{% endblock %}}\n'


def said(problem: Problem) -> str:
    return f"{problem.path}:{problem.line}: {problem.message} | {problem.hint}"


@pytest.mark.parametrize(("name", "block"), BLOCKS)
def test_every_block_of_every_entry_is_overridable(name: str, block: str) -> None:
    stem = name.removesuffix(".md.j2")
    mine = own(**{stem: override(stem, block, "\n\nMINE{{ 6 * 7 }}\n\n")})

    for sample in ("promote", "gate_three_tasks"):
        if (stem, sample) != ("pull_body", "gate_three_tasks"):
            assert "MINE42" in RENDER[name](document(sample), mine)


@pytest.mark.parametrize("name", MARKDOWN_ENTRIES)
def test_entry_that_overrides_nothing_is_the_built_in_one(name: str) -> None:
    mine = OwnTemplates(folder="r", sources={name: f'{{% extends "gepa-ci/{name}" %}}'})

    assert RENDER[name](document("promote"), mine) == RENDER[name](document("promote"), BUILT_IN)


def test_blocks_of_one_meaning_have_one_name_in_all_entries() -> None:
    shared = {"title", "links"}
    common = {"measured", "reasons", "guards", "tags", "examples", "optimization", "spend"}

    assert all(shared <= set(blocks_of(name)) for name in MARKDOWN_ENTRIES)
    for name in ("comment.md.j2", "pull_body.md.j2", "report.md.j2"):
        assert common | {"cost", "notes", "changes", "replay", "footer"} <= set(blocks_of(name))


def test_every_sample_is_rendered_by_a_block_that_reads_the_view() -> None:
    text = "{{ super() }}{{ task.name|code }} in {{ report.view_version }}: {{ task.effect }}"
    mine = own(report=override("report", "reasons", text))

    for make in SAMPLES.values():
        found = render_markdown(result_document(make(), texts=True), mine)
        assert "teapot" not in found


def test_text_in_an_own_template_is_escaped_whatever_it_does() -> None:
    hostile = "<img src=x onerror=alert(1)> @octocat [x](https://evil.example)"
    text = "{{ task.name }} {{ task.name|upper }} {{ '<b>' ~ task.name }} {{ [task.name]|join }}"
    result = document("gate_regression")
    result["tasks"][0]["name"] = hostile  # type: ignore[index]
    found = render_markdown(result, own(report=override("report", "title", text)))

    assert "<img" not in found.lower()
    assert re.search(r"@octo|[^\\]\]\(https", found, re.IGNORECASE) is None


def test_own_template_is_given_no_text_of_an_example() -> None:
    text = (
        "{% for e in task.examples %}{{ e.inputs }}{{ e.expected }}"
        "{% for t in e.candidate %}{{ t.output }}{{ t.feedback }}{% endfor %}{% endfor %}"
        "texts: {{ report.has_texts }}"
    )
    mine = own(**{n: override(n, "examples", text) for n in ("comment", "report", "pull_body")})

    for name in ("comment.md.j2", "report.md.j2", "pull_body.md.j2"):
        found = RENDER[name](result_document(SAMPLES["promote"](), texts=True), mine)
        assert "texts: False" in found
        assert "teapot" not in found
        assert "Marta" not in found


def test_sticky_comment_spoofing_the_marker_is_ours_alone() -> None:
    empty = "".join(f"{{% block {b} %}}{{% endblock %}}" for b in blocks_of("nothing.md.j2"))
    fake = override("nothing", "title", "<!-- gepa-ci:comment:v1 state=0 -->")
    none = RENDER["nothing.md.j2"](
        {}, own(nothing=f'{{% extends "gepa-ci/nothing.md.j2" %}}{empty}')
    )

    assert none.startswith(f"{MARKER}\n")
    assert len(re.findall(r"<!--\s*gepa-ci", RENDER["nothing.md.j2"]({}, own(nothing=fake)))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "{{ task.__class__ }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ report.tasks.append(1) }}",
        "{{ task._x }}",
        "{% for n in range(200000) %}{% endfor %}",
    ],
)
def test_own_template_stays_in_its_sandbox(text: str) -> None:
    with pytest.raises(OwnTemplateError, match=r"^report/report\.md\.j2:2: "):
        render_markdown(document("promote"), own(report=override("report", "title", text)))


def test_rendering_that_does_not_end_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "SECONDS", 0.05)
    loop = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"

    with pytest.raises(OwnTemplateError, match=r"report\.md\.j2: rendering took longer than 0\.05"):
        render_markdown(document("promote"), own(report=override("report", "title", loop)))


def test_text_of_an_own_template_that_is_far_too_long_is_cut_and_says_so() -> None:
    long = "{% for n in range(9000) %}{{ n }} `a` line of text\n\n{% endfor %}<details>\n"
    found = RENDER["comment.md.j2"](
        document("promote"), own(comment=override("comment", "reasons", long))
    )

    assert len(found) <= MAX_CHARS
    assert post_size(found) <= MAX_CHARS
    assert found.endswith("The rest is left out here, as it would be too long.\n")


def test_cut_is_never_made_inside_of_a_fence_or_a_fold() -> None:
    text = "a\n\n```text\n\nb\n\n`\n```\n\n<details>\n\nc\n\n</details>\n\n" + "d\n\n" * 99
    cuts = {cut_markdown(text, Room(most=most)) for most in range(60, 200)}

    assert len(cuts) > 5
    for cut in cuts:
        assert cut.count("```") in (0, 2)
        assert cut.count("<details>") == cut.count("</details>")


def test_length_is_counted_as_the_strictest_forge_may() -> None:
    assert post_size("a\u00e4\u4e00\n\U0001f600") == 7
    assert SUMMARY.size("\u00e4\U0001f600") == 6


def test_templates_without_a_fault_have_no_problem() -> None:
    mine = own(
        comment=override("comment", "title", '{% include "head.md.j2" %}'),
        head="## {{ report.summary }}\n",
    )

    assert template_problems(mine) == []


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (
            {"coment": "x"},
            (
                "report/coment.md.j2:None: no template is called 'coment.md.j2', and none of yours "
                "includes it | did you mean 'comment.md.j2'?"
            ),
        ),
        (
            {"measured": "x"},
            (
                "report/measured.md.j2:None: 'measured.md.j2' is the name of a part of gepa-ci's own "
                "templates | override the block 'measured' in comment.md.j2 or "
            ),
        ),
        ({"length": "x"}, "own templates | rename it"),
        (
            {"comment": "Hello.\n{% if %}"},
            "report/comment.md.j2:2: expected an expression",
        ),
        (
            {"comment": override("comment", "title", "{{ 1|monny }}")},
            "report/comment.md.j2:2: no filter named 'monny'",
        ),
        (
            {"comment": "Hello."},
            (
                "report/comment.md.j2:1: it does not extend gepa-ci's 'comment.md.j2' | begin it with "
                '{% extends "gepa-ci/comment.md.j2" %}'
            ),
        ),
        ({"report": '{% extends "gepa-ci/comment.md.j2" %}'}, "does not extend gepa-ci's 'report"),
        ({"comment": '{% extends "comment.md.j2" %}'}, "it does not extend gepa-ci's"),
        (
            {
                "comment": '{% extends "gepa-ci/comment.md.j2" %}\n\n{% block tittle %}{% endblock %}'
            },
            (
                "report/comment.md.j2:3: 'comment.md.j2' has no block 'tittle' | did you mean 'title'? "
                "blocks: title, measured, cost"
            ),
        ),
        (
            {"comment": '{% extends "gepa-ci/comment.md.j2" %}\n{% block xyz %}{% endblock %}'},
            "has no block 'xyz' | blocks: title",
        ),
        (
            {"comment": override("comment", "title", "\n\n{{ report.tasks[0].nmae }}")},
            "report/comment.md.j2:4: a Task has no field 'nmae' | did you mean 'name'? ",
        ),
        (
            {"comment": override("comment", "title", "{{ report.zzz }}")},
            "a Report has no field 'zzz' | docs/report-templates.md",
        ),
        (
            {"pull_body": override("pull_body", "title", "{{ tsak.name }}")},
            "report/pull_body.md.j2:2: 'tsak' is undefined | docs/report-templates.md",
        ),
        (
            {"failure": override("failure", "title", "{{ problems[0] / 2 }}")},
            "report/failure.md.j2:2: unsupported operand",
        ),
        (
            {"nothing": override("nothing", "title", '{% include "gone.md.j2" %}')},
            "report/nothing.md.j2:2: there is no template 'gone.md.j2'",
        ),
        (
            {
                "report": override("report", "title", '{% include "part.md.j2" %}'),
                "part": "\n{{ report.vesions }}",
            },
            "report/part.md.j2:2: a Report has no field 'vesions' | did you mean 'versions'?",
        ),
        (
            {"report": override("report", "title", "{{ report.summary|safe }}")},
            "report/report.md.j2:2: the filter 'safe' is not for reports",
        ),
        (
            {"report": override("report", "title", "{% autoescape false %}{% endautoescape %}")},
            "report/report.md.j2:2: escaping cannot be switched",
        ),
    ],
)
def test_what_is_wrong_with_a_template_is_told_by_file_and_line(
    sources: dict[str, str], expected: str
) -> None:
    problems = [said(problem) for problem in template_problems(own(**sources))]

    assert any(expected in problem for problem in problems), problems


def test_all_problems_are_told_at_once() -> None:
    mine = own(
        comment=override("comment", "title", "{{ report.tasks[0].nmae }}"),
        report=override("report", "title", "{{ report.sumary }}"),
    )

    assert {(p.path, p.line) for p in template_problems(mine)} == {
        ("report/comment.md.j2", 2),
        ("report/report.md.j2", 2),
    }


def test_field_that_only_some_results_have_is_found_on_trial() -> None:
    mine = own(report=override("report", "measured", "{{ report.tasks[0].effect.low }}"))

    assert template_problems(mine) != []


def test_made_up_results_are_such_as_reports_are_made_of() -> None:
    documents = sample_documents()

    assert [view(found).command for found in documents] == [
        *("gate", "optimize", "gate", "evaluate", "gate"),
    ]
    assert {task.verdict for found in documents for task in view(found).tasks} == {
        *("regression", "promote", "pass", "inconclusive", None),
    }


def test_every_part_of_ours_is_used() -> None:
    found = environment(REPORT.levels[0], BUILT_IN)
    assert found.loader is not None
    names = {name for name in our_names() if name.endswith(".md.j2")}
    sources = "".join(found.loader.get_source(found, name)[0] for name in names)
    direct = {"problems.md.j2", "reason.md.j2"}

    assert names - set(re.findall(r'"([a-z_]+\.md\.j2)"', sources)) - direct == {*MARKDOWN_ENTRIES}


def test_the_document_lists_every_block_filter_and_field() -> None:
    told = view_reference.PATH.read_text(encoding="utf-8")

    assert told.partition(view_reference.START)[1:] == (
        view_reference.START,
        view_reference.reference().removeprefix(view_reference.START),
    )


def test_the_example_of_the_document_works() -> None:
    told = view_reference.PATH.read_text(encoding="utf-8")
    (example,) = re.findall(r"```jinja\n(.*?)```", told, re.DOTALL)
    mine = own(comment=example)
    found = RENDER["comment.md.j2"](document("gate_regression"), mine)

    assert template_problems(mine) == []
    assert "Questions about this go to the team" in found
    assert "- `mail-065` lost -1.00\n" in found
    ours = RENDER["comment.md.j2"](document("gate_regression"), BUILT_IN).split("\n")
    assert found.split("\n")[:2] == ours[:2]


def test_page_is_tried_too() -> None:
    def page(text: str) -> OwnTemplates:
        title = f'{{% extends "gepa-ci/page.html.j2" %}}\n{{% block title %}}{text}{{% endblock %}}'
        return OwnTemplates(folder="report", sources={"page.html.j2": title})

    assert template_problems(page("{{ report.summary }}")) == []
    (problem,) = template_problems(page("{{ report.sumary }}"))
    assert said(problem).startswith("report/page.html.j2:2: a Report has no field 'sumary' | did")


def test_rendering_beside_the_main_thread_has_no_limit_but_works() -> None:
    mine = own(report=override("report", "title", "MINE"))

    with ThreadPoolExecutor(1) as pool:
        text = pool.submit(render_markdown, document("promote"), mine).result()

    assert text.startswith("MINE")


def test_field_of_something_else_is_told_without_a_guess() -> None:
    mine = own(report=override("report", "title", "{{ whole.markdwn }}"))

    (problem,) = template_problems(mine)
    assert said(problem) == (
        "report/report.md.j2:2: a Link has no field 'markdwn' | docs/report-templates.md lists what there is"
    )


def test_template_may_extend_a_base_of_the_teams_own() -> None:
    base = '{% extends "gepa-ci/report.md.j2" %}{% block title %}{% block team %}BASE{% endblock %}{% endblock %}'
    mine = own(report='{% extends "base.md.j2" %}{% block cost %}{% endblock %}', base=base)

    assert template_problems(mine) == []
    assert render_markdown(document("promote"), mine).startswith("BASE")


def test_name_that_is_computed_leaves_no_template_unused() -> None:
    mine = own(report=override("report", "title", '{% include "a" ~ ".md.j2" %}'), a="A", b="B")

    assert template_problems(mine) == []


@pytest.mark.parametrize("name", ["comment", "report", "pull_body"])
def test_super_is_the_block_as_it_was(name: str) -> None:
    blocks = (b for b in blocks_of(f"{name}.md.j2") if b != "task")
    text = "".join(f"{{% block {b} scoped %}}{{{{ super() }}}}{{% endblock %}}" for b in blocks)
    mine = own(**{name: f'{{% extends "gepa-ci/{name}.md.j2" %}}{text}'})

    for sample in ("promote", "hold_used_up"):
        ours, theirs = (
            RENDER[f"{name}.md.j2"](document(sample), templates) for templates in (BUILT_IN, mine)
        )
        assert [line for line in theirs.split("\n") if line] == [
            line for line in ours.split("\n") if line
        ]


CAPTURED = "**{{ report.tasks[0].name }}**"
SHOWN = "**&lt;b> \\[x\\](http:\u200b//e) @\u200ba**"


@pytest.mark.parametrize(
    "text",
    [
        f"{{% set x %}}{CAPTURED}{{% endset %}}{{{{ x }}}}",
        f"{{% set x %}} {CAPTURED} {{% endset %}}{{{{ x|trim }}}}",
        f"{{% macro m() %}}{CAPTURED}{{% endmacro %}}{{{{ m() }}}}",
        f"{{% macro m() %}}{{{{ caller() }}}}{{% endmacro %}}{{% call m() %}}{CAPTURED}{{% endcall %}}",
        f"{{% filter trim %}}{CAPTURED}{{% endfilter %}}",
        f"{{% block mine %}}{CAPTURED}{{% endblock %}}",
    ],
)
def test_what_a_template_rendered_is_escaped_once(text: str) -> None:
    result = document("gate_regression")
    result["tasks"][0]["name"] = "<b> [x](http://e) @a"  # type: ignore[index]

    assert render_markdown(result, own(report=override("report", "title", text))).startswith(SHOWN)


@pytest.mark.parametrize(
    "text",
    [
        "{% filter striptags %}{{ report.tasks[0].name }}{% endfilter %}",
        "{% filter replace('&lt;', '<') %}{{ report.tasks[0].name }}{% endfilter %}",
        "{% call '{}'.format(report.tasks[0].name) %}{% endcall %}",
        "{% set x %}{}{% endset %}{{ x.format(report.tasks[0].name) }}",
        "{% set x %}{a}{% endset %}{{ x.format_map({'a': report.tasks[0].name}) }}",
        "{{ ('{}'|sentence).format(report.tasks[0].name) }}",
        "{% set x %}%s{% endset %}{{ x % report.tasks[0].name }}",
        "{% set x %}{% endset %}{{ x ~ report.tasks[0].name }}{{ x + report.tasks[0].name }}",
        "{% set x %}{% endset %}{{ x.join([report.tasks[0].name]) }}",
        "{% set x %}a{% endset %}{{ x|replace('a', report.tasks[0].name) }}",
        "{% set x|striptags %}{{ report.tasks[0].name }}{% endset %}{{ x }}",
        "{% set x %}<{% endset %}{{ (x ~ 'b>')|trim('q') }}",
    ],
)
def test_nothing_turns_data_into_markdown(text: str) -> None:
    result = document("gate_regression")
    result["tasks"][0]["name"] = "<b>"  # type: ignore[index]
    found = render_markdown(result, own(report=override("report", "title", text)))

    assert "<b" not in found
    assert "&lt;b" in found or "&amp;lt;b" in found


def test_each_unknown_name_is_told_once_and_all_of_them_at_once() -> None:
    title = (
        "{{ report.zz }}\n{{ report.vesions|score }}{{ tsak.a.b() + 1 }}\n"
        "{% for x in report.tasks[0].foo %}{{ x }}{% endfor %}\n{{ '%s'|format(whole.aa) }}\n"
        "{% if report.bb is defined %}{{ report.cc|default(1) }}{% endif %}"
    )
    extra = "{% block titel %}{{ never }}{% endblock %}"
    problems = template_problems(own(report=override("report", "title", title) + extra))

    assert [(problem.line, problem.message) for problem in problems] == [
        (7, "'report.md.j2' has no block 'titel'"),
        (2, "a Report has no field 'zz'"),
        (3, "a Report has no field 'vesions'"),
        (3, "'tsak' is undefined"),
        (4, "a Task has no field 'foo'"),
        (5, "a Link has no field 'aa'"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ report.tasks[0].effect.low }}", "there is None where 'low' is read | put {% if"),
        ("{{ report.tasks[0].margin|score }}", "a value is None here"),
        ("{{ report.tasks[0].name }}", "a list is shorter: tuple object has no element 0 | put"),
        (
            "{% for n in range(200000) %}{% endfor %}",
            "2: a range has more than 100,000 numbers | m",
        ),
    ],
)
def test_what_only_some_results_lack_is_told_once_with_a_way_out(text: str, expected: str) -> None:
    (problem,) = template_problems(own(report=override("report", "measured", text)))

    assert expected in said(problem)


def test_part_that_does_not_exist_is_told_where_it_is_included() -> None:
    mine = own(
        report=override("report", "title", '\n{% include "haed.md.j2" %}'),
        head='{% include "gone.md.j2" %}{% include "no.md.j2" ignore missing %}',
    )
    problems = [said(problem) for problem in template_problems(mine)]

    assert problems[0].startswith(
        "report/report.md.j2:3: there is no template 'haed.md.j2' | did you mean 'head.md.j2'?"
    )
    assert problems[1].startswith("report/head.md.j2:1: there is no template 'gone.md.j2'")
    assert not any("no.md.j2" in problem for problem in problems)
