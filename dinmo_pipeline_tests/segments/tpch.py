"""TPC-H as a shop: its tables, models, declared segments, and the same audiences in SQL written by hand.

What compares columns with each other, or with a figure over a whole table, is a column of a view: the
place an analytics engineer has for it. Each hand-written statement says it again from the tables.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from dinmo_pipeline.config.declarations import Project
from dinmo_pipeline.config.declarations.conditions import AllOf, AnyOf, Condition, Not
from dinmo_pipeline_tests.segments.declaring import (
    field,
    in_segment,
    model,
    project,
    related,
    segment,
)

TABLES = ("region", "nation", "supplier", "customer", "part", "partsupp", "orders", "lineitem")

VIEWS = (
    """
    CREATE VIEW wealthy AS
    SELECT c_custkey AS w_custkey FROM customer WHERE c_acctbal > (
        SELECT avg(c_acctbal) FROM customer
        WHERE c_acctbal > 0 AND substring(c_phone, 1, 2) IN ('13', '31', '23', '29', '30', '18', '17')
    )""",
    """
    CREATE VIEW purchases AS
    SELECT *, o_comment LIKE '%special%requests%' AS o_special FROM orders""",
    """
    CREATE VIEW purchase_lines AS
    SELECT *, l_commitdate < l_receiptdate AS l_late FROM lineitem""",
    """
    CREATE VIEW stock AS
    SELECT ps.*, ps_availqty > 0.5 * sold.quantity AS ps_excess
    FROM partsupp AS ps LEFT JOIN (
        SELECT l_partkey, l_suppkey, sum(l_quantity) AS quantity FROM lineitem
        WHERE l_shipdate >= DATE '1994-01-01' AND l_shipdate < DATE '1995-01-01'
        GROUP BY l_partkey, l_suppkey
    ) AS sold ON l_partkey = ps_partkey AND l_suppkey = ps_suppkey""",
)

MODELS = (
    model(
        "customers",
        "customer",
        primary_key="c_custkey",
        wealthy=("wealthy", {"c_custkey": "w_custkey"}),
        orders=("orders", {"c_custkey": "o_custkey"}),
        nation=("nations", {"c_nationkey": "n_nationkey"}),
    ),
    model(
        "orders",
        "purchases",
        primary_key="o_orderkey",
        lines=("lines", {"o_orderkey": "l_orderkey"}),
    ),
    model(
        "lines",
        "purchase_lines",
        part=("parts", {"l_partkey": "p_partkey"}),
        stock=("stock", {"l_partkey": "ps_partkey", "l_suppkey": "ps_suppkey"}),
    ),
    model("wealthy"),
    model("parts", "part", primary_key="p_partkey"),
    model("stock", part=("parts", {"ps_partkey": "p_partkey"})),
    model(
        "suppliers",
        "supplier",
        primary_key="s_suppkey",
        stock=("stock", {"s_suppkey": "ps_suppkey"}),
        nation=("nations", {"s_nationkey": "n_nationkey"}),
    ),
    model("nations", "nation", region=("regions", {"n_regionkey": "r_regionkey"})),
    model("regions", "region"),
)


@dataclass(frozen=True)
class Audience:
    """One audience, declared and in SQL."""

    condition: Condition
    by_hand: str
    over: str = "customers"
    column: str = "c_custkey"


def during(column: str, first: date, last: date) -> Condition:
    """Both days are included."""
    return field(column, between=[first, last])


AUDIENCES: dict[str, Audience] = {
    "q4_late_in_a_quarter": Audience(
        related(
            "exists",
            "orders",
            where=AllOf(
                (
                    during("o_orderdate", date(1993, 7, 1), date(1993, 9, 30)),
                    related("exists", "lines", where=field("l_late", is_true=None)),
                )
            ),
        ),
        """
        SELECT c_custkey FROM customer WHERE c_custkey IN (
            SELECT o_custkey FROM orders
            WHERE o_orderdate >= DATE '1993-07-01' AND o_orderdate < DATE '1993-10-01' AND EXISTS (
                SELECT * FROM lineitem WHERE l_orderkey = o_orderkey AND l_commitdate < l_receiptdate))""",
    ),
    "q13_without_ordinary_orders": Audience(
        related("count", "orders", equals=0, where=Not(field("o_special", is_true=None))),
        """
        SELECT c_custkey FROM (
            SELECT c_custkey, count(o_orderkey) AS c_count
            FROM customer LEFT OUTER JOIN orders
            ON c_custkey = o_custkey AND o_comment NOT LIKE '%special%requests%'
            GROUP BY c_custkey
        ) AS c_orders WHERE c_count = 0""",
    ),
    "q13_with_ten_ordinary_orders": Audience(
        related("count", "orders", between=[9, 11], where=field("o_special", is_false=None)),
        """
        SELECT c_custkey FROM (
            SELECT c_custkey, count(o_orderkey) AS c_count
            FROM customer LEFT OUTER JOIN orders
            ON c_custkey = o_custkey AND o_comment NOT LIKE '%special%requests%'
            GROUP BY c_custkey
        ) AS c_orders WHERE c_count BETWEEN 9 AND 11""",
    ),
    "q18_large_orders": Audience(
        related("exists", "orders", where=related("sum", "lines.l_quantity", greater_than=300)),
        """
        SELECT DISTINCT c_custkey FROM customer, orders, lineitem
        WHERE o_orderkey IN (
            SELECT l_orderkey FROM lineitem GROUP BY l_orderkey HAVING sum(l_quantity) > 300)
        AND c_custkey = o_custkey AND o_orderkey = l_orderkey""",
    ),
    "q20_suppliers_with_excess_of_forest_parts": Audience(
        AllOf(
            (
                related("exists", "nation", where=field("n_name", equals="CANADA")),
                related(
                    "exists",
                    "stock",
                    where=AllOf(
                        (
                            field("ps_excess", is_true=None),
                            related("exists", "part", where=field("p_name", starts_with="forest")),
                        )
                    ),
                ),
            )
        ),
        """
        SELECT s_suppkey FROM supplier, nation WHERE s_suppkey IN (
            SELECT ps_suppkey FROM partsupp
            WHERE ps_partkey IN (SELECT p_partkey FROM part WHERE p_name LIKE 'forest%')
            AND ps_availqty > (
                SELECT 0.5 * sum(l_quantity) FROM lineitem
                WHERE l_partkey = ps_partkey AND l_suppkey = ps_suppkey
                AND l_shipdate >= DATE '1994-01-01' AND l_shipdate < DATE '1995-01-01'))
        AND s_nationkey = n_nationkey AND n_name = 'CANADA'""",
        over="suppliers",
        column="s_suppkey",
    ),
    "q22_wealthy_without_orders": Audience(
        AllOf(
            (
                AnyOf(
                    tuple(
                        field("c_phone", starts_with=code)
                        for code in ["13", "31", "23", "29", "30", "18", "17"]
                    )
                ),
                related("exists", "wealthy"),
                related("none", "orders"),
            )
        ),
        """
        SELECT c_custkey FROM customer
        WHERE substring(c_phone, 1, 2) IN ('13', '31', '23', '29', '30', '18', '17')
        AND c_acctbal > (
            SELECT avg(c_acctbal) FROM customer
            WHERE c_acctbal > 0 AND substring(c_phone, 1, 2) IN ('13', '31', '23', '29', '30', '18', '17'))
        AND NOT EXISTS (SELECT * FROM orders WHERE o_custkey = c_custkey)""",
    ),
    "q3_building_with_open_shipments": Audience(
        AllOf(
            (
                field("c_mktsegment", equals="building", ignore_case=True),
                related(
                    "exists",
                    "orders",
                    where=AllOf(
                        (
                            field("o_orderdate", before=date(1995, 3, 15)),
                            related(
                                "exists",
                                "lines",
                                where=field("l_shipdate", after=date(1995, 3, 15)),
                            ),
                        )
                    ),
                ),
            )
        ),
        """
        SELECT DISTINCT c_custkey FROM customer
        JOIN orders ON o_custkey = c_custkey JOIN lineitem ON l_orderkey = o_orderkey
        WHERE c_mktsegment = 'BUILDING' AND o_orderdate < DATE '1995-03-15'
        AND l_shipdate > DATE '1995-03-15'""",
    ),
    "q5_asians_who_bought_in_1994": Audience(
        AllOf(
            (
                related("exists", "nation.region", where=field("r_name", equals="ASIA")),
                related(
                    "count",
                    "orders",
                    at_least=3,
                    where=during("o_orderdate", date(1994, 1, 1), date(1994, 12, 31)),
                ),
            )
        ),
        """
        SELECT c_custkey FROM customer
        JOIN nation ON n_nationkey = c_nationkey JOIN region ON r_regionkey = n_regionkey AND r_name = 'ASIA'
        JOIN orders ON o_custkey = c_custkey AND extract(year FROM o_orderdate) = 1994
        GROUP BY c_custkey HAVING count(*) >= 3""",
    ),
    "q10_returned_much": Audience(
        related(
            "sum",
            "orders.lines.l_extendedprice",
            at_least=Decimal("500000.00"),
            where=field("l_returnflag", equals="R"),
        ),
        """
        SELECT o_custkey FROM orders JOIN lineitem ON l_orderkey = o_orderkey WHERE l_returnflag = 'R'
        GROUP BY o_custkey HAVING sum(l_extendedprice) >= 500000""",
    ),
    "small_baskets_on_average": Audience(
        related("avg", "orders.o_totalprice", less_than=100_000),
        """
        SELECT c_custkey FROM customer WHERE (
            SELECT avg(o_totalprice) FROM orders WHERE o_custkey = c_custkey) < 100000""",
    ),
    "urgent_at_last": Audience(
        related("last", "orders.o_orderpriority", by="o_orderdate", in_=["1-URGENT", "2-HIGH"]),
        """
        SELECT o_custkey FROM orders AS o WHERE o_orderpriority IN ('1-URGENT', '2-HIGH') AND NOT EXISTS (
            SELECT * FROM orders AS later WHERE later.o_custkey = o.o_custkey AND (
                later.o_orderdate > o.o_orderdate
                OR later.o_orderdate = o.o_orderdate AND later.o_orderkey > o.o_orderkey))""",
    ),
    "new_since_1994": Audience(
        related("min", "orders.o_orderdate", at_least=date(1994, 1, 1)),
        "SELECT o_custkey FROM orders GROUP BY o_custkey HAVING min(o_orderdate) >= DATE '1994-01-01'",
    ),
    "broad_tastes": Audience(
        related("count_distinct", "orders.lines.l_partkey", greater_than=150),
        """
        SELECT o_custkey FROM orders JOIN lineitem ON l_orderkey = o_orderkey
        GROUP BY o_custkey HAVING count(DISTINCT l_partkey) > 150""",
    ),
    "never_by_air_or_in_brass": Audience(
        AllOf(
            (
                Not(related("exists", "orders.lines", where=field("l_shipmode", in_=["AIR", "REG AIR"]))),
                related("none", "orders.lines.part", where=field("p_type", ends_with="BRASS")),
                related("exists", "orders"),
            )
        ),
        """
        SELECT o_custkey FROM orders
        JOIN lineitem ON l_orderkey = o_orderkey JOIN part ON p_partkey = l_partkey
        GROUP BY o_custkey
        HAVING sum(
            CASE WHEN l_shipmode IN ('AIR', 'REG AIR') OR p_type LIKE '%BRASS' THEN 1 ELSE 0 END) = 0""",
    ),
    "new_or_lavish_but_not_asian": Audience(
        AllOf(
            (
                AnyOf((in_segment("new_since_1994"), in_segment("q10_returned_much"))),
                Not(in_segment("q5_asians_who_bought_in_1994")),
                field("c_acctbal", greater_than=0),
            )
        ),
        """
        SELECT c_custkey FROM customer WHERE c_acctbal > 0 AND (
            c_custkey IN (
                SELECT o_custkey FROM orders GROUP BY o_custkey
                HAVING min(o_orderdate) >= DATE '1994-01-01')
            OR c_custkey IN (
                SELECT o_custkey FROM orders JOIN lineitem ON l_orderkey = o_orderkey WHERE l_returnflag = 'R'
                GROUP BY o_custkey HAVING sum(l_extendedprice) >= 500000))
        AND c_custkey NOT IN (
            SELECT c_custkey FROM customer
            JOIN nation ON n_nationkey = c_nationkey
            JOIN region ON r_regionkey = n_regionkey AND r_name = 'ASIA'
            JOIN orders ON o_custkey = c_custkey AND extract(year FROM o_orderdate) = 1994
            GROUP BY c_custkey HAVING count(*) >= 3)""",
    ),
}


def declared() -> Project:
    """The models and segments."""
    return project(
        *MODELS,
        *(segment(key, audience.condition, over=audience.over) for key, audience in AUDIENCES.items()),
    )
