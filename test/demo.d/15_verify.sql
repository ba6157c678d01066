-- Closing time. Everything is counted again from its source
\i test/demo.d/style

SELECT rule, violations FROM shop.verify_store();

\set ECHO none
DO $$ BEGIN
	ASSERT (SELECT sum(violations) FROM shop.verify_store()) = 0, 'verify_store found violations';
END $$;
