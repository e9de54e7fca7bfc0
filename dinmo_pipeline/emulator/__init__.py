"""A local Intercom for development, tests, demos and benchmarks; it imports nothing of the rest.

It imitates the contact and tag endpoints of Intercom's REST API, versions 2.13 to 2.17, with the rate
limit, the lag of the search index, and the errors. Everything is in memory.
"""

from dinmo_pipeline.emulator.contact_files import ContactsFileError, read_contacts, seed_of
from dinmo_pipeline.emulator.http.server import EmulatorServer, running, serve
from dinmo_pipeline.emulator.settings import EmulatorSettings
from dinmo_pipeline.emulator.workspace.records import NewContact

__all__ = [
    "ContactsFileError",
    "EmulatorServer",
    "EmulatorSettings",
    "NewContact",
    "read_contacts",
    "running",
    "seed_of",
    "serve",
]
