"""Tests of gepa_ci.delivery.git_repository, on real git repositories."""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from clones import Clone, clone_of
from github_cases import Place, place
from github_server import WORKFLOW_TOKEN

from gepa_ci.delivery.git_repository import BOT, Git, Identity, Push, Remote, valid_branch
from gepa_ci.errors import GitError

if TYPE_CHECKING:
    from collections.abc import Iterator

WHEN = 1_700_000_000
ME = Identity(name="A. Bot", email="bot@example.com")
ZERO = "0" * 40


@pytest.fixture
def clone(repository: Path) -> Clone:
    made = clone_of(repository)
    (repository / "prompts").mkdir()
    (repository / "prompts" / "a.md").write_bytes(b"one\r\n\xff")
    (repository / "prompts" / "run.sh").write_bytes(b"#!")
    (repository / "prompts" / "run.sh").chmod(0o755)
    (repository / "link.md").symlink_to("prompts/a.md")
    (repository / "linked").symlink_to("prompts")
    (repository / "sp\u00e4ce d.md").write_bytes(b"three")
    made.pushed()
    return made


@pytest.fixture
def git(clone: Clone) -> Iterator[Git]:
    with clone.open() as opened:
        yield opened


def status(clone: Clone) -> tuple[str, ...]:
    """Return all of a clone that a commit by plumbing must not change."""
    refs = clone.git("for-each-ref")
    return (refs, clone.git("status", "--porcelain"), clone.git("ls-files", "-s"))


# Reading


def test_a_ref_is_resolved_to_the_name_of_its_commit(clone: Clone, git: Git) -> None:
    head = clone.git("rev-parse", "HEAD")

    assert {git.resolve(ref) for ref in ("HEAD", "main", "origin/main", head)} == {head}


def test_a_ref_that_is_not_there_says_how_to_fetch_it(git: Git) -> None:
    with pytest.raises(GitError, match="the repository has no commit 'side'") as caught:
        git.resolve("side")

    assert "fetch it" in str(caught.value.problems[0].hint)
    with pytest.raises(GitError, match="no commit 'origin/side'") as caught:
        git.resolve("origin/side")
    hint = "fetch it: git fetch origin side:refs/remotes/origin/side"
    assert caught.value.problems[0].hint == hint


def test_a_command_that_fails_says_why_in_gits_words(git: Git) -> None:
    with pytest.raises(GitError, match="git ls-tree failed: not a tree object"):
        git.tree("1" * 40)


@pytest.mark.parametrize("ref", ["--output=x", "-c", "a..b", "main\n", "HEAD:README.md", ""])
def test_a_ref_that_is_an_option_is_not_given_to_git(git: Git, ref: str) -> None:
    with pytest.raises(GitError, match="is not a name of a commit"):
        git.resolve(ref)


@pytest.mark.parametrize("sha", ["main", "--all", "abc", "A" * 40, "0" * 41, f"{ZERO}\n"])
def test_only_whole_names_of_commits_are_given_to_git(git: Git, sha: str) -> None:
    with pytest.raises(GitError, match="is not the name of a commit"):
        git.has(sha)
    with pytest.raises(GitError, match="is not the name of a commit"):
        git.read(sha, "a")


def test_it_is_known_which_commits_are_there(git: Git) -> None:
    assert git.has(git.resolve("HEAD"))
    assert not git.has("1" * 40)


def test_the_merge_base_is_where_two_lines_part(clone: Clone, git: Git) -> None:
    fork = git.resolve("HEAD")
    clone.git("checkout", "-q", "-b", "side")
    side = clone.commit("side")
    clone.git("checkout", "-q", "main")
    main = clone.commit("main")
    clone.git("checkout", "-q", "--orphan", "other")
    other = clone.commit("other")

    assert git.merge_base(side, main) == fork
    assert git.merge_base(other, main) is None
    with pytest.raises(GitError, match="git merge-base failed"):
        git.merge_base(main, "1" * 40)


def test_files_are_read_as_the_commit_has_them(clone: Clone, git: Git) -> None:
    head = git.resolve("HEAD")
    clone.write(**{"README.md": "changed in the working tree"})

    assert git.read(head, "prompts/a.md") == b"one\r\n\xff"
    assert git.read(head, "sp\u00e4ce d.md") == b"three"
    assert git.read(head, "prompts/none.md") is None
    assert git.read(head, "linked/a.md") is None


