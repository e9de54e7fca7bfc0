"""What Dagster shows where nothing is declared yet: an asset whose description says what to do."""

import dagster as dg

_ASSET = "no_declarations"


def definitions_without_declarations(reason: str) -> dg.Definitions:
    """A code location that loads and says what to do, where an error would only show a traceback."""
    return dg.Definitions(
        assets=[
            dg.AssetSpec(
                _ASSET,
                description=f"{reason} Then reload this code location.",
                metadata={"next_step": dg.MetadataValue.text(reason)},
            )
        ]
    )
