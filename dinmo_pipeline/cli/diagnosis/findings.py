"""Findings: what was looked at, what was seen, and what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "fail", "not checked"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the diagnosis; `fix` is there unless all is well."""

    subject: str
    status: Status
    seen: str
    fix: str | None = None


def ok(subject: str, seen: str) -> Finding:
    """It was looked at, and is right."""
    return Finding(subject, "ok", seen)


def warn(subject: str, seen: str, fix: str) -> Finding:
    """Syncs work, but something is worth a look."""
    return Finding(subject, "warn", seen, fix)


def fail(subject: str, seen: str, fix: str) -> Finding:
    """Syncs cannot work."""
    return Finding(subject, "fail", seen, fix)


def not_checked(subject: str, reason: str, fix: str | None = None) -> Finding:
    """Nothing is known about it."""
    return Finding(subject, "not checked", reason, fix)


def one_line(error: Exception, replaced: Iterable[str] = ()) -> str:
    """An error as one line, without texts that must not be shown."""
    text = " ".join(str(error).split())
    for secret in replaced:
        text = text.replace(secret, "***") if secret else text
    return text