def test_all_plain_files_below_a_folder_are_listed(clone: Clone, git: Git) -> None:
    clone.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module")
    clone.git("commit", "-q", "-m", "module")
    head = git.resolve("HEAD")

    assert sorted(git.paths(head)) == [
        *("README.md", "prompts/a.md", "prompts/run.sh", "sp\u00e4ce d.md")
    ]
    assert sorted(git.paths(head, "prompts")) == ["prompts/a.md", "prompts/run.sh"]
    assert git.paths(head, "none") == {}
    assert {e.path for e in git.tree(head) if not e.is_file} == {"link.md", "linked", "module"}


@pytest.mark.parametrize("path", ["link.md", "linked", "prompts"])
def test_what_is_not_a_plain_file_is_not_read(git: Git, path: str) -> None:
    with pytest.raises(GitError, match="this is not a plain file"):
        git.read(git.resolve("HEAD"), path)


def test_a_file_that_is_too_large_is_not_read(clone: Clone, git: Git) -> None:
    with (clone.path / "large.bin").open("wb") as file:
        file.truncate(64 * 1024 * 1024 + 1)

    with pytest.raises(GitError, match="64 MiB is the most"):
        git.read(clone.commit(), "large.bin")


def test_content_that_the_clone_lacks_is_named(git: Git) -> None:
    with pytest.raises(GitError, match="lacks the content") as caught:
        git.blobs(["1" * 40])

    assert "filter" in str(caught.value.problems[0].hint)


def test_the_log_names_who_made_the_commits_since(clone: Clone, git: Git) -> None:
    start = git.resolve("HEAD")
    ours = git.commit(start, {"new.md": b"1"}, "Ours\n\nBody: x", who=ME, when=WHEN)
    clone.git("reset", "-q", "--hard", ours)
    theirs = clone.commit("Theirs")

    found = git.log(theirs, start)

    assert [(made.sha, made.author, made.committer) for made in found] == [
        (theirs, "tester@example.com", "tester@example.com"),
        (ours, ME.email, ME.email),
    ]
    assert found[1].message == "Ours\n\nBody: x"
    assert len(git.log(theirs)) == 4
    assert git.log(start, start) == ()
    assert git.parents(theirs) == (ours,)


def test_the_changed_lines_of_the_head_are_found(clone: Clone, git: Git) -> None:
    clone.write(**{"p.md": "1\n2\n3\n4\n5\n6\n"})
    base = clone.commit()
    clone.write(**{"p.md": "1\nTWO\n3\n5\n6\nseven\n@@ -1 +9 @@\n"})
    head = clone.commit()

    assert git.diff_lines(base, head, "p.md") == ((2, 2), (3, 3), (6, 7))
    assert git.diff_lines(head, base, "p.md") == ((2, 2), (4, 4), (6, 6))
    assert git.diff_lines(head, head, "p.md") == ()
    assert git.diff_lines(git.resolve("HEAD~2"), base, "p.md") == ((1, 6),)
    assert git.diff_lines(base, git.resolve("HEAD~2"), "p.md") == ()


# Committing


def test_a_commit_changes_nothing_but_objects(clone: Clone, git: Git) -> None:
    clone.write(**{"README.md": "not yet committed", "new.txt": "mine"})
    clone.git("add", "new.txt")
    before = status(clone)
    head = git.resolve("HEAD")

    made = git.commit(head, {"prompts/a.md": b"two\n", "x/y/z.md": b"z"}, "M", who=ME, when=WHEN)

    assert status(clone) == before
    assert git.read(made, "prompts/a.md") == b"two\n"
    assert git.read(made, "x/y/z.md") == b"z"
    assert git.read(made, "README.md") == b"# A repository\n"
    assert git.parents(made) == (head,)
    clone.git("fsck", "--strict", "--no-dangling")


