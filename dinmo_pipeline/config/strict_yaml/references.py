"""References from one object to another by key."""

from collections.abc import Collection

from dinmo_pipeline.config.strict_yaml.nodes import Node
from dinmo_pipeline.config.strict_yaml.report import Subject
from dinmo_pipeline.text.wording import shown, suggestion


def check_reference(name: str, known: Collection[str], kind: str, at: Node, subject: Subject) -> bool:
    """Whether `name` is declared; otherwise a problem is noted."""
    if name in known:
        return True
    allowed = tuple(known) or ("none is declared",)
    message = f"There is no {kind} '{shown(name)}'."
    subject.problem(at, message, allowed=allowed, hint=suggestion(name, known), needs_all_files=True)
    return False
