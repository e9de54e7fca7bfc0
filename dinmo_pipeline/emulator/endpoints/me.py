"""`GET /me`: who the token belongs to, and in which workspace."""

from typing import Final

from dinmo_pipeline.emulator.call import Answer, Call, json_answer
from dinmo_pipeline.emulator.emulator import Emulator
from dinmo_pipeline.emulator.endpoints.views import ADMIN_ID

_FOUNDED: Final = 1_600_000_000


def me(emulator: Emulator, _call: Call) -> Answer:
    """The admin of the token, with the workspace as its `app`."""
    return json_answer(
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
                "created_at": _FOUNDED,
                "secure": False,
                "identity_verification": False,
                "timezone": "UTC",
                "region": emulator.settings.region,
            },
        }
    )
