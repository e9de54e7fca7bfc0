"""Free ports of this machine."""

import socket
from typing import Final

import click

LOOPBACK: Final = "127.0.0.1"
PORT: Final = click.IntRange(1, 65535)


def require_free(port: int, option: str) -> int:
    """The port, if nothing listens on it.

    Raises:
        click.ClickException: it is taken; the message names the option that chooses another one.
    """
    if not _is_free(port):
        raise click.ClickException(f"Port {port} is in use. Choose another one with {option}.")
    return port


def chosen_port(port: int | None, option: str, preferred: int) -> int:
    """The port that a person chose, else the preferred one, or a free one if that is taken.

    Raises:
        click.ClickException: the chosen one is taken.
    """
    return require_free(port, option) if port else free_port(preferred)


def free_port(preferred: int = 0) -> int:
    """A port that is free now: the preferred one, or any other."""
    if preferred and _is_free(preferred):
        return preferred
    with socket.create_server((LOOPBACK, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def is_open(port: int) -> bool:
    """Whether something listens on a port."""
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex((LOOPBACK, port)) == 0


def _is_free(port: int) -> bool:
    try:
        socket.create_server((LOOPBACK, port)).close()
    except (OSError, OverflowError):
        return False
    return True
