from datetime import date
from pathlib import Path

import duckdb
import pytest

from dinmo_pipeline.demo.warehouse import build_warehouse
from dinmo_pipeline.demo.workspace import Contact, intercom_contacts, new_contacts_day2

TODAY = date(2027, 2, 28)


@pytest.fixture(scope="package")
def day_one(tmp_path_factory) -> Path:
    """The warehouse of day one."""
    path = tmp_path_factory.mktemp("day_one") / "warehouse.duckdb"
    build_warehouse(path, 1, TODAY)
    return path


@pytest.fixture(scope="package")
def day_two(tmp_path_factory) -> Path:
    """The warehouse of day two."""
    path = tmp_path_factory.mktemp("day_two") / "warehouse.duckdb"
    build_warehouse(path, 2, TODAY)
    return path


@pytest.fixture(scope="package")
def both_days(day_one, day_two):
    """A connection with both warehouses attached as `one` and `two`."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{day_one}' as one (read_only)")
        connection.execute(f"attach '{day_two}' as two (read_only)")
        yield connection


@pytest.fixture(scope="package")
def contacts(day_one) -> list[Contact]:
    """The Intercom workspace of day one."""
    return intercom_contacts(day_one)


@pytest.fixture(scope="package")
def new_contacts(day_two, contacts) -> list[Contact]:
    """The users who sign up in Intercom between the days."""
    return new_contacts_day2(day_two, contacts)
