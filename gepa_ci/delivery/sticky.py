"""Owns having one comment for one purpose, whoever writes it and however many runs do at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gepa_ci.delivery.forge import Account, Comment


class Talk(Protocol):
    """What of GitHub is needed here."""

    def me(self) -> Account: ...  # noqa: D102
    def comments(self, number: int) -> list[Comment]: ...  # noqa: D102
    def add_comment(self, number: int, body: str) -> Comment: ...  # noqa: D102
    def edit_comment(self, comment: int, body: str) -> Comment: ...  # noqa: D102
    def delete_comment(self, comment: int) -> None: ...  # noqa: D102


def put_comment(
    talk: Talk, number: int, marker: str, body: str, *, adds: bool = True, edits: bool = True
) -> None:
    """Let one comment of ours that starts with a marker say `body`.

    Somebody else's comment with the same marker is none of ours. GitHub has no "create unless it is
    there": two runs that look at once both write, so each looks again and the later one goes.

    Args:
        talk: GitHub.
        number: Of the pull request.
        marker: One HTML comment, by which the comment is found again.
        body: What it is to say after the marker's line.
        adds: Whether to write one where there is none.
        edits: Whether to change one that says something else.

    Raises:
        GitHubError: it could not be written.
    """
    text = f"{marker}\n{body}"
    found = _ours(talk, number, marker)
    if not found and adds:
        made = talk.add_comment(number, text)
        found = _ours(talk, number, marker) or [made]
        if found[0].id != made.id:
            talk.delete_comment(made.id)
    if found and edits and found[0].body != text:
        talk.edit_comment(found[0].id, text)


def _ours(talk: Talk, number: int, marker: str) -> list[Comment]:
    """Return our comments with a marker, oldest first."""
    me = talk.me()
    found = [
        comment
        for comment in talk.comments(number)
        if comment.author.id == me.id and comment.body.startswith(marker)
    ]
    return sorted(found, key=lambda comment: comment.id)
