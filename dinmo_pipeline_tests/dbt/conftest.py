"""A shop whose warehouse dbt builds, with the pipeline's declarations beside it."""

import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

_PROJECT = Path(__file__).parent / "shop"
ANA, BEN, CLEO = "ana@example.com", "ben@example.com", "cleo@example.com"


@dataclass(frozen=True)
class Shop:
    """A dbt project that has been built once; `warehouse` is the DuckDB file that it fills."""

    project: Path
    warehouse: Path

    @property
    def manifest(self) -> Path:
        """What dbt wrote of itself."""
        return self.project / "target" / "manifest.json"

    def dbt(self, *words: str) -> str:
        """Run dbt as a person does; its output."""
        places = {"SHOP_WAREHOUSE": self.warehouse, "DBT_PROFILES_DIR": self.project}
        environment = {**os.environ, **{name: str(path) for name, path in places.items()}}
        command = [Path(sys.executable).with_name("dbt"), "--quiet", *words]
        done = subprocess.run(
            command, cwd=self.project, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="session")
def shop(tmp_path_factory) -> Shop:
    """Built once for all tests; none of them changes it but to add exposures."""
    if importlib.util.find_spec("dbt") is None:
        pytest.skip("dbt is not installed: `make test-dbt` runs these tests")
    folder = tmp_path_factory.mktemp("dbt")
    project = folder / "shop"
    shutil.copytree(_PROJECT, project)
    warehouse = folder / "warehouse.duckdb"
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("CREATE SCHEMA crm")
        connection.execute(
            "CREATE TABLE crm.raw_people AS FROM (VALUES"
            f" (1, '{ANA}', 'FR'), (2, '{BEN}', 'BE'), (3, '{CLEO}', 'DE')) AS rows(id, email, country)"
        )
    shop = Shop(project, warehouse)
    shop.dbt("deps")
    shop.dbt("build")
    return shop


def declared(shop: Shop, **changes: Any) -> dict[str, Any]:
    """Declarations over the shop's tables."""
    return {
        "source": {"type": "duckdb", "database": str(shop.warehouse), "upstream": "auto"},
        "state": {"database": "state.duckdb"},
        "dbt": {"project": str(shop.project), "owner": {"name": "Growth", "email": "growth@example.com"}},
        "destinations": {
            "main": {
                "access_token": {"env": "TEST_INTERCOM_TOKEN"},
                "region": "eu",
                "default_activation": {"schedule": {"after": "upstream"}},
            }
        },
        "models": {
            "customers": {
                "ref": "customers",
                "key": "customer_id",
                "relations": {"orders": {"model": "orders", "join": "customer_id"}},
            },
            "orders": {"ref": "shop.orders", "key": "order_id"},
        },
        "segments": {
            "buyers": {"name": "Buyers", "model": "customers", "where": {"count": "orders", "at_least": 2}},
            "trialists": {"table": "trial_users"},
            "planned": {"sql": "select p.email from main.plans_v2 p join crm.raw_people using (email)"},
        },
        "activations": {"buyers": {}, "trialists": {}, "planned": {}},
        **changes,
    }
