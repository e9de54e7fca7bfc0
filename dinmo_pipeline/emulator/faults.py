"""Faults on purpose: which call fails, how, and how often."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

FaultKind = Literal[
    "status", "html", "timeout_before", "timeout_after", "drop_before", "drop_after", "latency"
]

_DEFAULT_STATUS: Final[Mapping[str, int]] = {"html": 502}
_DEFAULT_SECONDS: Final[Mapping[str, float]] = {"latency": 1.0}


class InvalidFaultError(ValueError):
    """A fault rule that cannot be read; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A rule: which calls fail, and how.

    Attributes:
        kind: `status` answers an `error.list`; `html` a gateway's page; `latency` answers late;
            `timeout_…` never answers; `drop_…` closes the connection. With `…_after` the call is
            carried out and only its answer is lost.
        method: The HTTP method; None is any.
        route: The route's template, like `/contacts/{id}/tags`; None is any.
        status: HTTP status, for `status` and `html`.
        code: The error's code; None is the usual one of the status.
        rate: Share of the matching calls that fail, from 0 to 1.
        times: After this many failures the rule is spent; None is never.
        after: Matching calls that go well first.
        seconds: Of `latency`: how much later. Of `timeout_…`: how long the connection stays open.
        seed: Of the choice that `rate` makes.
    """

    kind: FaultKind
    method: str | None = None
    route: str | None = None
    status: int = 500
    code: str | None = None
    rate: float = 1.0
    times: int | None = None
    after: int = 0
    seconds: float = 60.0
    seed: int = 0


@dataclass(slots=True)
class _Rule:
    fault: Fault
    random: random.Random
    seen: int = field(default=0)
    fired: int = field(default=0)

    def fires(self, method: str, route: str) -> bool:
        fault = self.fault
        if fault.method not in (None, method) or fault.route not in (None, route):
            return False
        self.seen += 1
        if self.seen <= fault.after or (fault.times is not None and self.fired >= fault.times):
            return False
        if self.random.random() >= fault.rate:
            return False
        self.fired += 1
        return True


class Faults:
    """The rules in force. Each call fails by the first that fires; latencies add up."""

    def __init__(self, faults: list[Fault]) -> None:
        # Not for secrets: a fault that comes at random must come again with the same seed.
        self._rules = [_Rule(fault, random.Random(fault.seed)) for fault in faults]  # noqa: S311

    def of_call(self, method: str, route: str) -> tuple[float, Fault | None]:
        """Seconds that a call takes longer, and the fault that befalls it."""
        delay_s = 0.0
        for rule in self._rules:
            if not rule.fires(method, route):
                continue
            if rule.fault.kind != "latency":
                return delay_s, rule.fault
            delay_s += rule.fault.seconds
        return delay_s, None


def read_faults(raw: Any) -> list[Fault]:
    """Read rules from JSON: a list of `{match: {method, route}, kind, …}`.

    Raises:
        InvalidFaultError: A rule is not readable.
    """
    if not isinstance(raw, list):
        raise InvalidFaultError("the rules are a list")
    return [_read(rule) for rule in raw]


def _read(raw: Any) -> Fault:
    if not isinstance(raw, Mapping) or raw.get("kind") not in get_args(FaultKind):
        raise InvalidFaultError(f"a rule has a kind: {', '.join(get_args(FaultKind))}")
    values = {name: value for name, value in raw.items() if name != "match"}
    kind = raw["kind"]
    if kind in _DEFAULT_STATUS:
        values.setdefault("status", _DEFAULT_STATUS[kind])
    if kind in _DEFAULT_SECONDS:
        values.setdefault("seconds", _DEFAULT_SECONDS[kind])
    try:
        return Fault(**raw.get("match", {}), **values)
    except TypeError as error:
        raise InvalidFaultError(f"the rule {dict(raw)} is not readable: {error}") from error
