"""The process that `running_process` starts: a listening socket and settings, as arguments."""

import json
import socket
import sys

from dinmo_pipeline.emulator.http.server import serve_on
from dinmo_pipeline.emulator.settings import EmulatorSettings, changed


def main(arguments: list[str]) -> None:
    """Serve on an inherited socket.

    Args:
        arguments: The socket's file descriptor, and the settings as JSON.
    """
    descriptor, settings = arguments
    with socket.socket(fileno=int(descriptor)) as listener:
        serve_on(listener, changed(EmulatorSettings(), json.loads(settings)))


if __name__ == "__main__":
    main(sys.argv[1:])
