-- churned
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM (
WITH c AS (SELECT * FROM crm.customers) SELECT * FROM c WHERE id > 5 -- old
) AS "t1";

-- listed
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM "analytics"."trialists" AS "t1";

-- reserved
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM "select" AS "t1";

-- equals
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM "crm"."customers" AS "t1" WHERE "t1"."email" = 'it''s \ "x" % _ `é`
';

-- not equals
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM "crm"."customers" AS "t1" WHERE NOT COALESCE(("t1"."email" = 'a@b.c'), FALSE);

-- in
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM "crm"."customers" AS "t1" WHERE "t1"."id" IN (1, (-2));

-- not in
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM "crm"."customers" AS "t1" WHERE NOT COALESCE(("t1"."email" IN ('a', 'b')), FALSE);

-- between
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM "crm"."customers" AS "t1" WHERE "t1"."spent" BETWEEN (-1.50) AND 1000;

-- contains
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM "crm"."customers" AS "t1" WHERE STRPOS("t1"."email", '100%_\') > 0;

-- starts with, ignoring case
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM "crm"."customers" AS "t1" WHERE LEFT(LOWER("t1"."email"), LENGTH(LOWER('Ab'))) = LOWER('Ab');

-- ends with
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM "crm"."customers" AS "t1" WHERE RIGHT("t1"."email", LENGTH('.fr')) = '.fr';

-- is set
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM "crm"."customers" AS "t1" WHERE TRIM("t1"."email", ' 	
') <> '';

-- is blank
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM "crm"."customers" AS "t1" WHERE "t1"."spent" IS NULL;

-- is true
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM "crm"."customers" AS "t1" WHERE "t1"."vip" = TRUE;

-- not in any
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM "crm"."customers" AS "t1" WHERE NOT COALESCE(("t1"."vip" = FALSE OR "t1"."id" >= 3), FALSE);

-- a day of dates
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM "crm"."customers" AS "t1" WHERE "t1"."born" = CAST('2026-03-01' AS DATE);

-- a day of timestamps
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM "crm"."customers" AS "t1" WHERE "t1"."seen" >= CAST('2026-03-01 00:00:00' AS TIMESTAMP) AND "t1"."seen" < CAST('2026-03-02 00:00:00' AS TIMESTAMP);

-- a day of instants
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM "crm"."customers" AS "t1" WHERE "t1"."bought" >= CAST('2026-02-28 23:00:00+00:00' AS TIMESTAMPTZ) AND "t1"."bought" < CAST('2026-03-01 23:00:00+00:00' AS TIMESTAMPTZ);

-- a time
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM "crm"."customers" AS "t1" WHERE "t1"."seen" < CAST('2026-03-01 10:30:00.125000' AS TIMESTAMP);

-- within last
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM "crm"."customers" AS "t1" WHERE "t1"."bought" >= CAST('2026-02-28 23:00:00+00:00' AS TIMESTAMPTZ) AND "t1"."bought" <= CAST('2026-03-15 12:00:00+00:00' AS TIMESTAMPTZ);

-- within next
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM "crm"."customers" AS "t1" WHERE "t1"."born" >= CAST('2026-03-15' AS DATE) AND "t1"."born" <= CAST('2026-04-15' AS DATE);

-- hours
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM "crm"."customers" AS "t1" WHERE "t1"."bought" > CAST('2026-03-15 10:00:00+00:00' AS TIMESTAMPTZ);

-- anniversary
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM "crm"."customers" AS "t1" WHERE (EXTRACT(MONTH FROM "t1"."bought" AT TIME ZONE 'Europe/Paris') * 100 + EXTRACT(DAY FROM "t1"."bought" AT TIME ZONE 'Europe/Paris')) >= 315 AND (EXTRACT(MONTH FROM "t1"."bought" AT TIME ZONE 'Europe/Paris') * 100 + EXTRACT(DAY FROM "t1"."bought" AT TIME ZONE 'Europe/Paris')) <= 322;

-- exists
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM "crm"."customers" AS "t1" WHERE "t1"."id" IN (SELECT "t2"."customer_id" FROM "orders" AS "t2" WHERE "t2"."amount" > 10);

-- none, two steps
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM "crm"."customers" AS "t1" WHERE NOT EXISTS(SELECT 1 FROM (SELECT "t2"."customer_id" AS "k1" FROM "orders" AS "t2" JOIN "lines" AS "t3" ON "t2"."order_id" = "t3"."order_id" AND "t2"."shop" = "t3"."shop" WHERE "t3"."pieces" >= 2) AS "keys" WHERE "t1"."id" = "keys"."k1");

-- count
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM "crm"."customers" AS "t1" WHERE "t1"."id" IN (SELECT "t2"."customer_id" FROM "orders" AS "t2" WHERE "t2"."day" >= CAST('2025-03-15' AS DATE) AND "t2"."day" <= CAST('2026-03-15' AS DATE) GROUP BY "t2"."customer_id" HAVING COUNT(*) >= 2);

-- count, also of nothing
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM "crm"."customers" AS "t1" WHERE NOT EXISTS(SELECT 1 FROM (SELECT "t2"."customer_id" AS "k1" FROM "orders" AS "t2" GROUP BY "t2"."customer_id" HAVING NOT (COUNT(*) <= 2)) AS "keys" WHERE "t1"."id" = "keys"."k1");

-- count distinct
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM "crm"."customers" AS "t1" WHERE "t1"."id" IN (SELECT "t2"."customer_id" FROM "orders" AS "t2" GROUP BY "t2"."customer_id" HAVING COUNT(DISTINCT "t2"."shop") > 1);

-- sum of two steps
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM "crm"."customers" AS "t1" WHERE "t1"."id" IN (SELECT "t2"."customer_id" FROM "orders" AS "t2" JOIN "lines" AS "t3" ON "t2"."order_id" = "t3"."order_id" AND "t2"."shop" = "t3"."shop" GROUP BY "t2"."customer_id" HAVING SUM("t3"."pieces") > 100);

-- not that average
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM "crm"."customers" AS "t1" WHERE NOT EXISTS(SELECT 1 FROM (SELECT "t2"."customer_id" AS "k1" FROM "orders" AS "t2" GROUP BY "t2"."customer_id" HAVING AVG("t2"."amount") < 5) AS "keys" WHERE "t1"."id" = "keys"."k1");

-- latest
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM "crm"."customers" AS "t1" WHERE "t1"."id" IN (SELECT "t2"."customer_id" FROM "orders" AS "t2" GROUP BY "t2"."customer_id" HAVING MAX("t2"."day") < CAST('2025-12-15' AS DATE));

-- last
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM "crm"."customers" AS "t1" WHERE "t1"."id" IN (SELECT "t3"."k1" FROM (SELECT "t2"."customer_id" AS "k1", "t2"."amount" AS "v", ROW_NUMBER() OVER (PARTITION BY "t2"."customer_id" ORDER BY "t2"."day" DESC, "t2"."order_id" DESC, "t2"."amount" DESC) AS "n" FROM "orders" AS "t2") AS "t3" WHERE "t3"."n" = 1 AND "t3"."v" >= 5);

-- two columns
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM "crm"."customers" AS "t1" WHERE "t1"."id" IN (SELECT "t2"."customer_id" FROM "orders" AS "t2" WHERE EXISTS(SELECT 1 FROM (SELECT "t3"."order_id" AS "k1", "t3"."shop" AS "k2" FROM "lines" AS "t3" GROUP BY "t3"."order_id", "t3"."shop" HAVING COUNT(*) >= 2) AS "keys" WHERE "t2"."order_id" = "keys"."k1" AND "t2"."shop" = "keys"."k2"));

-- in segment
SELECT CAST("t1"."email" AS TEXT) AS "identifier" FROM "crm"."customers" AS "t1" WHERE "t1"."id" IN (SELECT "t2"."id" FROM (
WITH c AS (SELECT * FROM crm.customers) SELECT * FROM c WHERE id > 5 -- old
) AS "t2") AND NOT EXISTS(SELECT 1 FROM (SELECT "t3"."id" AS "k1" FROM "analytics"."trialists" AS "t3") AS "keys" WHERE "t1"."id" = "keys"."k1");
