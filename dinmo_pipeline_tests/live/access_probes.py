"""Probes of headers, and of how Intercom refuses a call."""

from collections.abc import Iterator

from dinmo_pipeline_tests.live.api import VERSION, Answer, reset_in
from dinmo_pipeline_tests.live.findings import Finding
from dinmo_pipeline_tests.live.scene import Scene


def probe_headers(me: Answer) -> Iterator[Finding]:
    """Headers that every response has; makes no call."""
    served = me.headers.get("Intercom-Version")
    yield Finding("Is the requested version echoed?", VERSION, str(served), served == VERSION)
    app = me.body.get("app") or {}
    region = app.get("region") if isinstance(app, dict) else None
    yield Finding("How is the region spelled?", "US, EU or AU", str(region), region in ("US", "EU", "AU"))
    limit, remaining = (me.headers.get(f"X-RateLimit-{name}") for name in ("Limit", "Remaining"))
    seconds = reset_in(me.headers)
    yield Finding(
        "What does the rate limit say?",
        "a limit, and a reset 0 to 60 s ahead",
        f"limit {limit}, remaining {remaining}, reset in {seconds} s",
        limit is not None and seconds is not None and 0 < seconds <= 60,
    )


def probe_refusals(scene: Scene) -> Iterator[Finding]:
    """An invalid token and an invalid body."""
    bad_token = scene.api.get("/me", token="no-token-of-anybody")
    headers = "with" if "X-RateLimit-Limit" in bad_token.headers else "without"
    yield Finding(
        "How is an invalid token refused?",
        "401 unauthorized",
        f"{bad_token.words}, {headers} rate headers",
        (bad_token.status, bad_token.code) == (401, "unauthorized"),
    )
    invalid = scene.api.post("/tags", {"users": []})
    yield Finding(
        "How is an invalid body refused?",
        "400 parameter_invalid",
        invalid.words,
        (invalid.status, invalid.code) == (400, "parameter_invalid"),
    )


def rate_refusal(scene: Scene) -> Finding:
    """A 429, which is not provoked: it comes only if another app has spent the budget."""
    refused = scene.api.refused
    found = "it did not happen"
    if refused is not None:
        kept = {name: refused.headers.get(name) for name in ("Retry-After", "X-RateLimit-Reset")}
        found = f"{refused.words}, {kept}"
    return Finding(
        "How is a call over the rate limit refused?",
        "429 rate_limit_exceeded, no Retry-After",
        found,
        None if refused is None else refused.code == "rate_limit_exceeded",
    )
