-- Morning. A music shop moves into a database
\i test/demo.d/style

CREATE EXTENSION oms;
SELECT oms.create_store('shop');

\echo 'The store is an ordinary schema; its tables are the shop''s own, none is the extension''s.'
SELECT count(*) FILTER (WHERE relkind = 'r') AS tables, count(*) FILTER (WHERE relkind = 'v') AS views
FROM pg_class WHERE relnamespace = 'shop'::regnamespace;

\set ECHO none
-- what the steps after this one call when a refusal was part of the story
CREATE PROCEDURE public.expect_refusal(got text, expected text) LANGUAGE plpgsql AS $$
BEGIN
	IF got <> expected THEN
		RAISE EXCEPTION 'that should have been refused with %, but SQLSTATE is %', expected, got;
	END IF;
END $$;
DO $$ BEGIN
	ASSERT (SELECT count(*) FROM shop.verify_store()) > 10, 'the store has no rules to keep';
	ASSERT NOT EXISTS (SELECT FROM pg_depend WHERE deptype = 'e' AND refclassid = 'pg_extension'::regclass
		AND classid = 'pg_class'::regclass), 'a table belongs to the extension';
END $$;
