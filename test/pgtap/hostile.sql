-- Hostile input: every verb that takes arguments, with what no honest caller
-- sends.  Each is one clear error, OM012 that begins with the path or
-- PostgreSQL's own, changes nothing, and leaves the session's memory as it was.
-- placing.sql has what honest callers get wrong.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name, if_short) VALUES ('web', 'Web', 'refuse');
INSERT INTO shop.locations (code, name) VALUES ('a', 'A');
INSERT INTO shop.skus (code, name) VALUES ('sku1', 'One'), ('sku2', 'Two');
INSERT INTO shop.customers (code, name) VALUES ('c1', 'One');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('sku1', 'a', 'receipt', 1000), ('sku2', 'a', 'receipt', 1000);
SELECT order_id AS o FROM oms.place_order('shop', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "sku1", "quantity": 5, "unit_price": 1}, {"sku": "sku2", "quantity": 5, "unit_price": 1}]}') \gset
SELECT id AS f FROM shop.fulfillments WHERE order_id = :'o' \gset

-- everything that a verb could change, as one number: a store's rows, what the
-- catalog says of stores and grants, and how many there are
CREATE FUNCTION pg_temp.all_there_is() RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
	total numeric := 0;
	part numeric;
	relation regclass;
BEGIN
	FOR relation IN SELECT oid FROM pg_class WHERE relnamespace = 'shop'::regnamespace AND relkind = 'r' ORDER BY relname LOOP
		EXECUTE format('SELECT sum(hashtextextended(%L || t::text, 0)) FROM %s t', relation, relation) INTO part;
		total := total + coalesce(part, 0);
	END LOOP;
	SELECT total + sum(hashtextextended(n::text, 0)) INTO total FROM pg_namespace n WHERE nspname NOT LIKE 'pg\_%';
	SELECT total + sum(hashtextextended(relname || relhastriggers || coalesce(relacl::text, ''), 0)) INTO total FROM pg_class WHERE relnamespace = 'shop'::regnamespace;
	RETURN total + (SELECT count(*) FROM pg_proc WHERE pronamespace <> pg_my_temp_schema()) + (SELECT count(*) FROM pg_trigger) + (SELECT count(*) FROM pg_authid);
END $$;

-- what a statement ends in; an error undoes what the statement did, so changed
-- speaks of those that succeed, and of what errors would leave behind
CREATE FUNCTION pg_temp.attempt(statement text, OUT state text, OUT message text, OUT path text) LANGUAGE plpgsql AS $$
DECLARE
	details text;
BEGIN
	EXECUTE statement;
	state := '00000';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, details = PG_EXCEPTION_DETAIL;
	IF state = 'OM012' THEN
		path := details::jsonb -> 0 ->> 'path';
	END IF;
END $$;
-- ---- every key of an order document, with everything that does not fit it

CREATE TEMP TABLE keys (path text, kind text);
INSERT INTO keys VALUES ('channel', 'code'), ('external_ref', 'reference'), ('ordered_at', 'time'), ('requested_at', 'time'), ('currency', 'code'), ('tax_included', 'boolean'), ('customer', 'code'),
	('customer.code', 'word'), ('customer.name', 'text'), ('customer.email', 'text'), ('customer.phone', 'text'), ('customer.attributes', 'attributes'),
	('ship_to', 'address'), ('bill_to', 'address'), ('po_number', 'reference'), ('priority', 'integer'), ('ship_complete', 'boolean'), ('if_short', 'code'), ('source_order', 'code'),
	('source_kind', 'code'), ('lines', 'lines'), ('charges', 'array'), ('holds', 'array'), ('stock_hold', 'reference'), ('payments', 'array'), ('total', 'code'), ('attributes', 'attributes'),
	('lines[1]', 'element'), ('lines[1].external_ref', 'reference'), ('lines[1].line', 'number'), ('lines[1].parent', 'parent'), ('lines[1].sku', 'code'), ('lines[1].quantity', 'quantity'),
	('lines[1].unit_price', 'money'), ('lines[1].discount', 'discount'), ('lines[1].tax', 'money'), ('lines[1].description', 'text'), ('lines[1].method', 'code'), ('lines[1].location', 'code'),
	('lines[1].pickup_location', 'code'), ('lines[1].ship_to', 'address'), ('lines[1].ship_group', 'word'), ('lines[1].requested_at', 'time'), ('lines[1].attributes', 'attributes'),
	('charges[0]', 'element'), ('charges[0].kind', 'code'), ('charges[0].label', 'text'), ('charges[0].amount', 'money'), ('charges[0].tax', 'money'),
	('holds[0]', 'element'), ('holds[0].kind', 'code'), ('holds[0].reason', 'text'), ('holds[0].expires_at', 'time'),
	('payments[0]', 'element'), ('payments[0].method', 'word'), ('payments[0].kind', 'code'), ('payments[0].amount', 'price'), ('payments[0].gateway_ref', 'reference'),
	('ship_to.country', 'code'), ('ship_to.latitude', 'degrees'), ('lines[1].ship_to.longitude', 'degrees');
INSERT INTO keys SELECT 'bill_to.' || key, 'text' FROM unnest(ARRAY['name', 'company', 'line1', 'line2', 'city', 'region', 'postal_code', 'phone', 'email']) AS key;

CREATE TEMP TABLE hostile (value jsonb);
INSERT INTO hostile SELECT unnest(ARRAY['true', 'false', '0', '1', '-1', '0.5', '-0.00001', '1e300', '-1e300', '1e-300', '1e130000', '9223372036854775808', '-9223372036854775809',
	'2147483648', '1000000000001', '1000000000000000', '123456789012345678901234567890.123456789', '"NaN"', '"Infinity"', '"-Infinity"', '"infinity"', '""', '" "', '"1"', '"true"',
	'"\u0001"', '"\u202e"', '"''; DROP TABLE shop.orders; --"', '"sku1 "', '"SKU1"', '[]', '[[]]', '[null]', '{}', '{"": 1}', '{"a": {}}',
	'"2026-02-30"', '"2026-13-01"', '"0000-00-00"', '"294277-01-01"', '"2026-11-27 25:00"', '"2026-11-27 09:30+99"', '"99999999999-01-01"', '"4714-11-23 BC"', '"12:00"',
	'"2026-11-27T09:30:00Z and more"']::jsonb[])
UNION ALL SELECT to_jsonb(repeat(c, n)) FROM unnest(ARRAY['x', 'é']) AS c, unnest(ARRAY[65, 201, 1001, 100000]) AS n
UNION ALL SELECT (repeat('[', 1000) || repeat(']', 1000))::jsonb
UNION ALL SELECT (repeat('{"a":', 1000) || '1' || repeat('}', 1000))::jsonb;