def test_the_same_values_make_the_same_commit(clone: Clone, git: Git) -> None:
    head = git.resolve("HEAD")
    clone.git("config", "i18n.commitEncoding", "latin1")

    first, second = (
        git.commit(head, {"a.md": b"1"}, "Say \u00fc\n", who=ME, when=WHEN) for _ in "ab"
    )

    assert first == second
    assert first != git.commit(head, {"a.md": b"1"}, "Say \u00fc\n", who=ME, when=WHEN + 1)
    assert clone.git(
        "log", "-1", "--encoding=UTF-8", "--format=%an|%ae|%at|%cn|%ce|%ct|%s", first
    ) == (f"A. Bot|bot@example.com|{WHEN}|A. Bot|bot@example.com|{WHEN}|Say \u00fc")
    assert "encoding" not in clone.git("cat-file", "commit", first)


def test_a_file_keeps_its_mode(clone: Clone, git: Git) -> None:
    made = git.commit(
        git.resolve("HEAD"), {"prompts/run.sh": b"#!new", "b.md": b""}, "M", who=ME, when=WHEN
    )

    modes = {entry.path: entry.mode for entry in git.tree(made)}
    assert (modes["prompts/run.sh"], modes["b.md"]) == ("100755", "100644")


def test_a_file_is_removed(git: Git) -> None:
    made = git.commit(
        git.resolve("HEAD"), {"prompts/a.md": None, "none.md": None}, "M", who=ME, when=WHEN
    )

    assert sorted(git.paths(made, "prompts")) == ["prompts/run.sh"]


def test_a_commit_that_changes_nothing_is_its_parent(git: Git) -> None:
    head = git.resolve("HEAD")

    assert git.commit(head, {"README.md": b"# A repository\n"}, "M", who=ME, when=WHEN) == head
    assert git.commit(head, {}, "M", who=ME, when=WHEN) == head


def test_a_commit_can_begin_a_history_or_leave_the_other_files_out(git: Git) -> None:
    root = git.commit(None, {"a.json": b"{}"}, "M", who=BOT, when=WHEN)
    alone = git.commit(git.resolve("HEAD"), {"b": b""}, "M", who=BOT, when=WHEN, keep=False)

    assert (git.parents(root), list(git.paths(root))) == ((), ["a.json"])
    assert list(git.paths(alone)) == ["b"]


@pytest.mark.parametrize(
    "path",
    [
        *("../a", "a/../b", "..", ".git/config", "a/.GIT/hooks/x", "", "/etc/passwd", "a//b", "a/"),
        *("./a", "a\\b", "a\nb", "a\x00b", "\ud800", "x" * 5000),
    ],
)
def test_a_path_that_leads_out_is_never_written(git: Git, path: str) -> None:
    with pytest.raises(GitError, match="the path "):
        git.commit(git.resolve("HEAD"), {path: b"x"}, "M", who=ME, when=WHEN)


@pytest.mark.parametrize("path", ["GIT~1/config", ".g\u200cit/config", ".git. /config"])
def test_a_path_that_some_systems_read_as_gits_own_is_never_written(git: Git, path: str) -> None:
    with pytest.raises(GitError):
        git.commit(git.resolve("HEAD"), {path: b"x"}, "M", who=ME, when=WHEN)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("linked/a.md", "leads through something else than a folder"),
        ("README.md/a", "leads through something else than a folder"),
        ("link.md", "something else than a plain file"),
        ("prompts", "something else than a plain file"),
    ],
)
def test_nothing_is_written_through_a_link_or_in_place_of_one(
    git: Git, path: str, said: str
) -> None:
    for content in (b"x", None):
        with pytest.raises(GitError, match=said):
            git.commit(git.resolve("HEAD"), {path: content}, "M", who=ME, when=WHEN)


@pytest.mark.parametrize("name", ["a\nb", "a <b>", "", " "])
def test_a_name_that_would_break_a_commit_is_refused(name: str) -> None:
    with pytest.raises(GitError, match="cannot stand in a commit"):
        Identity(name=name, email="a@b")


# What is trusted


