"""Whether the files of a card can change: a commit of a hub repository, or of an address on a Git host, cannot; a branch can."""

from __future__ import annotations

import posixpath
import re
import shlex
from urllib.parse import unquote, urlsplit

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.hub import COMMIT, commit_of
from parallel_qa.pipeline.sources.card import Card, read_card
from parallel_qa.pipeline.sources.pins import PINS, shipped, write_pin

_GIT_ADDRESS = re.compile(
    r"(?:(?:raw|media)\.githubusercontent\.com(?:/media)?/[^/]+/[^/]+"
    r"|(?:www\.)?github\.com/[^/]+/[^/]+/raw"
    r"|(?:huggingface\.co|hf\.co)/(?:datasets/|spaces/)?[^/]+/[^/]+/(?:resolve|raw)"
    r"|bitbucket\.org/[^/]+/[^/]+/raw"
    r"|codeberg\.org/[^/]+/[^/]+/raw(?:/commit)?"
    r"|[^/]+/.+?/-/raw"  # GitLab, wherever it runs
    r"|[^/]+/.+?/(?:raw|resolve)(?:/commit)?(?=/[0-9a-f]{40}/)"  # a Git host or mirror of another name
    r")/(?P<revision>[^/]+)/."
)


def revision_of(address: str) -> str | None:
    """The commit, branch or tag that an address on a Git host names, up to its first slash; None for other addresses."""
    try:
        parts = urlsplit(address)
    except ValueError:  # no address at all: whoever opens it will say so
        return None
    if parts.scheme not in ("http", "https"):
        return None
    found = _GIT_ADDRESS.match(f"{parts.hostname}{posixpath.normpath('/' + unquote(parts.path).lstrip('/'))}")
    return found["revision"] if found else None


def commit_in(address: str) -> str | None:
    """The commit that an address on a Git host names; None where it names none."""
    revision = revision_of(address)
    return revision if revision and COMMIT.fullmatch(revision) else None


def unpinned(card: Card) -> list[str]:
    """What the card reads from a branch or tag, which may change: its hub repository, or addresses without a checksum.

    Other servers have no commits to name: what they say of a file's version is taken for it.
    """
    if card.hub:
        return [] if COMMIT.fullmatch(card.hub.revision) else [card.hub.repository]
    names = [name for table in card.tables().values() for name in table.files]
    if card.translations:
        languages = card.translations.languages.values()
        names += [p.replace("{}", name) for p in (card.translations.queries, card.translations.passages) for name in languages]
    return [name for name in names if name not in card.sha256 and revision_of(name) and not commit_in(name)]


def single_commit(card: Card) -> str | None:
    """The commit that all files of the card are from; None where there is no such one."""
    if card.hub:
        return card.hub.revision if COMMIT.fullmatch(card.hub.revision) else None
    commits = {commit_in(name) for table in card.tables().values() for name in table.files}
    return commits.pop() if len(commits) == 1 else None


def check_pinned(card: Card) -> None:
    """Raises UserError, with the remedy, where the files of a card may change."""
    loose = unpinned(card)
    if not loose:
        return
    if card.hub is None:
        raise UserError(
            f"{card.path}: file {loose[0].split('?')[0]!r} is that of a branch or tag, which may change: "
            "put a commit (40 hexadecimal digits) in its place, or give the file's `sha256`"
        )
    raise UserError(f"{card.path}: hub.revision: {card.hub.revision!r} may change; a run needs a commit: {_remedy(card)}")


def _remedy(card: Card) -> str:
    command = "parallel-qa sources pin"
    if shipped(card.profile_folder or card.path):
        return f"copy the profile to a folder of your own; there, '{command} {card.path.stem} --profile .' finds it and writes {PINS}"
    if card.profile_folder:
        return f"'{command} {card.path.stem} --profile {shlex.quote(str(card.profile_folder))}' finds it and writes it into {PINS} there"
    return f"'{command} {shlex.quote(str(card.path))}' finds it and writes it into the card"


def pin(card: Card, branch: str = "") -> tuple[str, str]:
    """Note the commit of a branch of the card's repository; the old revision and the new one.

    It is written into a card of the user's own; of a card that comes with the project, into `pins.yaml` of the folder that the card was
    asked for in. Raises UserError where the card has no repository, the hub does not know the branch, or nothing can be written there.
    """
    if card.hub is None:
        raise UserError(
            f"{card.path}: only a card with a `hub` repository has a revision to pin; give `sha256` of its files instead, "
            "or addresses that name a commit"
        )
    if shipped(card.profile_folder or card.path):
        raise UserError(
            f"{card.profile_folder or card.path} belongs to the installation, which an update or a new container replaces: "
            f"copy the profile to a folder of your own; there, 'parallel-qa sources pin {card.path.stem} --profile .'"
        )
    commit = commit_of(card.hub.repository, branch or card.hub.revision, "dataset")
    if card.profile_folder:
        write_pin(card.profile_folder, card.path.stem, commit)
    else:
        _write_into(card, commit)
    return card.hub.revision, commit


def _write_into(card: Card, commit: str) -> None:
    assert card.hub is not None
    text = card.path.read_text(encoding="utf-8")
    pattern = re.compile(rf"""(?m)(\brevision:\s*(["']?)){re.escape(card.hub.revision)}(?=\2\s*(?:[,}}#]|$))""")
    try:
        card.path.write_text(pattern.sub(rf"\g<1>{commit}", text, count=1), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{card.path}: cannot be written ({error.strerror or error}): write `revision: {commit}`") from None
    written = read_card(card.path).hub
    if written is None or written.revision != commit:
        raise UserError(f"{card.path}: hub.revision: the place of {card.hub.revision!r} is not found: write `revision: {commit}`")