-- whether a value is one that a key of this kind takes; 'code' takes none of these
CREATE FUNCTION pg_temp.fits(kind text, v jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	RETURN CASE kind WHEN 'boolean' THEN jsonb_typeof(v) = 'boolean' WHEN 'text' THEN jsonb_typeof(v) = 'string' AND length(v #>> '{}') <= 1000
		WHEN 'reference' THEN jsonb_typeof(v) = 'string' AND length(v #>> '{}') BETWEEN 1 AND 200 WHEN 'word' THEN jsonb_typeof(v) = 'string' AND length(v #>> '{}') BETWEEN 1 AND 64
		WHEN 'integer' THEN jsonb_typeof(v) = 'number' AND v::numeric = trunc(v::numeric) AND v::numeric BETWEEN -2147483648 AND 2147483647
		WHEN 'quantity' THEN v = ANY (ARRAY['1', '2147483648']::jsonb[]) WHEN 'parent' THEN v = '1' WHEN 'discount' THEN v = ANY (ARRAY['0', '1', '0.5']::jsonb[])
		WHEN 'money' THEN v = ANY (ARRAY['0', '1', '0.5', '2147483648', '1000000000001']::jsonb[])
		WHEN 'price' THEN v = ANY (ARRAY['1', '0.5', '2147483648', '1000000000001']::jsonb[])
		WHEN 'degrees' THEN jsonb_typeof(v) = 'number' AND abs(v::numeric) <= 90
		WHEN 'attributes' THEN v = ANY (ARRAY['{}', '{"": 1}', '{"a": {}}']::jsonb[]) WHEN 'address' THEN v = '{}' WHEN 'array' THEN v = '[]' WHEN 'lines' THEN v = '[]' ELSE false END;
END $$;
CREATE FUNCTION pg_temp.template() RETURNS jsonb LANGUAGE sql AS $$ SELECT '{"channel": "web", "currency": "EUR", "total": 12, "customer": {"code": "c1"}, "ship_to": {}, "bill_to": {},
	"lines": [{"sku": "sku1", "quantity": 1, "unit_price": 5}, {"sku": "sku2", "quantity": 1, "unit_price": 5, "ship_to": {}}],
	"charges": [{"kind": "fee", "amount": 2}], "holds": [{"kind": "manual"}]}'::jsonb $$;
CREATE FUNCTION pg_temp.call(document jsonb) RETURNS text LANGUAGE sql AS $$ SELECT format('SELECT * FROM oms.place_order(''shop'', %L)', $1) $$;
-- the template with a value at a path; total goes, unless it is what is tried
CREATE FUNCTION pg_temp.document(path text, v jsonb) RETURNS jsonb LANGUAGE sql
AS $$ SELECT jsonb_set(CASE WHEN $1 = 'total' THEN pg_temp.template() WHEN $1 LIKE 'payments[%' THEN pg_temp.template() - 'total' || '{"payments": [{"method": "card", "kind": "sale", "amount": 1}]}'
	ELSE pg_temp.template() - 'total' END, string_to_array(translate(replace($1, '[', '.'), ']', ''), '.'), $2) $$;


SELECT is((pg_temp.attempt(pg_temp.call(pg_temp.template()))).state, '00000', 'the document as such is good');
SELECT pg_temp.all_there_is() AS before \gset
CREATE TEMP TABLE outcomes AS SELECT k.path, value, x.state, x.message, x.path AS said
	FROM keys k, hostile, pg_temp.attempt(pg_temp.call(pg_temp.document(k.path, value))) AS x WHERE NOT pg_temp.fits(kind, value);
SELECT is((SELECT string_agg(left(concat_ws(' ', value, state, message), 200), E'\n') FROM outcomes o WHERE o.path = k.path
	AND (state IS DISTINCT FROM 'OM012' OR NOT starts_with(message, path) OR NOT starts_with(said, path) OR length(message) > 250)), NULL,
	format('%s: %s values that do not fit', path, (SELECT count(*) FROM outcomes o WHERE o.path = k.path))) FROM keys k;

-- keys that there are not, at every place
CREATE TEMP TABLE unknown AS SELECT place, x.* FROM unnest(ARRAY['', 'customer', 'ship_to', 'bill_to', 'lines.1', 'lines.1.ship_to', 'charges.0', 'holds.0']) AS place,
	unnest(ARRAY['', ' ', 'CHANNEL', 'sku ', 'lines[0]', 'a"b', E'a\nb', '__proto__', repeat('x', 100000), repeat('é', 1000)]) AS key,
	pg_temp.attempt(pg_temp.call(jsonb_set(pg_temp.template(), array_append(CASE place WHEN '' THEN '{}' ELSE string_to_array(place, '.') END, key), '1'))) AS x;
SELECT is((SELECT string_agg(concat_ws(' ', place, state, left(message, 200)), E'\n') FROM unknown WHERE state <> 'OM012' OR message NOT LIKE '%: unknown key' OR length(message) > 250
	OR NOT starts_with(path, replace(regexp_replace(place, '\.(\d)', '[\1]'), '..', '.'))), NULL, 'keys that there are not');

-- ---- numbers of things, and sizes

CREATE FUNCTION pg_temp.attempt_document(document jsonb, OUT state text, OUT message text) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM oms.place_order('shop', document);
	state := '00000';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
END $$;
CREATE FUNCTION pg_temp.many(element jsonb, n integer) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_agg($1) FROM generate_series(1, $2) $$;
-- the most that this process has ever had in memory, in MB; 0 where nobody tells
CREATE FUNCTION pg_temp.peak() RETURNS integer LANGUAGE sql
AS $$ SELECT CASE WHEN pg_stat_file('/proc/self/status', true) IS NULL THEN 0 ELSE (substring(pg_read_file('/proc/self/status') FROM 'VmHWM:\s*(\d+)'))::integer / 1024 END $$;
CREATE FUNCTION pg_temp.held() RETURNS bigint LANGUAGE sql AS $$ SELECT sum(total_bytes)::bigint / 1048576 FROM pg_backend_memory_contexts $$;
CREATE TEMP TABLE sizes (what text, message text, document jsonb);
ALTER TABLE sizes ALTER document SET STORAGE EXTERNAL;
INSERT INTO sizes VALUES
	('10,001 lines', 'lines: has 10001 elements, more than 10000', pg_temp.document('lines', pg_temp.many('{"sku": "sku1", "quantity": 1, "unit_price": 1}', 10001))),
	('100,001 lines', 'lines: has 100001 elements, more than 10000', pg_temp.document('lines', pg_temp.many('{"sku": "sku1", "quantity": 1, "unit_price": 1}', 100001))),
	('10,001 charges', 'charges: has 10001 elements, more than 10000', pg_temp.document('charges', pg_temp.many('{"kind": "fee", "amount": 1}', 10001))),
	('101 holds', 'holds: has 101 elements, more than 100', pg_temp.document('holds', pg_temp.many('{"kind": "manual"}', 101))),
	('101 payments', 'payments: has 101 elements, more than 100', pg_temp.document('payments', pg_temp.many('{"method": "card", "kind": "sale", "amount": 1}', 101))),
	('more money than can be counted', 'payments[1].amount: the payments would come to more than 999999999999999', pg_temp.document('payments', pg_temp.many('{"method": "card", "kind": "sale", "amount": 999999999999999}', 2))),
	('a line number 10,000 times', 'lines[1].line: line 7 is there twice', pg_temp.document('lines', pg_temp.many('{"sku": "sku1", "quantity": 1, "unit_price": 1, "line": 7}', 10000))),
	('a total that no column holds', 'lines[999].unit_price: the order would come to more than 999999999999999', pg_temp.document('lines', pg_temp.many('{"sku": "sku1", "quantity": 1000000000000, "unit_price": 1}', 1000))),
	('a key with 100,000 keys', 'ship_to.k1: unknown key', pg_temp.document('ship_to', (SELECT jsonb_object_agg('k' || n, n) FROM generate_series(1, 100000) n))),
	('17 million characters', 'document: is larger than 16 MB', pg_temp.document('attributes', jsonb_build_object('a', repeat('x', 17000000)))),
	('100 million characters', 'document: is larger than 16 MB', pg_temp.document('attributes', jsonb_build_object('a', repeat('x', 100000000)))),
	('a million values', '', pg_temp.document('attributes', jsonb_build_object('a', pg_temp.many('true', 1000000)))),
	('numbers that are gigabytes written out', 'document: is larger than 16 MB', pg_temp.document('attributes', jsonb_build_object('a', pg_temp.many('1e130000', 300)))),
	('the same, one a line', 'document: is larger than 16 MB', pg_temp.document('lines', pg_temp.many('{"sku": "sku1", "quantity": 1, "unit_price": 1, "attributes": {"a": 1e130000}}', 300))),
	('attributes 33 deep', 'attributes: is nested more than 32 levels deep', pg_temp.document('attributes', (repeat('{"a":', 33) || '1' || repeat('}', 33))::jsonb)),
	('attributes 5,000 deep', 'attributes: is nested more than 32 levels deep', pg_temp.document('attributes', (repeat('{"a":', 5000) || '1' || repeat('}', 5000))::jsonb)),
	('arrays 5,000 deep', 'lines[0]: must be an object', pg_temp.document('lines', (repeat('[', 5000) || repeat(']', 5000))::jsonb));
SELECT pg_temp.peak() AS peak, pg_temp.held() AS held \gset
CREATE TEMP TABLE sized AS SELECT what, s.message AS expected, x.state, x.message FROM sizes s, pg_temp.attempt_document(document) AS x WHERE s.message <> '';
SELECT is(state || ' ' || message, 'OM012 ' || expected, what) FROM sized;
SELECT cmp_ok(pg_temp.peak() - :peak, '<', 250, 'they took no more memory than a few times 100 MB, which the largest has itself');
SELECT cmp_ok(pg_temp.held() - :held, '<=', 1::bigint, 'and gave it back');
SELECT is(pg_temp.all_there_is(), :before::numeric, 'nothing of all these changed anything');
SELECT pg_temp.peak() AS peak, pg_temp.held() AS held \gset
SAVEPOINT large;
SELECT is(x.state, '00000', 'a latitude nearer to 0 than a double precision comes is 0') FROM pg_temp.attempt_document(pg_temp.document('ship_to.latitude', '1e-400')) AS x;
SELECT is(x.state, '00000', 'a million values in attributes are an order') FROM sizes, pg_temp.attempt_document(document) AS x WHERE what = 'a million values';
ROLLBACK TO large;
SELECT cmp_ok(pg_temp.peak() - :peak, '<', 250, 'which takes no such memory either');
SELECT cmp_ok(pg_temp.held() - :held, '<=', 1::bigint, 'and none for good');

-- ---- every other argument of every verb

CREATE TEMP TABLE tries (verb text, arguments text, state text, message text);	-- message: a regular expression
-- stores that there are not
INSERT INTO tries SELECT verb, format(arguments, quote_literal(name)), 'OM010', '^store ".*" does not exist$|^schema ".*" is not a store$' FROM (VALUES ('place_order', '%s, ''{}'''),
	('cancel_lines', '%s, ''' || :'o' || ''''), ('split_fulfillment', '%s, ''' || :'f' || ''', ''[]'''), ('change_delivery', '%s, ''' || :'o' || ''''), ('merge_fulfillments', '%s, ''{}'''), ('short_pick', '%s, ''' || :'f' || ''', ''[]'''), ('record_carrier_events', '%s, ''{}'''), ('grant_store', '%s, ''postgres'', ''clerk'''), ('next_moves', '%s, ''order'', ''' || :'o' || ''''), ('plan_order', '%s, ''' || :'o' || ''''), ('plan_wave', '%s'), ('explain_plan', '%s, ''' || :'o' || ''''), ('quote', '%s, ''{}'''), ('tick', '%s'), ('set_stock', '%s, ''{}'''), ('repair_store', '%s'), ('upgrade_store', '%s'), ('verify_store', '%s'), ('events_after', '%s'), ('begin_import', '%s'), ('to_mermaid', '%s, ''standard'''),
	('receive_inbound', '%s, ''' || :'o' || ''''), ('availability', '%s, ''{sku1}'''), ('available_to_promise', '%s, ''sku1'', 1'), ('explain_source', '%s, ''sku1'', ''a''')) AS v(verb, arguments),
	unnest(ARRAY['', ' ', 'nowhere', 'SHOP', 'shop ', '"shop"', 'shop.orders', 'public', 'pg_catalog', 'oms', 'information_schema', 'pg_toast', repeat('x', 63), repeat('x', 100000), repeat('é', 40),
		'shop''; DROP SCHEMA shop CASCADE; --', E'shop\nx', '%s', '$1', E'\u202e']) AS name;
INSERT INTO tries SELECT verb, arguments, '22004', 'null' FROM (VALUES ('place_order', 'NULL, ''{}'''), ('place_order', '''shop'', NULL'), ('cancel_lines', 'NULL, ''' || :'o' || ''''), ('cancel_lines', '''shop'', NULL'),
	('next_moves', 'NULL, ''order'', ''' || :'o' || ''''), ('plan_order', 'NULL, ''' || :'o' || ''''), ('explain_plan', 'NULL, ''' || :'o' || ''''), ('plan_order', '''shop'', NULL'), ('explain_plan', '''shop'', NULL'), ('quote', 'NULL, ''{}'''), ('quote', '''shop'', NULL'), ('plan_wave', 'NULL'), ('plan_wave', '''shop'', budget => NULL'), ('next_moves', '''shop'', NULL, ''' || :'o' || ''''), ('next_moves', '''shop'', ''order'', NULL'), ('tick', 'NULL'), ('tick', '''shop'', NULL'), ('set_stock', 'NULL, ''{}'''), ('set_stock', '''shop'', NULL'), ('repair_store', 'NULL'),
	('change_delivery', 'NULL, ''' || :'o' || ''''), ('change_delivery', '''shop'', NULL'), ('merge_fulfillments', 'NULL, ''{}'''), ('merge_fulfillments', '''shop'', NULL'), ('short_pick', 'NULL, ''' || :'f' || ''', ''[]'''), ('short_pick', '''shop'', NULL, ''[]'''), ('short_pick', '''shop'', ''' || :'f' || ''', NULL'), ('record_carrier_events', 'NULL, ''{}'''), ('record_carrier_events', '''shop'', NULL'), ('split_fulfillment', 'NULL, ''' || :'f' || ''', ''[]'''), ('split_fulfillment', '''shop'', NULL, ''[]'''), ('split_fulfillment', '''shop'', ''' || :'f' || ''', NULL'), ('upgrade_store', 'NULL'), ('verify_store', 'NULL'), ('events_after', 'NULL'), ('begin_import', 'NULL'), ('to_mermaid', 'NULL, ''standard'''), ('to_mermaid', '''shop'', NULL'),
	('grant_store', 'NULL, ''postgres'', ''clerk'''), ('receive_inbound', 'NULL, ''' || :'o' || ''''), ('receive_inbound', '''shop'', NULL'), ('availability', 'NULL, ''{sku1}'''), ('availability', '''shop'', NULL'), ('availability', '''shop'', ''{NULL}'''),
	('available_to_promise', 'NULL, ''sku1'', 1'), ('available_to_promise', '''shop'', NULL, 1'), ('available_to_promise', '''shop'', ''sku1'', NULL'),
	('explain_source', 'NULL, ''sku1'', ''a'''), ('explain_source', '''shop'', NULL, ''a'''), ('explain_source', '''shop'', ''sku1'', NULL')) AS v(verb, arguments);
INSERT INTO tries VALUES
	('create_store', 'NULL', '22004', 'needs a name'), ('create_store', '''''', '22004', 'needs a name'), ('create_store', '''shop''', '42P06', 'already exists'), ('create_store', '''oms''', '42P06', 'already exists'),
	('create_store', '''pg_x''', '42939', 'unacceptable schema name'), ('create_store', 'repeat(''x'', 64)', '42622', 'at most 63 bytes'), ('create_store', 'repeat(''é'', 32)', '42622', 'at most 63 bytes'),
	('create_store', 'repeat(''x'', 100000)', '42622', 'at most 63 bytes'),
	('grant_store', '''shop'', ''postgres'', NULL', '22004', 'null'), ('grant_store', '''shop'', ''postgres'', ''''', '22023', 'unknown level ""'), ('grant_store', '''shop'', ''postgres'', ''owner''', '22023', 'unknown level "owner"'),
	('grant_store', '''shop'', ''postgres'', ''CLERK''', '22023', 'unknown level'), ('grant_store', '''shop'', ''nobody_there'', ''clerk''', '42704', 'role "nobody_there" does not exist'),
	('grant_store', '''shop'', ''postgres; DROP SCHEMA shop'', ''clerk''', '42704', 'does not exist'), ('grant_store', '''shop'', repeat(''x'', 100000), ''clerk''', '42704', 'does not exist'),
	('grant_store', '''shop'', E''a\nb"'', ''clerk''', '42704', 'does not exist'),
	('receive_inbound', '''shop'', ''x''', '22P02', 'uuid'), ('receive_inbound', '''shop'', ''00000000-0000-0000-0000-000000000000''', 'OM012', '^inbound_id: unknown inbound'),
	('receive_inbound', '''shop'', ''00000000-0000-0000-0000-000000000000'', 0', '22023', '^quantity must be'), ('receive_inbound', '''shop'', ''00000000-0000-0000-0000-000000000000'', 9223372036854775807', '22023', '^quantity must be'),
	('availability', '''shop'', ''{nothing}''', '22023', '^unknown sku "nothing"$'), ('availability', '''shop'', ARRAY[repeat(''x'', 100000)]', '22023', '^unknown sku "x+"$'), ('availability', '''shop'', ''{sku1}'', ''''', '22023', '^unknown channel ""$'),
	('availability', '''shop'', ''{sku1}'', NULL, E''a
b"''', '22023', '^unknown location'), ('availability', '''shop'', ARRAY[ARRAY[''sku1'', ''nothing'']]', '22023', '^unknown sku "nothing"$'),
	('available_to_promise', '''shop'', ''nothing'', 1', '22023', '^unknown sku "nothing"$'), ('available_to_promise', '''shop'', ''sku1'', -9223372036854775808', '22023', '^quantity must be'),
	('available_to_promise', '''shop'', ''sku1'', 1, repeat(''x'', 100000)', '22023', '^unknown channel "x+"$'),
	('explain_source', '''shop'', ''nothing'', ''a''', '22023', '^unknown sku "nothing"$'), ('explain_source', '''shop'', ''sku1'', repeat(''x'', 100000)', '22023', '^unknown location "x+"$'),
	('explain_source', '''shop'', ''sku1'', ''a'', ''''', '22023', '^unknown method ""$'), ('explain_source', '''shop'', ''sku1'', ''a'', NULL, ''nothing''', '22023', '^unknown channel "nothing"$'),
	('cancel_lines', '''shop'', ''x''', '22P02', 'uuid'), ('cancel_lines', '''shop'', ''00000000-0000-0000-0000-000000000000''', 'OM012', '^order_id: unknown order'),
	('cancel_lines', format('''shop'', %L', :'f'), 'OM012', '^order_id: unknown order'), ('cancel_lines', format('''shop'', %L, NULL, ''''', :'o'), 'OM012', '^reason: unknown reason ""'),
	('cancel_lines', format('''shop'', %L, NULL, ''no such''', :'o'), 'OM012', '^reason: unknown reason "no such"'), ('cancel_lines', format('''shop'', %L, NULL, repeat(''x'', 100000)', :'o'), 'OM012', '^reason: unknown reason'),
	('change_delivery', '''shop'', ''00000000-0000-0000-0000-000000000000'', method => ''ship''', 'OM012', '^order_id: unknown order'), ('change_delivery', format('''shop'', %L, method => repeat(''x'', 100000)', :'o'), 'OM012', '^method: unknown method "x{64}"$'),
	('change_delivery', format('''shop'', %L, ship_to => ''"zzzzzzzz-zzzz-zzzz-zzzz-zzzzzzzzzzzz"''', :'o'), '22P02', 'uuid'), ('change_delivery', format('''shop'', %L, ship_to => to_jsonb(repeat(''x'', 100000))', :'o'), 'OM012', '^ship_to: must be an address'),
	('change_delivery', format('''shop'', %L, ship_to => ''[]''', :'o'), 'OM012', '^ship_to: must be an object'), ('change_delivery', format('''shop'', %L, ship_to => jsonb_build_object(''city'', repeat(''x'', 100000))', :'o'), 'OM012', '^ship_to.city: is longer'),
	('merge_fulfillments', '''shop'', ''x''', '22P02', 'array'), ('merge_fulfillments', '''shop'', ''{}''', 'OM012', '^fulfillment_ids: must name two'), ('merge_fulfillments', '''shop'', ''{00000000-0000-0000-0000-000000000000,NULL}''', 'OM012', '^fulfillment_ids\[1\]: must not be null'),
	('merge_fulfillments', '''shop'', ''{00000000-0000-0000-0000-000000000000,00000000-0000-0000-0000-000000000000}''', 'OM012', 'is there twice'), ('merge_fulfillments', '''shop'', ''{00000000-0000-0000-0000-000000000000,00000000-0000-0000-0000-000000000001}''', 'OM012', '^fulfillment_ids\[0\]: unknown fulfillment'),
	('merge_fulfillments', '''shop'', (SELECT array_agg(oms.uuid7()) FROM generate_series(1, 10001))', 'OM012', 'more than 10000'), ('merge_fulfillments', '''shop'', ''{{00000000-0000-0000-0000-000000000000},{00000000-0000-0000-0000-000000000001}}''', 'OM012', '^fulfillment_ids\[0\]: unknown fulfillment'),
	('short_pick', '''shop'', ''00000000-0000-0000-0000-000000000000'', ''[{"line": 1, "quantity": 1}]''', 'OM012', '^fulfillment_id: unknown fulfillment'), ('short_pick', '''shop'', ''00000000-0000-0000-0000-000000000000'', ''[]''', 'OM012', '^lines: is empty'),
	('short_pick', format('''shop'', %L, ''[{"line": 1, "quantity": 1}]'', repeat(''x'', 100000)', :'f'), 'OM012', '^reason: unknown reason "x{64}"$|has 0 units'),
	('record_carrier_events', '''shop'', ''[]''', 'OM012', '^document: must be an object'), ('record_carrier_events', '''shop'', jsonb_build_object(''carrier'', repeat(''x'', 100000), ''events'', ''[]''::jsonb)', 'OM012', '^carrier: is longer'),
	('record_carrier_events', '''shop'', jsonb_build_object(''carrier'', ''x'', ''events'', (SELECT jsonb_agg(1) FROM generate_series(1, 100001)))', 'OM012', '^events: has 100001 elements, more than 100000$'), ('record_carrier_events', '''shop'', ''{"carrier": "x", "events": [[[]]]}''', 'OM012', '^events\[0\]: must be an object'),
	('split_fulfillment', '''shop'', ''x'', ''[]''', '22P02', 'uuid'), ('split_fulfillment', '''shop'', ''00000000-0000-0000-0000-000000000000'', ''[{"line": 1, "quantity": 1}]''', 'OM012', '^fulfillment_id: unknown fulfillment'),
	('split_fulfillment', format('''shop'', %L, ''[{"line": 1, "quantity": 1}]''', :'o'), 'OM012', '^fulfillment_id: unknown fulfillment'),
	('place_order', '''shop'', ''{"channel": "\u0000"}''', '22P05', 'Unicode'), ('place_order', '''shop'', ''{''', '22P02', 'json'), ('place_order', '''shop'', ''''', '22P02', 'json'), ('place_order', '''shop'', ''NaN''', '22P02', 'json'),
	('place_order', '''shop'', ''{"a": NaN}''', '22P02', 'json'), ('place_order', '''shop'', (repeat(''['', 1000000))::jsonb', '54001', 'stack depth'), ('place_order', '''shop'', ''{"total": 1e1000000}''', '22003', 'overflow|out of range'),
	('place_order', '''shop'', convert_from(''\xff'', ''UTF8'')::jsonb', '22021', 'invalid byte sequence'), ('place_order', 'convert_from(''\x00'', ''UTF8''), ''{}''', '22021', 'invalid byte sequence'),
	('to_mermaid', '''shop'', ''''', '22023', '^store "shop" has no workflow ""$'), ('to_mermaid', '''shop'', repeat(''x'', 100000)', '22023', '^store "shop" has no workflow "x{64}"$'), ('events_after', '''shop'', repeat(''1'', 100000)', '22023', '^"1{64}" is no position$'),
	('next_moves', '''shop'', ''order'', ''x''', '22P02', 'uuid'), ('plan_order', '''shop'', ''x''', '22P02', 'uuid'), ('plan_wave', '''shop'', ''x''', '22P02', 'array'), ('plan_wave', '''shop'', ''{NULL}''', 'OM012', '^order_ids: must not have a null'), ('plan_wave', '''shop'', (SELECT array_agg(oms.uuid7()) FROM generate_series(1, 100000))', 'OM012', '^order_ids: unknown order'), ('plan_wave', '''shop'', ''{{00000000-0000-0000-0000-000000000000}}''', 'OM012', '^order_ids: unknown order'), ('plan_wave', '''shop'', budget => ''-178000000 years''', '22023', '^budget must be more'), ('plan_wave', '''shop'', ''{}''', '00000', NULL), ('wave_progress', 'NULL', '00000', NULL), ('wave_progress', 'repeat(''x'', 100000)', '00000', NULL), ('wave_progress', '''.*''', '00000', NULL), ('explain_plan', '''shop'', ''x''', '22P02', 'uuid'), ('plan_order', '''shop'', ''00000000-0000-0000-0000-000000000000''', 'OM012', '^order_id: unknown order'), ('explain_plan', '''shop'', ''00000000-0000-0000-0000-000000000000''', 'OM012', '^order_id: unknown order'),
	('next_moves', '''shop'', ''order'', ''00000000-0000-0000-0000-000000000000''', 'OM012', '^id: unknown order'),
	('next_moves', format('''shop'', ''fulfillment'', %L', :'o'), 'OM012', '^id: unknown fulfillment'), ('next_moves', format('''shop'', '''', %L', :'o'), '22023', '^unknown entity ""$'),
	('next_moves', format('''shop'', ''Order'', %L', :'o'), '22023', 'unknown entity'), ('next_moves', format('''shop'', repeat(''é'', 100000), %L', :'o'), '22023', '^unknown entity "é{32}"$'),
	('tick', '''shop'', 0', '22023', 'max_rows must be 1 or more'), ('tick', '''shop'', -9223372036854775808', '22023', 'max_rows'), ('tick', '''shop'', 9223372036854775807', '00000', NULL), ('tick', '''shop'', 9223372036854775808', '42883', 'does not exist'),
	('hold_stock', '''shop'', '''', ''[]''', 'OM012', '^ref: '), ('hold_stock', '''shop'', repeat(''é'', 201), ''[]''', 'OM012', '^ref: '), ('hold_stock', '''shop'', ''r'', ''[]'', ''0''', '22023', 'more than no time'),
	('hold_stock', '''shop'', ''r'', pg_temp.many(''{"sku": "sku1", "quantity": 1000000000000}'', 10000)', 'OM003', 'wants 1000000000000, '), ('hold_stock', '''nowhere'', ''r'', ''[]''', 'OM010', NULL),
	('extend_hold', '''shop'', ''''', 'OM012', '^ref: '), ('extend_hold', '''shop'', ''r'', ''infinity''', '22007', 'invalid input'), ('extend_hold', '''shop'', ''r'', ''178000000 years''', '22023', 'at most 366 days'),
	('release_hold', '''shop'', ''''', 'OM012', '^ref: '), ('release_hold', '''shop'', repeat(''x'', 100000)', 'OM012', '^ref: '),
	('hold_stock', '''shop'', ''r'', ''[{"sku": "sku1", "quantity": 1}]'', ''1 hour'', repeat(''x'', 100000)', 'OM012', '^channel: unknown channel "x{64}"$'), ('hold_stock', '''shop'', ''r'', pg_temp.many(''{"sku": "sku1", "quantity": 1}'', 10001)', 'OM012', '^items: has 10001'),
	('hold_stock', '''shop'', ''r'', ''[{"sku": "sku1", "quantity": 1}]'', ''367 days''', '22023', 'at most 366 days'), ('hold_stock', '''shop'', ''r'', ''[{"sku": "sku1", "quantity": 1}]'', ''-1 month''', '22023', 'more than no time'),
	('set_stock', '''shop'', ''{"ref": "\u0000"}''', '22P05', 'Unicode'), ('set_stock', '''shop'', ''[]''', 'OM012', '^document: must be an object$'), ('set_stock', '''shop'', jsonb_build_object(repeat(''x'', 100000), 1)', 'OM012', '^x{64}: unknown key$'),
	('set_stock', '''shop'', jsonb_build_object(''ref'', repeat(''x'', 1000000))', 'OM012', '^ref: is longer than 200 characters$'), ('set_stock', '''shop'', ''{"ref": "r", "location": "a", "sequence": 1e100000, "basis": "on_hand", "items": []}''', 'OM012', '^sequence: '),
	('set_stock', '''shop'', ''{"ref": "r", "location": "a", "sequence": 1, "basis": "on_hand", "items": [{"sku": "sku1", "quantity": 1e-400}]}''', 'OM012', '^items\[0\].quantity: '), ('set_stock', '''shop'', ''{"ref": "r", "location": "a", "sequence": 1, "basis": "on_hand", "items": [[[]]]}''', 'OM012', '^items\[0\]: must be an object'),
	('set_stock', '''shop'', jsonb_build_object(''ref'', ''r'', ''location'', ''a'', ''sequence'', 1, ''basis'', ''on_hand'', ''items'', (SELECT jsonb_agg(1) FROM generate_series(1, 1000001)))', 'OM012', '^items: has 1000001 elements, more than 1000000$'),
	('set_stock', '''shop'', jsonb_build_object(''ref'', ''r'', ''location'', ''a'', ''sequence'', 1, ''basis'', ''on_hand'', ''x'', repeat(''x'', 17000000))', 'OM012', '^x: unknown key$'),
	('set_stock', '''shop'', jsonb_build_object(''ref'', ''r'', ''location'', ''a'', ''sequence'', 1, ''basis'', ''on_hand'', ''items'', (SELECT jsonb_agg(jsonb_build_object(''sku'', ''sku1'', ''quantity'', 1)) FROM generate_series(1, 400000)))', 'OM012', '16 MB|is there twice'),
	('uuid7_at', '''infinity''', '22008', 'out of range'), ('uuid7_at', '''-infinity''', '22008', 'out of range'), ('uuid7_at', '''1969-12-31 23:59:59+00''', '22008', 'out of range'), ('uuid7_at', '''294276-12-31''', '22008', 'out of range'),
	('uuid7_at', '''2026-02-30''', '22008', 'out of range'), ('uuid7_at', '''x''', '22007', 'invalid input'), ('uuid7_at', 'NULL', '00000', NULL),
	('allows', '''initial a'', ''a'', ''b''', '22023', 'has no state "b"'), ('allows', '''initial a'', ''A'', ''a''', '22023', 'has no state "A"'), ('allows', '''initial a'', ''a'', ''''', '22023', 'has no state ""'),
	('allows', '''initial a'', ''a'', E''a\n''', '22023', 'has no state'), ('allows', '''initial a'', NULL, ''a''', '00000', NULL), ('allows', '''initial a'', repeat(''é'', 100000), ''a''', '22023', '^workflow has no state "é{32}"$'),
	('next_states', '''initial a'', ''b''', '22023', 'has no state "b"'), ('next_states', '''initial a'', repeat(''x'', 100000)', '22023', '^workflow has no state "x{64}"$'), ('next_states', 'NULL, ''b''', '00000', NULL),
	('workflow_hash_extended', '''initial a'', 9223372036854775807', '00000', NULL), ('workflow_hash_extended', '''initial a'', -9223372036854775808', '00000', NULL),
	('workflow_is_readable', 'NULL', '00000', NULL), ('workflow_is_readable', '''''', '00000', NULL), ('workflow_is_readable', 'repeat(''x'', 100000)', '00000', NULL), ('workflow_is_readable', 'repeat(''('', 100000)', '00000', NULL),
	('lint', '''initial a'', ''invoice''', '22023', '^unknown entity "invoice"$'), ('lint', 'NULL, ''order''', '00000', NULL), ('lint', '''initial a'', NULL', '00000', NULL), ('lint', '''initial a'', repeat(''x'', 100000)', '22023', '^unknown entity'),
	('replace_workflow', '''shop'', NULL, ''initial a''', '22004', NULL), ('replace_workflow', '''shop'', ''nix'', ''initial a''', 'OM004', 'does not exist'), ('replace_workflow', '''shop'', ''counter'', ''initial''', '22P02', 'line 1'),
	('replace_workflow', '''shop'', ''counter'', repeat(''x'', 100000)', '54000', NULL), ('replace_workflow', '''shop'', ''counter'', ''initial open; open -> x do release; final x'', ''[]''', '22023', '^map must be an object'),
	('replace_workflow', '''shop'', ''counter'', ''initial open; open -> x do release; final x'', ''1''', '22023', '^map must be an object'), ('replace_workflow', '''shop'', ''counter'', ''initial open; open -> x do release; final x'', ''{"open": {"x": 1}}''', '22023', 'for "open"'),
	('replace_workflow', '''shop'', ''counter'', ''initial open; open -> x do release; final x'', ''{"open": null}''', '22023', 'for "open"'), ('replace_workflow', '''shop'', ''counter'', ''initial open; open -> x do release; final x'', ''{"": "x"}''', '22023', 'has no state ""'),
	('replace_workflow', '''shop'', ''counter'', ''initial open; open -> x do release; final x'', ''{"open": "y"}''', '22023', 'has no state "y"'), ('replace_workflow', '''shop'', ''counter'', ''initial open; open -> x do release; final x'', jsonb_build_object(repeat(''o'', 100000), ''x'')', '22023', 'has no state "o{64}"'),
	('replace_workflow', '''nowhere'', ''counter'', ''initial a''', 'OM010', NULL),
	('workflow_in', '''''', '22P02', 'line 1, column 1'), ('workflow_in', 'NULL', '00000', NULL);
-- texts that are no workflow, wherever one is taken
INSERT INTO tries SELECT verb, replace(arguments, '$', format('(%s)::oms.workflow', source)), state, 'invalid workflow at line \d+, column \d+: '
	FROM (VALUES ('states', '$'), ('moves', '$'), ('allows', '$, ''a'', ''b'''), ('next_states', '$, ''a'''), ('to_mermaid', '$'), ('to_dot', '$'), ('workflow_out', '$'), ('workflow_send', '$'), ('workflow_hash', '$'), ('workflow_hash_extended', '$, 1'),
		('workflow_eq', '$, ''initial a'''), ('workflow_ne', '$, ''initial a'''), ('workflow_lt', '$, ''initial a'''), ('workflow_le', '$, ''initial a'''), ('workflow_ge', '$, ''initial a'''), ('workflow_gt', '$, ''initial a'''), ('workflow_cmp', '$, ''initial a''')) AS v(verb, arguments),
	(VALUES (''''' || ''''', '22P02'), ('''initial''', '22P02'), ('''initial a; initial b''', '22P02'), ('''initial a; a -> a''', '22P02'), ('''initial a; a -> b; a -> b''', '22P02'), ('''initial a; a -> b when g, g''', '22P02'), ('''initial a; final a, a''', '22P02'),
		('''initial A''', '22P02'), ('''initial auto''', '22P02'), ('''initial é''', '22P02'), ('E''initial a\x01''', '22P02'), ('''initial '' || repeat(''a'', 64)', '22P02'), ('repeat(''x'', 65537)', '54000'), ('repeat('' '', 1000000)', '54000'),
		('''initial a; a '' || (SELECT string_agg(''-> s'' || n, '' '') FROM generate_series(1, 64) n)', '54000'), ('''initial '' || repeat(''-'', 60000)', '22P02'), ('repeat(''a,'', 30000)', '54000'), ('repeat('';'', 60000)', '22P02'), ('''0''', '22P02'), ('''NaN''', '22P02')) AS t(source, state);
-- lines arguments
INSERT INTO tries SELECT verb, format('''shop'', %L, %L', id, CASE place WHEN '' THEN value ELSE jsonb_set('[{"line": 1, "quantity": 1}]', string_to_array(place, '.'), value) END), 'OM012', '^' || (ARRAY['lines', 'lines\[0\]', 'lines\[0\]\.', 'lines\[0\]\.quantity'])[n]
	FROM (VALUES ('cancel_lines', :'o'), ('split_fulfillment', :'f')) AS v(verb, id), unnest(ARRAY['', '0', '0.line', '0.quantity']) WITH ORDINALITY AS p(place, n), hostile WHERE (n < 3 OR value <> '1') AND (n > 1 OR value IS DISTINCT FROM 'null');
INSERT INTO tries SELECT verb, format('''shop'', %L, %s', id, lines), 'OM012', message FROM (VALUES ('cancel_lines', :'o'), ('split_fulfillment', :'f')) AS v(verb, id),
	(VALUES ('''[{"line": 1, "quantity": 1}, {"line": 1, "quantity": 1}]''', '^lines\[1\]\.line: line 1 is there twice'), ('''[{"line": 1, "quantity": 6}]''', '^lines\[0\]\.quantity: .* not 6'), ('''[{"line": 3, "quantity": 1}]''', '^lines\[0\]'),
		('''[{"line": 1}]''', '^lines\[0\]\.quantity: is required'), ('''[{"quantity": 1}]''', '^lines\[0\]\.line: is required'), ('''[{"line": 1, "quantity": 1, "sku": "x"}]''', '^lines\[0\]\.sku: unknown key'),
		('''[{"line": null, "quantity": 1}]''', '^lines\[0\]\.line: is required'), ('pg_temp.many(''{"line": 1, "quantity": 1}'', 10001)', '^lines: has 10001 elements, more than 10000'),
		('pg_temp.many(''{"line": 1, "quantity": 1}'', 100001)', '^lines: has 100001 elements, more than 10000')) AS t(lines, message);
-- split.sql tries each argument
INSERT INTO tries VALUES ('solve_split', 'NULL, NULL, NULL, NULL, NULL, NULL, NULL', '22004', '^quantity must not be null$'), ('solve_split', '''{}'', ''{}'', ''{}'', ''{}'', ''{}'', ''{}'', ''{}'', objective => repeat(''x'', 100000)', '22023', '"x{64}"$'),
	('solve_split', 'array_fill(1::bigint, ''{1000000}''), array_fill(1::bigint, ''{1000000}''), ''{}'', ''{}'', ''{}'', ''{}'', ''{}''', '54000', 'more than 10000'),
	('solve_split', '''{9223372036854775807}'', ''{9223372036854775807}'', ''{}'', ''{}'', ''{}'', ''{}'', ''{}''', '22003', 'add up to more');
CREATE TEMP TABLE tried AS SELECT t.*, x.state AS got, x.message AS said FROM tries t, pg_temp.attempt(format('SELECT oms.%I(%s)', verb, arguments)) AS x;
SELECT is((SELECT string_agg(left(format('%s(%s): %s %s', verb, left(arguments, 100), got, said), 300), E'\n') FROM tried t WHERE t.verb = v.verb AND (got <> state OR said !~ message)), NULL,
	format('%s: %s tries', verb, (SELECT count(*) FROM tried t WHERE t.verb = v.verb))) FROM (SELECT DISTINCT verb FROM tries ORDER BY verb) AS v;
-- what the catalog has and the table has not: functions for the engine alone,
-- and workflow_recv, whose argument SQL cannot make (see t/013_hostile.pl)
SELECT is((SELECT string_agg(p.oid::regprocedure::text, ' ' ORDER BY 1) FROM pg_proc p WHERE pronamespace = 'oms'::regnamespace AND pronargs > 0 AND proname NOT LIKE 'layout\_%' AND proname NOT LIKE 'require\_%'
	AND proname NOT IN (SELECT verb FROM tries)), 'oms.workflow_recv(internal)', 'every verb is tried');
SELECT is((SELECT string_agg(proname, ' ' ORDER BY proname) FROM pg_proc WHERE pronamespace = 'shop'::regnamespace AND proname NOT IN (SELECT verb FROM tries)), NULL, 'and those of the store are these');
SELECT is((SELECT string_agg(a, ' ') FROM unnest(ARRAY['', ', NULL']) AS a, pg_temp.attempt('SELECT shop.place_order(NULL)') AS x WHERE x.state <> '22004'), NULL, 'which refuse as they do');

-- ---- what a message repeats of a long text

SELECT is((SELECT message FROM pg_temp.attempt(statement)), message, 'at most 64 bytes: ' || left(statement, 40)) FROM (VALUES
	('SELECT oms.verify_store(repeat(''ä'', 100000))', format('store "%s" does not exist', repeat('ä', 32))),
	(format('SELECT oms.cancel_lines(''shop'', %L, NULL, repeat(''x'', 100000))', :'o'), format('reason: unknown reason "%s"', repeat('x', 64))),
	('UPDATE shop.orders SET status = repeat(''ä'', 100000)', format('order "S-1000" cannot move from "confirmed" to "%s"', repeat('ä', 32))),
	('INSERT INTO shop.orders (number, channel, currency, status) VALUES (''L-1'', ''web'', ''EUR'', repeat(''x'', 100000))', format('order "L-1" cannot begin in "%s", only in "draft"', repeat('x', 64)))) AS v(statement, message);

-- ---- arguments of triggers, settings, and plain SQL

CREATE TABLE shop.ticket (status text);
SELECT throws_ok(format('CREATE TRIGGER t BEFORE INSERT ON shop.ticket FOR EACH ROW EXECUTE FUNCTION oms.enforce_workflow(%s); INSERT INTO shop.ticket VALUES (''open'')', arguments), state, NULL, 'enforce_workflow(' || left(arguments, 60) || ')')
FROM (VALUES ('', '39P01'), ('''status''', '39P01'), ('''nothing'', ''initial open''', '42703'), ('''status'', ''''', '22P02'), ('''status'', ''initial open; open ->''', '22P02'), ('''status'', ''initial open'', ''more''', '39P01'),
	('''' || repeat('x', 1000) || ''', ''initial open''', '42703')) AS v(arguments, state);
DROP TABLE shop.ticket;
SELECT throws_ok(statement, state, NULL, left(statement, 110)) FROM (SELECT :'o' AS o, :'f' AS f) AS ids, LATERAL (VALUES
	('INSERT INTO shop.orders (channel, currency) VALUES (''web'', ''XX'')', '23514'), ('INSERT INTO shop.orders (channel, currency) VALUES (''web'', ''EURO'')', '22001'), ('INSERT INTO shop.orders (channel, currency) VALUES (''web'', ''€'')', '23514'),
	('INSERT INTO shop.orders (channel, currency, ordered_at) VALUES (''web'', ''EUR'', ''-infinity'')', '23514'), ('INSERT INTO shop.orders (channel, currency, if_short) VALUES (''web'', ''EUR'', ''x'')', '23514'),
	('INSERT INTO shop.orders (channel, currency, external_ref) VALUES (''web'', ''EUR'', repeat(''x'', 201))', '23514'), ('INSERT INTO shop.orders (channel, currency, status) VALUES (''web'', ''EUR'', repeat(''x'', 100000))', 'OM001'),
	(format('UPDATE shop.orders SET status = %L WHERE id = %L', E'\u202e', o), 'OM001'), (format('UPDATE shop.orders SET status = NULL WHERE id = %L', o), '23502'), (format('UPDATE shop.fulfillments SET status = '''' WHERE id = %L', f), 'OM001'),
	(format('UPDATE shop.orders SET status = ''canceled'', status_reason = ''none such'' WHERE id = %L', o), '23503'), ('UPDATE shop.stock SET safety_stock = -1', '23514'), ('UPDATE shop.stock SET safety_stock = 9223372036854775807', '23514'),
	('INSERT INTO shop.addresses (latitude) VALUES (''NaN'')', '23514'), ('INSERT INTO shop.addresses (longitude) VALUES (''Infinity'')', '23514'), ('INSERT INTO shop.customers (code, credit_limit) VALUES (''x'', ''NaN'')', '23514')) AS v(statement, state);
SELECT throws_ok(format('WITH o AS (INSERT INTO shop.orders (channel, currency) VALUES (''web'', ''EUR'') RETURNING id) SELECT FROM o; INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price, discount, tax) SELECT id, %s FROM shop.orders WHERE status = ''draft''', v),
	state, NULL, 'a line of ' || v) FROM (VALUES ('1, ''sku1'', 1, ''NaN'', 0, 0', '23514'), ('1, ''sku1'', 1, 1, ''NaN'', 0', '23514'), ('1, ''sku1'', 1, 1, 0, ''NaN''', '23514'), ('1, ''sku1'', 1, ''Infinity'', 0, 0', '22003'), ('1, ''sku1'', 1, 1e15, 0, 0', '22003'),
	('1, ''sku1'', 1, -1, 0, 0', '23514'), ('1, ''sku1'', 0, 1, 0, 0', '23514'), ('1, ''sku1'', -1, 1, 0, 0', '23514'), ('1, ''sku1'', 9223372036854775807, 1, 0, 0', '23514'), ('1, ''sku1'', 9223372036854775808, 1, 0, 0', '22003'), ('0, ''sku1'', 1, 1, 0, 0', '23514'),
	('1, ''sku1'', 1000000000000, 999999999999999, 0, 0', '22003'), ('1, ''sku1'', 1, 1, 2, 0', '23514'), ('1, NULL, 1, 1, 0, 0', '23502'), ('1, ''sku9'', 1, 1, 0, 0', '23503'), ('2147483648, ''sku1'', 1, 1, 0, 0', '22003')) AS v(v, state);
SELECT throws_ok(format('INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES (%s)', v), state, NULL, 'a movement of ' || v) FROM (VALUES ('''sku1'', ''a'', ''receipt'', 9223372036854775807', '23514'), ('''sku1'', ''a'', ''receipt'', 0', '23514'),
	('''sku1'', ''a'', ''receipt'', -1', '23514'), ('''sku1'', ''a'', ''adjustment'', -9223372036854775808', '23514'), ('''sku1'', ''a'', ''count'', -1', '23514'), ('''sku1'', ''a'', ''theft'', 1', '23514'), ('''sku1'', ''nowhere'', ''receipt'', 1', '23503'), ('''sku1'', ''a'', ''damage'', 1000000', 'OM003')) AS v(v, state);
SELECT is(pg_temp.all_there_is(), :before::numeric, 'nothing of all these changed anything either');
SELECT is((SELECT string_agg(rule || ': ' || violations, '; ') FROM oms.verify_store('shop') WHERE violations <> 0), NULL, 'verify_store agrees');

SELECT * FROM finish();
ROLLBACK;
