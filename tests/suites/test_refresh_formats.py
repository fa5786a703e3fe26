from __future__ import annotations

import pytest

from gepa_ci.core.config import SuiteSpec
from gepa_ci.core.suite import Part
from gepa_ci.errors import SuiteError
from gepa_ci.suites.refresh import plan_refresh

BOM = "\ufeff"
NEW = '{"id": "n", "inputs": {"text": "new"}, "expected": "x"}\n'
TRAIN = '{"id": "t", "inputs": {"text": "t"}, "expected": "x"}\n'


def one(name: str, text: str, *, new: str = NEW, new_name: str = "n.jsonl") -> str:
    """Return a one-file suite after its renewal."""
    files = {name: text.encode(), new_name: new.encode()}
    spec = SuiteSpec(file=name, near_duplicates=1)
    return plan_refresh(spec, files.__getitem__, new_name).files[name].decode()


def three(
    name: str, text: str, *, new: str = NEW, new_name: str = "n.jsonl", train: tuple[str, str]
) -> tuple[str, str]:
    """Return train and held-out files of a suite after its renewal."""
    files = {name: text.encode(), new_name: new.encode(), train[0]: train[1].encode()}
    spec = SuiteSpec(train=train[0], held_out=name, near_duplicates=1)
    done = plan_refresh(spec, files.__getitem__, new_name)
    return done.files[train[0]].decode(), done.files[name].decode()


def refused(name: str, text: str, *, new: str, new_name: str = "n.jsonl") -> list[str]:
    with pytest.raises(SuiteError) as caught:
        one(name, text, new=new, new_name=new_name)
    return [str(problem) for problem in caught.value.problems]


# One file.


def test_jsonl_keeps_spacing_blank_lines_line_ends_and_escapes() -> None:
    text = (
        f'{BOM}{{"inputs":{{"text":"\\u00e9 \\n"}},"part":"held_out"}}\r\n'
        "\r\n"
        '  {"inputs": {"text": "b"}, "part" : "train"}  \r\n'
        '{ "part": "held_out", "inputs": {"part": "c"} }'
    )

    assert one("s.jsonl", text) == (
        f'{BOM}{{"inputs":{{"text":"\\u00e9 \\n"}},"part":"train"}}\r\n'
        "\r\n"
        '  {"inputs": {"text": "b"}, "part" : "train"}  \r\n'
        '{ "part": "train", "inputs": {"part": "c"} }\r\n'
        '{"id": "n", "inputs": {"text": "new"}, "expected": "x", "part": "held_out"}'
    )


def test_jsonl_writes_a_part_in_the_style_of_the_row() -> None:
    new = '{"inputs":"only"}\n{"id":"m","inputs":{"text":"other"}}\n'

    assert one("s.jsonl", '{"inputs": "a", "part": "train"}\n', new=new).splitlines()[1:] == [
        '{"inputs":"only", "part":"held_out"}',
        '{"id":"m","inputs":{"text":"other"},"part":"held_out"}',
    ]


def test_a_json_list_keeps_its_layout() -> None:
    text = '[\n  {"inputs": "a", "part": "held_out"},\n\n  {"inputs": "b", "part": "train"}\n]\n'

    assert one("s.json", text) == (
        '[\n  {"inputs": "a", "part": "train"},\n\n  {"inputs": "b", "part": "train"},\n\n  '
        '{"id": "n", "inputs": {"text": "new"}, "expected": "x", "part": "held_out"}\n]\n'
    )


def test_csv_keeps_quotes_line_ends_and_blank_lines() -> None:
    text = 'id,part,text,expected\r\na,held_out,"one\r\n""two""",x\r\n\r\nb,"train",  spaced ,x\r\n'

    assert one("s.csv", text) == (
        'id,part,text,expected\r\na,train,"one\r\n""two""",x\r\n\r\nb,"train",  spaced ,x\r\n'
        "n,held_out,new,x\r\n"
    )


def test_csv_gets_a_column_for_the_part_when_it_has_none() -> None:
    text = "id,text\n" + "".join(f"a{i},text {i}\n" for i in range(6))

    found = one("s.csv", text, new="id,text\nn,new\n", new_name="n.csv").splitlines()

    assert found[0] == "id,text,part"
    assert found[-1] == "n,new,held_out"
    assert all(line.endswith((",train", ",")) for line in found[1:-1])
    assert [line.rpartition(",")[0] for line in found[:-1]] == text.splitlines()


def test_csv_without_a_final_line_end_stays_so() -> None:
    text = 'id,text,expected,part\na,"b, c",x,held_out'

    assert one("s.csv", text) == ('id,text,expected,part\na,"b, c",x,train\nn,new,x,held_out')


