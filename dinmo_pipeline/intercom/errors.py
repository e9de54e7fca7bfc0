"""Errors of calls to Intercom.

IntercomError
├── AccessError            401, 403: token, scope or plan; nothing will work until a person acts
├── ConfigurationError     wrong host, version or tag name; likewise
├── RefusedError           400, 409, 422 …: this request will never work as it is
│   └── NotFoundError      404: the contact or the tag is unknown or archived
│       └── MergedError    410: the contact was merged into another one
└── UnavailableError       429, 5xx, timeouts, dropped connections, after all retries:
    │                      it is unknown whether Intercom carried out the request
    └── UnreadableError    the answer is not one that Intercom documents
"""

from dinmo_pipeline.text.wording import escaped


class IntercomError(Exception):
    """An unsuccessful call; `status` is None if there was no answer."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(escaped(message))
        self.status = status
        self.code = code
        self.request_id = request_id


class AccessError(IntercomError):
    """The token, its scopes, or the workspace's plan do not allow the call."""


class ConfigurationError(IntercomError):
    """A setting of the destination or the activation is wrong."""


class RefusedError(IntercomError):
    """Intercom understood the request and refused it."""


class NotFoundError(RefusedError):
    """The contact or the tag does not exist, or is archived."""


class MergedError(NotFoundError):
    """The contact was merged into `canonical_id`, which is None if the answer does not name it."""

    def __init__(
        self,
        message: str,
        *,
        canonical_id: str | None,
        status: int | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, status=status, code="contact_merged", request_id=request_id)
        self.canonical_id = canonical_id


class UnavailableError(IntercomError):
    """No definite answer after all retries; it is safe to repeat the call later."""


class UnreadableError(UnavailableError):
    """An answer that is not as Intercom documents it, so its meaning is unknown."""
