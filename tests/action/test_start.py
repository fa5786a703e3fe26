"""Tests the script of action.yml: its choice of Python, what it installs, what it never runs."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from act import PROJECT

_UV = Path(sys.executable).with_name("uv")
_MAIN = """\
import json, os, sys
import colour_of_the_day
print(json.dumps({
    "argv": sys.argv[1:], "path": sys.path, "prefix": sys.prefix, "env": dict(os.environ),
    "json": json.__file__, "colour": colour_of_the_day.VALUE, "cwd": os.getcwd(),
}))
sys.exit(int(os.environ.get("CODE", "0")))
"""
_CANARY = "import os\nopen(os.environ['CANARY'], 'w').close()\n"
_SHELL_CANARY = '#!/bin/sh\n: > "$CANARY"\nexit 0\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A runner: an action with one small package in its lock, a checkout, and a place for tools."""

    root: Path

    @property
    def action(self) -> Path:
        return self.root / "action tree"

    @property
    def checkout(self) -> Path:
        return self.root / "checkout"

    @property
    def tools(self) -> Path:
        return self.root / "tools"

    @property
    def wheels(self) -> Path:
        return self.root / "wheels"

    @property
    def canary(self) -> Path:
        return self.root / "canary"

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    def program(self, folder: Path, name: str, script: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(script, encoding="utf-8")
        (folder / name).chmod(0o755)

    def environment(self, **more: str) -> dict[str, str]:
        return {
            "PATH": f"{self.bin}:{Path(sys.base_prefix) / 'bin'}:/usr/bin:/bin",
            "HOME": str(self.root / "home"),
            "CANARY": str(self.canary),
            "GITHUB_ACTION_PATH": str(self.action),
            "GITHUB_WORKSPACE": str(self.checkout),
            "RUNNER_TOOL_CACHE": str(self.tools),
            "RUNNER_TEMP": str(self.root / "temp"),
            "UV_CACHE_DIR": str(self.root / "uv-cache"),
            "UV_FIND_LINKS": str(self.wheels),
            "UV_OFFLINE": "1",
            "PIP_FIND_LINKS": str(self.wheels),
            "PIP_NO_INDEX": "1",
            **more,
        }

    def start(self, **more: str) -> subprocess.Popen[str]:
        action = yaml.safe_load((PROJECT / "action.yml").read_text(encoding="utf-8"))
        script = self.root / "step.sh"
        script.write_text(action["runs"]["steps"][0]["run"], encoding="utf-8")
        return subprocess.Popen(
            ["/bin/bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=self.checkout,
            env=self.environment(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, **more: str) -> tuple[int, str]:
        with self.start(**more) as process:
            said, _ = process.communicate(timeout=60)
        return process.returncode, said

    def environments(self) -> list[Path]:
        return list(self.tools.glob("gepa-ci/*"))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(root=tmp_path)
    for folder in (machine.checkout, machine.wheels, machine.bin, machine.root / "home"):
        folder.mkdir()
    wheel = _wheel(machine.wheels, "colour_of_the_day", {"colour_of_the_day.py": "VALUE = 'red'\n"})
    requirements = machine.action / "requirements"
    requirements.mkdir(parents=True)
    (requirements / "runtime.txt").write_text(_locked("colour-of-the-day", wheel), encoding="utf-8")
    shutil.copytree(PROJECT / "action", machine.action / "action")
    package = machine.action / "gepa_ci"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(_MAIN, encoding="utf-8")
    (machine.bin / "uv").symlink_to(_UV)
    return machine


def _wheel(folder: Path, name: str, content: dict[str, str]) -> Path:
    """Build a wheel by hand."""
    info = f"{name}-1.0.dist-info"
    files = {
        **content,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},{_digest(text)},{len(text)}\n" for path, text in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            entry = zipfile.ZipInfo(file)
            entry.external_attr = (0o100755 if "/scripts/" in file else 0o100644) << 16
            archive.writestr(entry, text)
    return path


def _digest(text: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
    return f"sha256={digest.decode()}"


def _locked(name: str, wheel: Path) -> str:
    return f"{name}==1.0 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


def _document(said: str) -> Any:
    return json.loads(said.splitlines()[-1])


def test_the_packages_are_installed_once_and_used_again(machine: Machine) -> None:
    code, said = machine.run()
    (machine.wheels / "colour_of_the_day-1.0-py3-none-any.whl").unlink()
    shutil.rmtree(machine.root / "uv-cache")
    again, said_again = machine.run()

    assert (code, again) == (0, 0)
    assert said.startswith("gepa-ci: installed its packages in ")
    found = _document(said)
    assert found["argv"] == ["action"]
    assert found["colour"] == "red"
    assert found["cwd"] == str(machine.checkout)
    assert Path(found["prefix"]).parent == machine.tools / "gepa-ci"
    assert len(said_again.splitlines()) == 1
    assert _document(said_again)["prefix"] == found["prefix"]


def test_the_exit_code_is_that_of_the_command(machine: Machine) -> None:
    code, _ = machine.run(CODE="3")

    assert code == 3


def test_another_lock_gets_another_environment(machine: Machine) -> None:
    machine.run()
    lock = machine.action / "requirements" / "runtime.txt"
    lock.write_text(f"# newer\n{lock.read_text(encoding='utf-8')}", encoding="utf-8")

    code, said = machine.run()

    assert code == 0
    assert "installed" in said
    assert len(machine.environments()) == 2


@pytest.mark.parametrize("entry", ["bin", ".", "{checkout}/bin"])
def test_no_program_of_the_checkout_is_run(machine: Machine, entry: str) -> None:
    for name in ("python3", "python", "uv", "git", "env"):
        machine.program(machine.checkout / "bin", name, _SHELL_CANARY)
        machine.program(machine.checkout, name, _SHELL_CANARY)
    path = machine.environment()["PATH"]

    code, said = machine.run(PATH=f"{entry.format(checkout=machine.checkout)}:{path}")

    assert code == 0, said
    assert not machine.canary.exists()


def test_nothing_of_the_checkout_is_imported_or_read_as_a_setting(machine: Machine) -> None:
    checkout = machine.checkout
    for name in ("sitecustomize", "usercustomize", "json", "hashlib", "colour_of_the_day", "pip"):
        (checkout / f"{name}.py").write_text(_CANARY, encoding="utf-8")
    for name in ("gepa_ci", "uv", "action"):
        (checkout / name).mkdir()
        for file in ("__init__", "__main__", "start"):
            (checkout / name / f"{file}.py").write_text(_CANARY, encoding="utf-8")
    (checkout / "uv.toml").write_text('find-links = ["nowhere"]\nbroken', encoding="utf-8")
    (checkout / "pyproject.toml").write_text("[tool.uv]\nbroken", encoding="utf-8")
    (checkout / "pip.conf").write_text("[global]\nindex-url = http://127.0.0.1:9/\n", "utf-8")

    code, said = machine.run(
        PYTHONPATH=".",
        PYTHONSTARTUP="gepa_ci/__init__.py",
        PYTHONHOME="",
        VIRTUAL_ENV=str(checkout),
    )

    assert code == 0, said
    assert not machine.canary.exists()
    found = _document(said)
    assert str(checkout) not in found["path"]
    assert "" not in found["path"]
    assert found["path"][0] == str(machine.action)
    assert found["json"].startswith(sys.base_prefix)


def test_the_command_and_its_children_look_for_modules_in_the_action_only(
    machine: Machine,
) -> None:
    _, said = machine.run(INPUT_TOKEN="secret-1", GEPA_CI_TOKEN="secret-2", PYTHONWARNINGS="x")
    env = _document(said)["env"]

    assert {name: value for name, value in env.items() if name.startswith("PYTHON")} == {
        "PYTHONPATH": str(machine.action),
        "PYTHONSAFEPATH": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONUTF8": "1",
    }
    assert env["GEPA_CI_TOKEN"] == "secret-2"
    assert "INPUT_TOKEN" not in env


def test_an_installer_sees_no_key_and_no_token(machine: Machine) -> None:
    seen = machine.root / "seen"
    (machine.bin / "uv").unlink()
    machine.program(machine.bin, "uv", f'#!/bin/sh\nenv >> {seen}\nexec {_UV} "$@"\n')

    code, said = machine.run(
        GEPA_CI_TOKEN="canary-1",
        OPENAI_API_KEY="canary-2",
        AWS_SECRET_ACCESS_KEY="canary-3",
        INPUT_TOKEN="canary-4",
        UV_INDEX_MIRROR_PASSWORD="its-own",
    )

    assert code == 0, said
    assert "canary-" not in seen.read_text(encoding="utf-8")
    assert "its-own" in seen.read_text(encoding="utf-8")
    assert _document(said)["env"]["OPENAI_API_KEY"] == "canary-2"


def test_pip_brings_uv_where_there_is_none(machine: Machine) -> None:
    (machine.bin / "uv").unlink()
    script = f'#!/bin/sh\necho "$0" >> {machine.root / "uses"}\nexec {_UV} "$@"\n'
    wheel = _wheel(machine.wheels, "uv", {"uv-1.0.data/scripts/uv": script})
    lock = machine.action / "requirements" / "uv.txt"
    lock.write_text(_locked("uv", wheel), encoding="utf-8")

    code, said = machine.run()

    assert code == 0, said
    uses = (machine.root / "uses").read_text(encoding="utf-8").splitlines()
    assert {Path(use).name for use in uses} == {"uv"}
    assert all(use.startswith(str(machine.tools)) for use in uses)
    assert _document(said)["colour"] == "red"


def test_uv_of_another_hash_is_not_run(machine: Machine) -> None:
    (machine.bin / "uv").unlink()
    wheel = _wheel(machine.wheels, "uv", {"uv-1.0.data/scripts/uv": _SHELL_CANARY})
    lock = machine.action / "requirements" / "uv.txt"
    lock.write_text(_locked("uv", wheel), encoding="utf-8")
    _wheel(machine.wheels, "uv", {"uv-1.0.data/scripts/uv": f"{_SHELL_CANARY}# other\n"})

    code, said = machine.run()

    assert code == 3
    assert "::error title=gepa-ci::Cannot install the packages" in said
    assert "%0A" in said
    assert not machine.canary.exists()


def test_a_package_of_another_hash_is_refused_and_nothing_is_left(machine: Machine) -> None:
    _wheel(machine.wheels, "colour_of_the_day", {"colour_of_the_day.py": "VALUE = 'black'\n"})

    code, said = machine.run()

    assert code == 3
    assert "::error title=gepa-ci::Cannot install the packages of gepa-ci" in said
    assert machine.environments() == []


def test_a_package_without_a_hash_is_refused(machine: Machine) -> None:
    lock = machine.action / "requirements" / "runtime.txt"
    lock.write_text("colour-of-the-day==1.0\n", encoding="utf-8")

    code, _ = machine.run()

    assert code == 3
    assert machine.environments() == []


def test_uv_without_a_hash_is_refused(machine: Machine) -> None:
    (machine.bin / "uv").unlink()
    _wheel(machine.wheels, "uv", {"uv-1.0.data/scripts/uv": _SHELL_CANARY})
    (machine.action / "requirements" / "uv.txt").write_text("uv==1.0\n", encoding="utf-8")

    code, _ = machine.run()

    assert code == 3
    assert not machine.canary.exists()


def test_an_install_that_failed_is_tried_again(machine: Machine) -> None:
    wheel = machine.wheels / "colour_of_the_day-1.0-py3-none-any.whl"
    hidden = wheel.rename(machine.root / "hidden")
    failed, _ = machine.run()
    hidden.rename(wheel)

    code, said = machine.run()

    assert (failed, code) == (3, 0)
    assert _document(said)["colour"] == "red"


def test_an_environment_whose_interpreter_is_gone_is_made_again(machine: Machine) -> None:
    machine.run()
    (environment,) = machine.environments()
    (environment / "bin" / "python").unlink()

    code, said = machine.run()

    assert code == 0, said
    assert machine.environments() == [environment]


def test_two_runs_at_once_share_one_environment(machine: Machine) -> None:
    with machine.start() as first, machine.start() as second:
        said = [process.communicate(timeout=60)[0] for process in (first, second)]

    assert (first.returncode, second.returncode) == (0, 0), said
    assert len(machine.environments()) == 1


def test_the_index_of_pip_is_used_by_uv_and_its_password_is_not_shown(machine: Machine) -> None:
    index = "http://ann:hush-hush@127.0.0.1:9/simple"
    machine.program(machine.bin, "uv.sh", f'#!/bin/sh\nexec {_UV} "$@"\n')
    (machine.bin / "uv").unlink()
    machine.program(
        machine.bin,
        "uv",
        f'#!/bin/sh\n[ "$1" = pip ] || exec {_UV} "$@"\necho "asked $UV_DEFAULT_INDEX"\nexit 2\n',
    )

    code, said = machine.run(PIP_INDEX_URL=index)

    assert code == 3
    assert "asked http://***@127.0.0.1:9/simple" in said
    assert "hush-hush" not in said


def test_an_old_python_is_passed_over(machine: Machine) -> None:
    machine.program(machine.bin, "python3", "#!/bin/sh\nexit 1\n")

    code, said = machine.run()

    assert code == 0, said


def test_a_runner_without_a_python_that_fits_says_what_to_do(machine: Machine) -> None:
    old = machine.root / "old"
    machine.program(old, "python3", "#!/bin/sh\nexit 1\n")

    code, said = machine.run(PATH=str(old))

    assert code == 2
    assert said == (
        f"::error title=gepa-ci::gepa-ci needs Python 3.11 or later; found: {old}/python3. "
        "Add actions/setup-python before it.\n"
    )


def test_a_runner_without_any_python_says_what_to_do(machine: Machine) -> None:
    code, said = machine.run(PATH=str(machine.root / "empty"))

    assert code == 2
    assert "found: none." in said


def test_windows_name_of_python_is_enough(machine: Machine) -> None:
    only = machine.root / "only"
    only.mkdir()
    (only / "python").symlink_to(Path(sys.base_prefix) / "bin" / "python3")
    (only / "uv").symlink_to(_UV)

    code, said = machine.run(PATH=str(only))

    assert code == 0, said


def test_a_prepared_interpreter_is_used_as_it_is(machine: Machine) -> None:
    home = machine.root / "prepared"
    subprocess.run([str(_UV), "venv", "--quiet", "--no-config", str(home)], check=True)
    site = next(home.glob("lib/python*/site-packages"))
    (site / "colour_of_the_day.py").write_text("VALUE = 'blue'\n", encoding="utf-8")

    code, said = machine.run(GEPA_CI_PYTHON=str(home / "bin" / "python"))

    assert code == 0, said
    assert _document(said)["colour"] == "blue"
    assert _document(said)["prefix"] == str(home)
    assert not machine.tools.exists()


def test_a_prepared_interpreter_that_does_not_fit_is_not_replaced(machine: Machine) -> None:
    old = machine.root / "old"
    machine.program(old, "python3", "#!/bin/sh\nexit 1\n")

    code, said = machine.run(GEPA_CI_PYTHON=str(old / "python3"))

    assert code == 2
    assert f"found: {old}/python3." in said


def test_a_folder_that_cannot_be_written_is_an_error_of_ours(machine: Machine) -> None:
    machine.tools.write_text("a file", encoding="utf-8")

    code, said = machine.run()

    assert code == 3
    assert "::error title=gepa-ci::Cannot install the packages of gepa-ci: " in said
    assert os.path.lexists(machine.tools)