def test_csv_writes_rows_of_other_formats_into_its_own_columns() -> None:
    new = (
        '{"id": "n", "inputs": {"text": "a \\"b\\"", "more": ""}, "expected": {"k": [1]}, '
        '"weight": 2, "tags": ["u", "v"], "group": "g"}\n'
    )
    header = "tags,weight,group,expected_json,inputs.text,more,id,part"

    found = one("s.csv", f"{header}\n,,,,a,b,c,train\n", new=new)

    assert found.splitlines()[-1] == ('u; v,2,g,"{""k"": [1]}","a ""b""",,n,held_out')


@pytest.mark.parametrize(
    ("new", "message"),
    [
        ('{"inputs": {"text": "n", "lang": "x"}}', "has no column for 'lang'"),
        ('{"id": "n", "inputs": {"text": "n"}, "tags": ["t"]}', "has no column for 'id', 'tags'"),
        (
            '{"inputs": {"other": "n"}}',
            "has no column for 'other'",
        ),
        ('{"inputs": {"text": 3}}', "can only hold texts, and input 'text' is none"),
    ],
)
def test_csv_says_what_it_cannot_hold(new: str, message: str) -> None:
    text = "text,part\na,train\n"

    assert refused("s.csv", text, new=f"{new}\n") == [f"n.jsonl:1: 's.csv' {message}"]


def test_csv_says_which_input_is_missing() -> None:
    text = "text,more,part\na,b,train\n"
    new = '{"inputs": {"text": "c"}}\n{"inputs": {"text": "d"}}\n{"inputs": {"text": "e"}}\n'

    assert refused("s.csv", text, new=new) == [
        (
            "n.jsonl:1: 's.csv' has a column for the input 'more', which the example does not "
            "have; the same for 2 more rows"
        )
    ]


def test_a_value_that_a_format_changes_is_refused() -> None:
    new = '{"inputs": {"text": "n"}, "tags": ["a, b"]}\n'

    assert refused("s.csv", "text,part,tags\na,train,\n", new=new) == [
        "n.jsonl:1: 's.csv' cannot hold example 'ex-1cc02812d1' as it is"
    ]


YAML = """\
# All of triage.
examples:
  # the first
  - id: a
    inputs: {text: one}   # with a remark
    part: "held_out"

  - {inputs: {text: two}, part: train,}
  # below
  - inputs:
      text: |+
        three

    part: held_out
  - { inputs: four ,  part: held_out }
# the end
"""


def test_yaml_keeps_comments_quotes_and_layout() -> None:
    expected = YAML.replace('part: "held_out"', "part: train").replace("held_out", "train")

    assert one("s.yaml", YAML) == expected.replace(
        "# the end",
        "  - id: n\n    inputs:\n      text: new\n    expected: x\n    part: held_out\n# the end",
    )


def test_yaml_writes_a_part_into_rows_that_have_none() -> None:
    new = "- id: n\n  inputs: {text: a}\n# flow\n- {inputs: {text: b}}\n-\n  inputs: {text: c}\n"

    found = one("s.yml", "- inputs: {t: u}\r\n  part: train\r\n", new=new, new_name="n.yml")

    assert found == (
        "- inputs: {t: u}\r\n  part: train\r\n"
        "- part: held_out\r\n  id: n\r\n  inputs: {text: a}\r\n"
        "# flow\r\n- {inputs: {text: b}, part: held_out}\r\n"
        "-\r\n  part: held_out\r\n  inputs: {text: c}\r\n"
    )


def test_yaml_rows_that_lean_on_others_are_written_out_where_they_go() -> None:
    new = "- &base {id: n, inputs: {text: a}}\n- {<<: *base, id: m, inputs: {text: b}}\n"

    found = one("s.yml", "- {inputs: {t: u}, part: train}\n", new=new, new_name="n.yml")

    assert found.splitlines()[1:] == [
        "- &base {id: n, inputs: {text: a}, part: held_out}",
        "- id: m",
        "  inputs:",
        "    text: b",
        "  part: held_out",
    ]


def test_yaml_without_a_final_line_end_stays_so() -> None:
    text = "- inputs: a\n  part: held_out\n- part: train\n  inputs: b"

    assert one("s.yml", text, new='{"inputs": "n"}\n') == (
        "- inputs: a\n  part: train\n- part: train\n  inputs: b\n"
        "- inputs:\n    input: n\n  part: held_out"
    )


def test_a_yaml_text_that_a_line_end_would_change_is_left_alone() -> None:
    text = "- part: train\n  inputs: |\n    b"

    (found,) = refused("s.yml", text, new='{"inputs": "n"}\n')

    assert found.startswith("s.yml:1: 's.yml' cannot hold example 'ex-")


def test_yaml_rows_that_end_in_a_block_of_text_are_followed_by_new_ones() -> None:
    text = "- part: train\n  inputs: |+\n    b\n\n# end\n"

    assert one("s.yml", text, new='{"inputs": "n"}\n') == text.replace(
        "# end", "- inputs:\n    input: n\n  part: held_out\n# end"
    )


