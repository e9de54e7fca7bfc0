"""A local Intercom for development, tests, demos and benchmarks; it imports nothing of the rest.

It imitates the endpoints of contacts and tags of Intercom's REST API, versions 2.13 to 2.17, with
its rate limit, its search index that lags, and its errors. It keeps everything in memory.
"""

from dinmo_pipeline.emulator.http.server import (
    EmulatorProcess,
    EmulatorServer,
    running,
    running_process,
    serve,
)
from dinmo_pipeline.emulator.settings import EmulatorSettings
from dinmo_pipeline.emulator.workspace.records import NewContact

__all__ = [
    "EmulatorProcess",
    "EmulatorServer",
    "EmulatorSettings",
    "NewContact",
    "running",
    "running_process",
    "serve",
]
