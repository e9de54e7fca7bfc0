"""Injected faults: which calls fail, how, and how often."""

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
    """A fault rule is invalid; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A rule: which calls fail, and how.

    Attributes:
        kind: `status` responds with an `error.list`, `html` with a gateway's page, `latency` late,
            `timeout_…` never; `drop_…` closes the connection. With `…_after`, the call is carried out
            and only its response is lost.
        method: The HTTP method; None matches any.
        route: The route's template, like `/contacts/{id}/tags`; None matches any.
        status: HTTP status, for `status` and `html`.
        code: The error code; None means the usual one of the status.
        rate: Share of the matching calls that fail, from 0 to 1.
        times: How many calls fail at most; None means no limit.
        after: How many matching calls succeed first.
        seconds: For `latency`, the delay; for `timeout_…`, how long the connection stays open.
        seed: Seed of the random choice that `rate` makes.
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
    """The rules in force. The first that fires decides how a call fails; latencies add up."""

    def __init__(self, faults: list[Fault]) -> None:
        # Not for secrets: the same seed must give the same faults.
        self._rules = [_Rule(fault, random.Random(fault.seed)) for fault in faults]  # noqa: S311

    def of_call(self, method: str, route: str) -> tuple[float, Fault | None]:
        """The delay of a call in seconds, and its fault."""
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
        InvalidFaultError: A rule is invalid.
    """
    if not isinstance(raw, list):
        raise InvalidFaultError("Fault rules must be a list.")
    return [_read(rule) for rule in raw]


def _read(raw: Any) -> Fault:
    if not isinstance(raw, Mapping) or raw.get("kind") not in get_args(FaultKind):
        raise InvalidFaultError(f"A fault rule must have a kind, one of {', '.join(get_args(FaultKind))}.")
    values = {name: value for name, value in raw.items() if name != "match"}
    kind = raw["kind"]
    if kind in _DEFAULT_STATUS:
        values.setdefault("status", _DEFAULT_STATUS[kind])
    if kind in _DEFAULT_SECONDS:
        values.setdefault("seconds", _DEFAULT_SECONDS[kind])
    try:
        return Fault(**raw.get("match", {}), **values)
    except TypeError as error:
        raise InvalidFaultError(f"The fault rule {dict(raw)} is invalid: {error}.") from error