def test_no_hook_filter_or_program_of_the_repository_runs(clone: Clone, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    script = tmp_path / "evil.sh"
    script.write_text(f"#!/bin/sh\ntouch {canary}\ncat\n", encoding="utf-8")
    script.chmod(0o755)
    for hook in ("pre-push", "pre-commit", "post-index-change", "reference-transaction"):
        path = clone.path / ".git" / "hooks" / hook
        path.parent.mkdir(exist_ok=True)
        path.write_text(script.read_text(encoding="utf-8"), encoding="utf-8")
        path.chmod(0o755)
    for key in (
        *("core.fsmonitor", "filter.x.clean", "filter.x.smudge", "diff.x.textconv"),
        *("diff.x.command", "diff.external", "credential.helper", "core.askPass", "gpg.program"),
        *("core.pager", "core.sshCommand", "core.gitProxy"),
    ):
        clone.git("config", key, str(script))
    clone.git("config", "log.showSignature", "true")
    clone.git("config", "push.gpgSign", "if-asked")
    (clone.path / ".gitattributes").write_text("* filter=x diff=x\n", encoding="utf-8")
    with clone.open() as git:
        head = git.resolve("HEAD")
        made = git.commit(
            head,
            {".gitattributes": b"* filter=x diff=x\n", "README.md": b"x"},
            "M",
            who=ME,
            when=WHEN,
        )
        git.diff_lines(head, made, "README.md")
        git.log(made, head)
        git.push(clone.remote, made, "side", expected=None)
        git.fetch(clone.remote, "side")

    assert not canary.exists()


def test_the_environment_that_git_gets_has_no_key_and_no_other_repository(
    clone: Clone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    clone.hook("pre-receive", f"env > {told}; cat > /dev/null")
    for name, value in {
        "SOME_PROVIDER_API_KEY": "canary",
        "SOME_PROVIDER_LOGIN": "canary",
        "GIT_DIR": str(tmp_path / "other"),
        "GIT_INDEX_FILE": str(tmp_path / "index"),
        "GIT_CONFIG_PARAMETERS": "'core.hookspath'='/x'",
        "GIT_TRACE": "1",
    }.items():
        monkeypatch.setenv(name, value)

    with clone.open() as git:
        head = git.resolve("HEAD")
        made = git.commit(head, {"a.md": b"1"}, "M", who=ME, when=WHEN)
        assert git.push(clone.remote, made, "side", expected=None) is Push.PUSHED

    assert "canary" not in told.read_text(encoding="utf-8")
    assert not (tmp_path / "index").exists()


def test_a_clone_that_another_user_checked_out_is_read(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    with clone.open() as git:
        monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")

        assert git.resolve("HEAD") == git.resolve("main")


def test_a_repository_that_git_cannot_read_is_an_error(clone: Clone, git: Git) -> None:
    (clone.path / ".git" / "config").write_text("[core\n", encoding="utf-8")

    with pytest.raises(GitError, match="git cannot read the repository: bad config"):
        git.resolve("HEAD")


def test_no_git_is_an_error_with_what_to_do(clone: Clone) -> None:
    with Git(clone.path, environ=dict(os.environ)) as git:
        git._git._environment["PATH"] = "/nonexistent"
        with pytest.raises(GitError, match="there is no git"):
            git.resolve("HEAD")


def test_a_folder_without_a_repository_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(GitError, match="is not in a git repository"):
        Git(tmp_path, environ={})


# Remotes


def test_a_branch_is_pushed_only_over_the_expected_head(clone: Clone, git: Git) -> None:
    head = git.resolve("HEAD")
    first = git.commit(head, {"a.md": b"1"}, "M", who=ME, when=WHEN)
    second = git.commit(head, {"a.md": b"2"}, "M", who=ME, when=WHEN)

    assert git.remote_head(clone.remote, "gepa-ci/x") is None
    assert git.push(clone.remote, first, "gepa-ci/x", expected=None) is Push.PUSHED
    assert git.push(clone.remote, first, "gepa-ci/x", expected=None) is Push.UP_TO_DATE
    assert git.push(clone.remote, second, "gepa-ci/x", expected=None) is Push.MOVED
    assert git.push(clone.remote, second, "gepa-ci/x", expected=head) is Push.MOVED
    assert git.remote_head(clone.remote, "gepa-ci/x") == first
    assert git.push(clone.remote, second, "gepa-ci/x", expected=first) is Push.PUSHED
    assert clone.head("gepa-ci/x") == second
    assert clone.git("for-each-ref", "refs/heads", "--format=%(refname)") == "refs/heads/main"


def test_a_branch_is_deleted_only_at_the_expected_head(clone: Clone, git: Git) -> None:
    head = git.resolve("HEAD")
    made = git.commit(head, {"a.md": b"1"}, "M", who=ME, when=WHEN)
    git.push(clone.remote, made, "side", expected=None)

    assert git.delete(clone.remote, "side", head) is Push.MOVED
    assert git.delete(clone.remote, "side", made) is Push.PUSHED
    assert git.delete(clone.remote, "side", made) is Push.UP_TO_DATE
    assert clone.head("side") is None


def test_a_branch_that_only_ends_in_the_same_name_is_another(clone: Clone, git: Git) -> None:
    clone.git("push", "-q", "origin", "HEAD:refs/heads/refs/heads/side")

    assert git.remote_head(clone.remote, "side") is None


def test_a_shallow_clone_fetches_commits_pushes_and_looks_further(
    clone: Clone, tmp_path: Path
) -> None:
    for number in range(3):
        clone.write(**{"README.md": str(number)})
        clone.pushed()
    older = clone.git("rev-parse", "HEAD~2")
    shallow = clone.shallow(tmp_path / "shallow")
    with shallow.open() as git:
        head = git.resolve("HEAD")
        assert (git.is_shallow, git.has(older)) == (True, False)
        assert git.fetch(clone.remote, older) == older
        assert git.read(older, "README.md") == b"0"
        assert git.merge_base(head, older) is None
        assert git.fetch(clone.remote, "main", depth=5) == head
        assert git.merge_base(head, older) == older
        made = git.commit(head, {"a.md": b"1"}, "M", who=ME, when=WHEN)
        assert git.push(clone.remote, made, "side", expected=None) is Push.PUSHED

    assert shallow.git("status", "--porcelain") == ""


def test_a_whole_clone_stays_whole_when_it_fetches(clone: Clone, tmp_path: Path) -> None:
    other = Clone(tmp_path / "other", clone.bare)
    clone.git("clone", "-q", str(clone.bare), str(other.path))
    clone.write(**{"README.md": "new"})
    newer = clone.pushed()
    with other.open() as git:
        assert git.fetch(clone.remote, "main", depth=1) == newer
        assert not git.is_shallow
        assert len(git.log(newer)) == 3
        assert git.fetch(clone.remote, newer, depth=None) == newer

    assert not (other.path / ".git" / "FETCH_HEAD").exists()


def test_a_branch_or_commit_that_the_remote_lacks_is_an_error(clone: Clone, git: Git) -> None:
    with pytest.raises(GitError, match="the remote has no branch 'none'"):
        git.fetch(clone.remote, "none")
    with pytest.raises(GitError, match="git fetch failed"):
        git.fetch(clone.remote, "1" * 40)


def test_a_remote_that_is_not_there_is_an_error(clone: Clone, git: Git, tmp_path: Path) -> None:
    remote = Remote(url=f"file://{tmp_path}/none.git")

    with pytest.raises(GitError, match=r"git ls-remote failed: .*does not appear") as caught:
        git.remote_head(remote, "main")
    assert "contents: read" in str(caught.value.problems[0].hint)
    with pytest.raises(GitError, match="branch 'side': git push failed"):
        git.push(remote, git.resolve("HEAD"), "side", expected=None)


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("error: GH006: Protected branch update failed for refs/heads/side.", "Rulesets"),
        ("error: GH013: Repository rule violations found for refs/heads/side.", "Rulesets"),
        (
            "error: GH013: Repository rule\n- Commits must have verified signatures.",
            "turn on signing",
        ),
        (
            "refusing to allow a GitHub App to create or update workflow `a.yml` without",
            "keep prompts elsewhere",
        ),
        ("- Push cannot contain secrets", "take it out of the prompt"),
        ("error: This repository was archived so it is read-only.", "archived"),
        ("Permission to o/r.git denied to github-actions[bot].", "contents: write"),
        ("Internal Server Error", "try again"),
    ],
)
def test_a_refused_push_names_the_setting(clone: Clone, git: Git, said: str, hint: str) -> None:
    clone.hook("pre-receive", f"cat <<'X' >&2\n{said}\nX\nexit 1")
    made = git.commit(git.resolve("HEAD"), {"a.md": b"1"}, "M", who=ME, when=WHEN)

    with pytest.raises(GitError, match="branch 'side': git push failed: ") as caught:
        git.push(clone.remote, made, "side", expected=None)

    assert hint in str(caught.value.problems[0].hint)
    assert clone.head("side") is None


def test_a_branch_that_is_in_the_way_of_a_folder_is_named(clone: Clone, git: Git) -> None:
    clone.git("push", "-q", "origin", "HEAD:refs/heads/gepa-ci")
    made = git.commit(git.resolve("HEAD"), {"a.md": b"1"}, "M", who=ME, when=WHEN)

    with pytest.raises(GitError, match="branch 'gepa-ci/main/x': git push failed") as caught:
        git.push(clone.remote, made, "gepa-ci/main/x", expected=None)

    assert "rename or delete that branch" in str(caught.value.problems[0].hint)


def test_what_a_remote_says_is_cut_to_one_plain_line(clone: Clone, git: Git) -> None:
    clone.hook(
        "pre-receive", r"printf 'error: \033[31m::set-output name=x::y %0400d\n' 1 >&2; exit 1"
    )
    made = git.commit(git.resolve("HEAD"), {"a.md": b"1"}, "M", who=ME, when=WHEN)

    with pytest.raises(GitError) as caught:
        git.push(clone.remote, made, "side", expected=None)

    message = caught.value.problems[0].message
    assert message.isprintable()
    assert len(message) < 400


@pytest.mark.parametrize(
    "url",
    [
        *("ext::sh -c id", "git@github.com:o/r", "ssh://github.com/o/r", "--upload-pack=x", ""),
        *("https://user:pass@github.com/o/r", "https://github.com/o/r?x=1", "https://h/o\n/r"),
        *("/local/path", "https://github.com/o/r#x", "https://h/ o"),
    ],
)
def test_an_address_that_could_do_harm_is_refused(url: str) -> None:
    with pytest.raises(GitError, match="the address of the repository") as caught:
        Remote(url=url)

    assert "pass" not in str(caught.value)


def test_a_token_is_in_no_text_of_a_remote() -> None:
    remote = Remote(url="https://github.com/o/r", token="canary-token")

    assert "canary" not in repr(remote)
    with pytest.raises(GitError) as caught:
        Remote(url="https://github.com/o/r", token="canary\ntoken")
    assert "canary" not in str(caught.value)


def over_http(here: Place, folder: Path) -> Path:
    """Clone a served repository, and leave in the clone what actions/checkout leaves."""
    subprocess.run(["git", "clone", "-q", str(here.repository.path), str(folder)], check=True)
    for key in (f"http.{here.server.url}/.extraheader", "http.extraheader"):
        subprocess.run(
            ["git", "config", key, "AUTHORIZATION: basic bGVmdDpjYW5hcnk="], cwd=folder, check=True
        )
    return folder


def test_over_http_only_our_token_is_sent_and_no_process_shows_it(tmp_path: Path) -> None:
    with place(tmp_path) as here:
        folder = over_http(here, tmp_path / "clone")
        remote = Remote(url=here.server.clone_url, token=WORKFLOW_TOKEN)
        seen: list[bytes] = []
        here.server.on_write(lambda _: seen.extend(command_lines()))
        config = (folder / ".git" / "config").read_bytes()
        with Git(folder, environ=dict(os.environ)) as git:
            made = git.commit(here.main, {"a.md": b"1"}, "M", who=ME, when=WHEN)
            assert git.push(remote, made, "side", expected=None) is Push.PUSHED
            assert git.remote_head(remote, "side") == made
            other = here.repository.commit("side", {"a.md": b"2"})
            assert git.fetch(remote, "side") == other

        assert any(b"push" in line for line in seen)
        assert not any(WORKFLOW_TOKEN.encode() in line for line in seen)
        assert (folder / ".git" / "config").read_bytes() == config


def command_lines() -> list[bytes]:
    """Return the command lines and what is readable of all processes of this machine."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes())
    return found


@pytest.mark.parametrize(
    ("permissions", "hint"),
    [
        pytest.param({"contents": "read"}, "contents: write", id="may only read"),
        pytest.param(None, "does not know the token", id="unknown"),
    ],
)
def test_a_token_that_does_not_do_is_an_error_without_the_token(
    tmp_path: Path, permissions: dict[str, str] | None, hint: str
) -> None:
    with place(tmp_path) as here:
        folder = over_http(here, tmp_path / "clone")
        if permissions is not None:
            here.server.add_token("ghs_canary", permissions=permissions)
        remote = Remote(url=here.server.clone_url, token="ghs_canary")
        with Git(folder, environ=dict(os.environ)) as git:
            made = git.commit(here.main, {"a.md": b"1"}, "M", who=ME, when=WHEN)
            with pytest.raises(GitError) as caught:
                git.push(remote, made, "side", expected=None)

    assert hint in str(caught.value.problems[0].hint)
    assert "canary" not in f"{caught.value} {caught.value.__cause__!r}"


def test_what_git_says_is_stripped_of_the_token_in_every_form(tmp_path: Path) -> None:
    with place(tmp_path) as here:
        folder = over_http(here, tmp_path / "clone")
        token = "ghs_canary"
        basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        remote = Remote(url=here.server.clone_url, token=token)
        with Git(folder, environ=dict(os.environ)) as git:
            # An environment that asks git to print all headers.
            git._git._environment |= {"GIT_CURL_VERBOSE": "1", "GIT_TRACE_REDACT": "0"}
            done = git._away("ls_remote", remote, remote.url)

    assert "Authorization: Basic ***" in done.said
    assert basic not in done.said


def test_a_header_that_checkout_left_is_cleared_also_without_a_token() -> None:
    remote = Remote(url="https://github.com/o/r.git")

    assert remote.config[0] == ("http.https://github.com/o/r.git.extraheader", "")
    assert not any("Authorization" in value for _, value in remote.config)


def test_an_address_that_the_clone_rewrites_is_not_rewritten(clone: Clone, tmp_path: Path) -> None:
    with place(tmp_path / "served") as here:
        remote = Remote(url=here.server.clone_url, token=WORKFLOW_TOKEN)
        for key in ("insteadOf", "pushInsteadOf"):
            clone.git("config", f"url.file://{tmp_path}/elsewhere/.{key}", here.server.url)
        with clone.open() as git:
            assert git.remote_head(remote, "main") == here.main


NAMES = (
    *(
        "main",
        "gepa-ci/main/x-1",
        "feature/\u00fc",
        "a@b",
        "v1.0",
        "a+b",
        "x" * 240,
        "dependabot/a",
    ),
    *("-x", "--force", "", "a..b", "a b", "a~1", "a^", "a:b", "a?b", "a*b", "a[b", "a\\b", "a@{b"),
    *("@", "HEAD", "/a", "a/", "a//b", ".a", "a/.b", "a.lock", "a.lock/b", "a.", "a\nb", "a\x7fb"),
    *("a\u202eb", "x" * 241, "a\x00b"),
)


@pytest.mark.parametrize("name", NAMES)
def test_a_branch_name_that_is_accepted_is_one_to_git(name: str) -> None:
    if "\0" in name:
        assert not valid_branch(name)
        return
    known = subprocess.run(
        ["git", "check-ref-format", "--branch", name], capture_output=True, check=False
    )

    assert not valid_branch(name) or known.returncode == 0
    assert valid_branch(name) == (name in NAMES[:8])


@pytest.mark.parametrize("name", ["--force", "a..b", "main\nx"])
def test_a_bad_branch_name_is_not_given_to_git(clone: Clone, git: Git, name: str) -> None:
    head = git.resolve("HEAD")

    with pytest.raises(GitError, match="is not a name of a branch"):
        git.remote_head(clone.remote, name)
    with pytest.raises(GitError, match="is not a name of a branch"):
        git.fetch(clone.remote, name)
    with pytest.raises(GitError, match="is not a name of a branch"):
        git.push(clone.remote, head, name, expected=None)
