"""The emulated workspace that the tests of the Intercom client use too."""

from dinmo_pipeline_tests.intercom.conftest import (  # noqa: F401  # fixtures
    client_of,
    clock,
    script,
    server,
    workspace,
)