def test_yaml_writes_texts_so_that_they_read_back() -> None:
    new = '{"inputs": {"text": "a\\u2028b: #"}, "expected": "no", "group": "12:30"}\n'

    found = one("s.yml", "- {inputs: {t: u}, part: train}\n", new=new)

    assert found.splitlines()[1:] == [
        "- inputs:",
        '    text: "a\\u2028b: #"'.replace("\\u2028", "\\L"),
        "  expected: 'no'",
        "  group: '12:30'",
        "  part: held_out",
    ]


def test_yaml_in_brackets_is_refused() -> None:
    assert refused("s.yml", "[{inputs: a, part: train}]\n", new=NEW) == [
        "s.yml: the file has its rows in brackets or on one line, which cannot be changed in place"
    ]


def test_a_yaml_row_that_is_an_alias_cannot_have_a_part() -> None:
    text = "- &a {inputs: a, part: held_out}\n- *a\n"

    assert refused("s.yml", text, new=NEW) == [
        "s.yml: the file cannot have a part written into its rows"
    ]


def test_a_new_file_in_brackets_is_read_all_the_same() -> None:
    new = "[{id: n, inputs: {text: a}}]\n"

    found = one("s.yml", "- {inputs: {t: u}, part: train}\n", new=new, new_name="n.yml")

    assert found.endswith("- id: n\n  inputs:\n    text: a\n  part: held_out\n")


# Three files.


def test_rows_of_a_table_move_with_their_quotes() -> None:
    held = 'id,text\r\na,"b\r\nc"\r\nd,e'
    train = ("t.csv", "id,text\nt,u\n")

    assert three("h.csv", held, new="id,text\nn,new\n", new_name="n.csv", train=train) == (
        'id,text\nt,u\na,"b\r\nc"\nd,e\n',
        "id,text\r\nn,new",
    )


def test_rows_move_into_a_table_with_other_columns() -> None:
    held = "id,text,tags\na,b,\n"
    train = ("t.csv", "text,id\nt,u\n")

    found, _ = three("h.csv", held, new="id,text,tags\nn,m,\n", new_name="n.csv", train=train)

    assert found == "text,id\nt,u\nb,a\n"


def test_a_row_that_a_table_takes_for_blank_is_refused() -> None:
    train = ("t.jsonl", TRAIN)
    some, blank = '{"inputs": {"text": "b"}}\n', '{"inputs": {"text": " "}}\n'

    with pytest.raises(SuiteError, match=r"h\.csv: the file would hold 1 of 2 examples"):
        three("h.csv", "text\na\n", new=f"{some}{blank}", train=train)


def test_yaml_rows_move_with_the_comments_above_them() -> None:
    held = (
        "# Held-out.\n- id: a\n  inputs: {text: b}\n  # of c\n- id: c\n  inputs: {text: d}\n# end"
    )
    train = ("t.yaml", "examples:\n    - {id: t, inputs: {text: t}}\n# end\n")

    assert three("h.yaml", held, train=train) == (
        (
            "examples:\n    - {id: t, inputs: {text: t}}\n"
            "    - id: a\n      inputs: {text: b}\n"
            "      # of c\n    - id: c\n      inputs: {text: d}\n# end\n"
        ),
        "# Held-out.\n- id: n\n  inputs:\n    text: new\n  expected: x\n# end",
    )


def test_a_yaml_row_that_another_needs_cannot_leave() -> None:
    held = "- &a {id: a, inputs: {text: b}}\n- {<<: *a, id: c, inputs: {text: d}}\n"
    files = {"h.yaml": held.encode(), "t.jsonl": TRAIN.encode()}
    spec = SuiteSpec(train="t.jsonl", held_out="h.yaml", near_duplicates=1)
    outcomes = set()
    for number in range(8):
        files["n.jsonl"] = NEW.replace("new", f"new {number}").encode()
        try:
            done = plan_refresh(spec, files.__getitem__, "n.jsonl", keep=1, retire_to=Part.TRAIN)
            outcomes.add(f"keeps {done.kept[0].id}")
        except SuiteError as error:
            outcomes.add(str(error))

    assert outcomes == {
        "keeps a",
        "h.yaml: the file could not be read any more: alias '*a' stands for nothing before it",
    }


def test_rows_of_a_list_leave_with_their_commas() -> None:
    held = '[{"id": "a", "inputs": "b"}, {"id": "c", "inputs": "d"}]'

    assert three("h.json", held, train=("t.jsonl", TRAIN)) == (
        TRAIN + '{"id": "a", "inputs": {"input": "b"}}\n{"id": "c", "inputs": {"input": "d"}}\n',
        '[{"id": "n", "inputs": {"text": "new"}, "expected": "x"}]',
    )
