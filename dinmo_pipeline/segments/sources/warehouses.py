"""Connecting to a warehouse on a server: the driver that each kind needs, and why connecting failed."""

import importlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass

from dinmo_pipeline.segments.errors import SourceError, SourceUnavailableError, TimeLimitError
from dinmo_pipeline.segments.sources.remote_source import Connection, RemoteSource, RemoteType
from dinmo_pipeline.segments.sources.stopping import Stoppable


@dataclass(frozen=True, slots=True)
class Warehouse:
    """A kind of warehouse: its driver, and the module and function that connect through it.

    They are named, not imported, because the driver may not be installed.
    """

    title: str
    driver: str
    module: str
    connect: str


_POSTGRES_DRIVER = "adbc_driver_postgresql.dbapi"
# The extra that installs the driver has the name of the type.
WAREHOUSES: Mapping[RemoteType, Warehouse] = {
    "postgres": Warehouse("PostgreSQL", _POSTGRES_DRIVER, "postgres_connection", "connect_postgres"),
    "redshift": Warehouse("Redshift", _POSTGRES_DRIVER, "postgres_connection", "connect_redshift"),
    "snowflake": Warehouse(
        "Snowflake", "adbc_driver_snowflake.dbapi", "adbc_connection", "connect_snowflake"
    ),
    "bigquery": Warehouse("BigQuery", "adbc_driver_bigquery.dbapi", "adbc_connection", "connect_bigquery"),
    "databricks": Warehouse("Databricks", "databricks.sql", "databricks_connection", "connect_databricks"),
}


@contextmanager
def open_remote(type_: RemoteType, uri: str, timeout_seconds: float) -> Iterator[RemoteSource]:
    """Connect to a warehouse for reading.

    Raises:
        SourceError: the driver is not installed, or the connection fails.
    """
    warehouse = WAREHOUSES[type_]
    try:
        importlib.import_module(warehouse.driver)
    except ImportError as error:
        raise SourceError(
            f"{warehouse.title} needs a driver that is not installed: pip install 'dinmo-pipeline[{type_}]'"
        ) from error
    module = importlib.import_module(f"dinmo_pipeline.segments.sources.{warehouse.module}")
    connect: Callable[[str], Connection] = getattr(module, warehouse.connect)
    try:
        # A server that does not answer is waited for in a thread, where it can be given up.
        connection = Stoppable(lambda: None, timeout_seconds).run(lambda: connect(uri))
    except TimeLimitError as error:
        message = f"{warehouse.title} did not answer within {error.limit}."
        raise SourceUnavailableError(message) from None
    except SourceError:
        raise
    except Exception as error:  # noqa: BLE001  # each driver has errors of its own
        # Neither the driver's text nor its traceback is passed on: both may quote the URI.
        raise _unreachable(warehouse.title, str(error)) from None
    with closing(RemoteSource(type_, connection, timeout_seconds)) as source:
        yield source


_REJECTIONS = (
    (
        r"password authentication failed|incorrect username or password|invalid.*token|401",
        "it rejects the credentials",
    ),
    (r"no pg_hba.conf entry", "it does not accept this user from this machine"),
    (r"(role|database) .* does not exist", "it has no such user or database"),
    (r"certificate", "the encrypted connection fails"),
)
_TRANSIENT_REASONS = (
    (r"could not translate host name|no such host|name or service", "the host of the URI is unknown"),
    (r"connection refused", "no server listens on the host and port of the URI"),
    (r"timeout|timed out", "it does not answer in time"),
    (r"starting up|shutting down|recovery", "it is starting or shutting down"),
    (r"too many (clients|connections)|connection slots", "it has no free connection"),
    (r"closed the connection|connection reset", "it closed the connection"),
    (r"ssl|tls", "the encrypted connection fails"),
    (r"no such file", "no server listens on the socket of the URI"),
)
_NOT_VALID = "the URI is not valid, or the server is of another kind (see docs/reference/sources.md)"


def _unreachable(title: str, text: str) -> SourceError:
    """Why a connection failed, in our own words: the driver's may quote part of the URI."""
    for kind, reasons in ((SourceError, _REJECTIONS), (SourceUnavailableError, _TRANSIENT_REASONS)):
        for pattern, reason in reasons:
            if re.search(pattern, text, re.IGNORECASE | re.DOTALL):
                return kind(f"{title} cannot be reached: {reason}")
    return SourceError(f"{title} cannot be reached: {_NOT_VALID}")
