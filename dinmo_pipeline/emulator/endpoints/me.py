"""`GET /me`: the admin that the token belongs to, and their workspace."""

from typing import Final

from dinmo_pipeline.emulator.call import Call, Response, json_response
from dinmo_pipeline.emulator.emulator import Emulator
from dinmo_pipeline.emulator.endpoints.views import ADMIN_ID

_WORKSPACE_CREATED_AT: Final = 1_600_000_000


def me(emulator: Emulator, _call: Call) -> Response:
    """`GET /me`: the token's admin, with the workspace as its `app`."""
    return json_response(
        {
            "type": "admin",
            "id": ADMIN_ID,
            "email": "admin@emulator.example",
            "name": "Emulator Admin",
            "email_verified": True,
            "has_inbox_seat": True,
            "avatar": {"type": "avatar", "image_url": None},
            "app": {
                "type": "app",
                "id_code": emulator.settings.workspace_id,
                "name": emulator.settings.workspace_name,
                "created_at": _WORKSPACE_CREATED_AT,
                "secure": False,
                "identity_verification": False,
                "timezone": "UTC",
                "region": emulator.settings.region,
            },
        }
    )
