-- An order placed directly (src/direct.c) is the order placed in steps: the same
-- documents in two stores, one of which has a trigger that watches the steps.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

SELECT oms.create_store('once'), oms.create_store('steps');
CREATE FUNCTION steps.watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER watch AFTER UPDATE ON steps.orders FOR EACH ROW EXECUTE FUNCTION steps.watch();

-- the same in both
CREATE FUNCTION pg_temp.both(statement text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE replace(statement, '@.', 'once.');
	EXECUTE replace(statement, '@.', 'steps.');
END $$;
SELECT pg_temp.both($q$
	INSERT INTO @.workflows (name, entity, definition) VALUES
		('pulled', 'order', 'initial draft; draft -> placed do reserve; placed -> dropped when allocated, unheld do release auto; placed -> done when fulfilled;'
			' placed -> dropped do release; final done, dropped'),
		('at once', 'order', 'initial draft; draft -> confirmed when unheld do reserve, confirm; confirmed -> done when fulfilled; confirmed -> dropped do release; final done, dropped'),
		('early', 'order', 'initial draft; draft -> review auto; draft, review -> placed do reserve; placed -> dropped do release; final dropped'),
		('gone', 'order', 'initial draft; draft -> placed do reserve, confirm; placed -> seen when unheld auto; seen -> dropped when allocated do release auto; placed -> dropped do release; final dropped'),
		('unpaid', 'order', 'initial draft; draft -> placed do reserve; placed -> confirmed when payable do confirm auto; placed, confirmed -> dropped do release; final dropped')
$q$);
SELECT pg_temp.both($q$
	INSERT INTO @.channels (code, name, if_short, priority, default_method, order_workflow, payment_required, active) VALUES
		('web', 'Web', 'refuse', 7, 'ship', 'standard', false, true), ('late', 'May be late', 'hold', 100, 'ship', 'standard', false, true),
		('bare', 'No method', 'refuse', 100, NULL, 'standard', false, true), ('paid', 'Pays first', 'refuse', 1, 'ship', 'standard', true, true),
		('pulled', 'Pulled back', 'hold', 1, 'ship', 'pulled', false, true), ('at once', 'At once', 'refuse', 1, 'ship', 'at once', false, true),
		('early', 'A draft moves by itself', 'hold', 1, 'ship', 'early', false, true), ('unpaid', 'Goes on when paid', 'hold', 1, 'ship', 'unpaid', true, true),
		('gone', 'Gone at once', 'hold', 1, 'ship', 'gone', false, true), ('old', 'Closed', 'refuse', 1, 'ship', 'standard', false, false);
	INSERT INTO @.locations (code, name, kind, priority, tracked, active) VALUES ('a', 'A', 'warehouse', 1, true, true),
		('b', 'B', 'store', 2, true, true), ('supplier', 'Supplier', 'supplier', 3, false, true), ('shut', 'Shut', 'store', 0, true, false);
	INSERT INTO @.skus (code, name) SELECT 'sku' || n, 'SKU ' || n FROM generate_series(1, 9) AS n;
	INSERT INTO @.skus (code, name, kind, default_method) VALUES ('song', 'A song', 'digital', 'digital'), ('fitting', 'Fitting', 'service', 'service');
	INSERT INTO @.customers (code, name) VALUES ('c1', 'One');
	INSERT INTO @.stock_movements (sku, location, kind, quantity) SELECT 'sku' || n, l, 'receipt', n FROM generate_series(1, 8) AS n, unnest('{a,b}'::text[]) AS l
$q$);

-- what placing says: its row without ids, or its error
CREATE FUNCTION pg_temp.answer(store text, document jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	r record;
	state text;
	message text;
	detail text;
	hint text;
BEGIN
	EXECUTE 'SELECT * FROM oms.place_order($1, $2)' INTO r USING store, document;
	RETURN (to_jsonb(r) - 'order_id' - 'number')::text;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws('|', state, regexp_replace(message, 'S-\d+', 'S-?'), detail, hint);
END $$;

-- every row of a store, without what may differ: ids and numbers are told by the order's reference and the row's place
CREATE FUNCTION pg_temp.rows(store text) RETURNS SETOF jsonb LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('search_path', store || ', pg_temp, public', true);
	RETURN QUERY EXECUTE $q$
	WITH o AS (SELECT id, external_ref, dense_rank() OVER (ORDER BY id) AS place FROM orders)
	SELECT to_jsonb(t) - '{id,number,customer_id,ship_to_id,bill_to_id,source_order_id,revision}'::text[] || jsonb_build_object('place', o.place,
		'customer', (SELECT to_jsonb(c) - 'id' FROM customers c WHERE c.id = customer_id), 'ship_to', (SELECT to_jsonb(a) - 'id' FROM addresses a WHERE a.id = ship_to_id),
		'bill_to', (SELECT to_jsonb(a) - 'id' FROM addresses a WHERE a.id = bill_to_id), 'source', (SELECT s.place FROM o s WHERE s.id = source_order_id))
	FROM orders t JOIN o USING (id)
	UNION ALL
	SELECT to_jsonb(t) - '{id,order_id,parent_line_id,ship_to_id,backorder_policy_id,revision}'::text[] || jsonb_build_object('order', o.place,
		'parent', (SELECT p.line_no FROM order_lines p WHERE p.id = t.parent_line_id), 'policy', (SELECT p.sku FROM backorder_policies p WHERE p.id = t.backorder_policy_id), 'ship_to', (SELECT to_jsonb(a) - 'id' FROM addresses a WHERE a.id = ship_to_id))
	FROM order_lines t JOIN o ON o.id = order_id
	UNION ALL
	SELECT to_jsonb(t) - '{id,order_id}'::text[] || jsonb_build_object('order', o.place) FROM order_charges t JOIN o ON o.id = order_id
	UNION ALL
	SELECT to_jsonb(t) - '{id,order_id,placed_at,released_at}'::text[] || jsonb_build_object('order', o.place, 'released', released_at IS NOT NULL) FROM order_holds t JOIN o ON o.id = order_id
	UNION ALL
	SELECT to_jsonb(t) - '{id,order_id,number,revision,ship_to_id}'::text[] || jsonb_build_object('order', o.place, 'suffix', substring(t.number FROM '-[0-9]+$'),
		'ship_to', (SELECT to_jsonb(a) - 'id' FROM addresses a WHERE a.id = ship_to_id), 'lines', (SELECT jsonb_agg(jsonb_build_array(l.line_no, fl.sku, fl.quantity, fl.tracked)
			ORDER BY l.line_no) FROM fulfillment_lines fl JOIN order_lines l ON l.id = order_line_id WHERE fulfillment_id = t.id))
	FROM fulfillments t JOIN o ON o.id = order_id
	UNION ALL
	SELECT to_jsonb(t) - '{id,at,xid,order_id,entity_id}'::text[] || jsonb_build_object('order', o.place, 'place', row_number() OVER (PARTITION BY t.entity_id ORDER BY t.id),
		'of', COALESCE(f.number ~ '-1$', false), 'detail', t.detail - 'hold' - 'policy', 'policy', (SELECT p.sku FROM backorder_policies p WHERE p.id::text = t.detail ->> 'policy'))
	FROM order_events t JOIN o ON o.id = t.order_id LEFT JOIN fulfillments f ON f.id = t.entity_id
	UNION ALL SELECT to_jsonb(t) - 'revision' FROM stock t
	UNION ALL SELECT to_jsonb(t) - '{id,revision,valid_from}'::text[] FROM backorder_policies t
	UNION ALL SELECT to_jsonb(t) - '{id,expires_at}'::text[] FROM stock_holds t
	UNION ALL SELECT to_jsonb(t) - '{id,at,xid,entity_id}'::text[] FROM stock_movements t WHERE kind <> 'receipt'
	$q$;
END $$;

CREATE FUNCTION pg_temp.same(what text, document jsonb) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	once text := pg_temp.answer('once', document);
	steps text := pg_temp.answer('steps', document);
	differing text;
BEGIN
	RETURN NEXT is(once, steps, what || ': ' || left(once, 90));
	SELECT string_agg(r.store || ' ' || r.content, E'\n') INTO differing FROM (
		SELECT 'once' AS store, x AS content FROM (SELECT * FROM pg_temp.rows('once') EXCEPT ALL SELECT * FROM pg_temp.rows('steps')) a(x)
		UNION ALL SELECT 'steps', x FROM (SELECT * FROM pg_temp.rows('steps') EXCEPT ALL SELECT * FROM pg_temp.rows('once')) b(x)) r;
	RETURN NEXT is(differing, NULL, what || ': the same rows');
END $$;

-- was it direct? such an order has been written once
CREATE FUNCTION pg_temp.writes(store text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	r bigint;
BEGIN
	EXECUTE format('SELECT revision FROM %I.orders ORDER BY id DESC LIMIT 1', store) INTO r;
	RETURN r;
END $$;

SELECT pg_temp.same('one line', '{"channel": "web", "external_ref": "1", "currency": "EUR", "lines": [{"sku": "sku1", "quantity": 1, "unit_price": 19.9}]}');
SELECT is(pg_temp.writes('once'), 0::bigint, 'written once');
SELECT cmp_ok(pg_temp.writes('steps'), '>', 1::bigint, 'written in steps');
SELECT pg_temp.same('again', '{"channel": "web", "external_ref": "1", "currency": "EUR", "lines": [{"sku": "sku1", "quantity": 1, "unit_price": 19.9}]}');
SELECT pg_temp.same('another with its reference', '{"channel": "web", "external_ref": "1", "currency": "EUR", "lines": [{"sku": "sku1", "quantity": 2, "unit_price": 19.9}]}');
SELECT pg_temp.same('divided among locations', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "sku2", "quantity": 3, "unit_price": 1}, {"sku": "sku3", "quantity": 1, "unit_price": 2}]}');
SELECT pg_temp.same('refused: short', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "sku3", "quantity": 1, "unit_price": 1}, {"sku": "sku9", "quantity": 5, "unit_price": 2}]}');
SELECT pg_temp.same('held: short', '{"channel": "late", "currency": "EUR", "lines": [{"sku": "sku4", "quantity": 11, "unit_price": 1}, {"sku": "sku9", "quantity": 5, "unit_price": 2}]}');
SELECT is(pg_temp.writes('once'), 0::bigint, 'and that too is written once');
SELECT pg_temp.same('short, must leave together', '{"channel": "late", "currency": "EUR", "ship_complete": true, "lines": [{"sku": "sku5", "quantity": 1, "unit_price": 1}, {"sku": "sku9", "quantity": 5, "unit_price": 2}]}');
-- what is backordered is written once too
SELECT pg_temp.both($q$ INSERT INTO @.skus (code, name) VALUES ('later', 'Later'), ('much later', 'Much later'); INSERT INTO @.backorder_policies (sku, policy, limit_units) VALUES ('later', 'backorder', 9), ('much later', 'preorder', NULL);
	INSERT INTO @.stock_movements (sku, location, kind, quantity) VALUES ('later', 'a', 'receipt', 1) $q$);
SELECT pg_temp.same('backordered', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "later", "quantity": 3, "unit_price": 1}, {"sku": "much later", "quantity": 2, "unit_price": 1}, {"sku": "later", "quantity": 1, "unit_price": 1}]}');
SELECT is(pg_temp.writes('once'), 0::bigint, 'by one write');
SELECT pg_temp.same('beyond the limit', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "later", "quantity": 5, "unit_price": 1}, {"sku": "later", "quantity": 3, "unit_price": 1}]}');
SELECT pg_temp.same('beyond the limit, held', '{"channel": "late", "currency": "EUR", "lines": [{"sku": "much later", "quantity": 1, "unit_price": 1}, {"sku": "later", "quantity": 7, "unit_price": 1}]}');
SELECT pg_temp.same('must leave together', '{"channel": "web", "currency": "EUR", "ship_complete": true, "lines": [{"sku": "much later", "quantity": 1, "unit_price": 1}, {"sku": "sku7", "quantity": 1, "unit_price": 1}]}');
SELECT pg_temp.both($q$ INSERT INTO @.stock_movements (sku, location, kind, quantity) VALUES ('later', 'b', 'receipt', 8), ('much later', 'a', 'receipt', 4) $q$);
SELECT is((SELECT string_agg(rule, ', ') FROM oms.verify_store(store) WHERE violations > 0), NULL, store || ' verifies with what was backordered') FROM unnest('{once,steps}'::text[]) AS store;
SELECT pg_temp.same('held by the document', '{"channel": "web", "currency": "EUR", "holds": [{"kind": "fraud", "reason": "score"}, {"kind": "remorse", "expires_at": "2030-01-01T00:00:00Z"}],
	"lines": [{"sku": "sku5", "quantity": 1, "unit_price": 1}]}');
SELECT pg_temp.same('held and short', '{"channel": "late", "currency": "EUR", "holds": [{"kind": "manual"}], "lines": [{"sku": "sku5", "quantity": 100, "unit_price": 1}]}');
SELECT pg_temp.same('everything', '{"channel": "late", "external_ref": "full", "ordered_at": "2026-11-01T10:00:00+01:00", "currency": "EUR", "tax_included": true,
	"customer": {"code": "c2", "name": "Two", "email": "two@example.org", "attributes": {"vip": true}}, "ship_to": {"name": "Two", "city": "Ghent", "country": "BE"},
	"bill_to": {"name": "Accounts", "country": "BE"}, "po_number": "PO 17", "priority": 3, "ship_complete": true, "if_short": "refuse", "source_kind": "replacement",
	"lines": [{"line": 20, "external_ref": "L20", "sku": "sku6", "quantity": 2, "unit_price": 12.5, "discount": 5, "tax": 3.4711, "description": "blue", "method": "ship", "location": "a",
			"ship_group": "gift", "attributes": {"text": "For you"}},
		{"line": 10, "parent": 20, "sku": "sku7", "quantity": 2, "unit_price": 0, "method": "pickup", "pickup_location": "b", "ship_to": {"name": "Grandma", "country": "BE"}}],
	"charges": [{"kind": "shipping", "label": "Express", "amount": 9.9, "tax": 1.7182}, {"kind": "discount", "label": "Voucher", "amount": 4}], "total": 25.9, "attributes": {"campaign": "autumn"}}');
SELECT pg_temp.same('wanted at several times', '{"channel": "web", "currency": "EUR", "requested_at": "2027-01-12T10:00:00Z", "lines": [{"sku": "sku7", "quantity": 1, "unit_price": 1},
	{"sku": "sku6", "quantity": 1, "unit_price": 1, "requested_at": "2027-01-13T10:00:00Z"}, {"sku": "sku5", "quantity": 1, "unit_price": 1, "requested_at": "2027-01-12T11:00:00+01:00"}]}');
SELECT pg_temp.both($q$ UPDATE @.workflows SET definition = replace(definition, 'group_complete auto', 'group_complete, due auto') WHERE name = 'ship' $q$);
SELECT pg_temp.same('due', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "sku7", "quantity": 1, "unit_price": 1, "requested_at": "2126-01-12T10:00:00Z"},
	{"sku": "sku7", "quantity": 1, "unit_price": 1, "requested_at": "2026-01-12T10:00:00Z"}, {"sku": "sku7", "quantity": 1, "unit_price": 1}]}');
SELECT is(pg_temp.writes('once'), 0::bigint, 'times are written once too');
SELECT pg_temp.same('tax added', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "sku6", "quantity": 3, "unit_price": 3.3333, "discount": 0.0001, "tax": 1.7}],
	"charges": [{"kind": "fee", "amount": 1, "tax": 0.21}, {"kind": "discount", "amount": 2, "tax": 0.42}]}');
SELECT pg_temp.same('a wrong total', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "sku6", "quantity": 1, "unit_price": 3.3}], "total": 3.31}');
SELECT pg_temp.same('less than nothing', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "sku6", "quantity": 1, "unit_price": 3.3}], "charges": [{"kind": "discount", "amount": 4}]}');
SELECT pg_temp.same('a discount beyond its line', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "sku6", "quantity": 1, "unit_price": 3.3, "discount": 4}, {"sku": "sku6", "quantity": 1, "unit_price": 9}]}');
SELECT pg_temp.same('digital, service and goods', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "song", "quantity": 1, "unit_price": 1}, {"sku": "fitting", "quantity": 1, "unit_price": 50},
	{"sku": "sku7", "quantity": 1, "unit_price": 5}]}');
SELECT pg_temp.same('digital alone', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "song", "quantity": 2, "unit_price": 1}]}');
SELECT pg_temp.same('for nothing', '{"channel": "paid", "currency": "EUR", "lines": [{"sku": "sku7", "quantity": 1, "unit_price": 0}]}');
SELECT pg_temp.same('to be paid first', '{"channel": "paid", "currency": "EUR", "lines": [{"sku": "sku7", "quantity": 1, "unit_price": 1}]}');
SELECT pg_temp.same('charges alone', '{"channel": "web", "currency": "EUR", "lines": [], "charges": [{"kind": "fee", "amount": 1}]}');
SELECT pg_temp.same('from a supplier', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "sku9", "quantity": 20, "unit_price": 1, "location": "supplier"}, {"sku": "sku9", "quantity": 2, "unit_price": 1,
	"method": "dropship"}]}');
SELECT pg_temp.same('no method', '{"channel": "bare", "currency": "EUR", "lines": [{"sku": "sku7", "quantity": 1, "unit_price": 1}]}');
SELECT pg_temp.same('a method of its own', '{"channel": "bare", "currency": "EUR", "lines": [{"sku": "sku7", "quantity": 1, "unit_price": 1, "method": "ship"}]}');
SELECT pg_temp.same('moves on with an action', '{"channel": "pulled", "currency": "EUR", "lines": [{"sku": "sku8", "quantity": 2, "unit_price": 1}]}');
SELECT pg_temp.same('which a hold keeps back', '{"channel": "pulled", "currency": "EUR", "holds": [{"kind": "manual"}], "lines": [{"sku": "sku8", "quantity": 2, "unit_price": 1}]}');
SELECT pg_temp.same('confirmed by the move', '{"channel": "at once", "currency": "EUR", "lines": [{"sku": "sku8", "quantity": 1, "unit_price": 1}]}');
SELECT pg_temp.same('a guard refuses', '{"channel": "at once", "currency": "EUR", "holds": [{"kind": "manual"}], "lines": [{"sku": "sku8", "quantity": 1, "unit_price": 1}]}');
SELECT pg_temp.same('a draft that has moved on', '{"channel": "early", "currency": "EUR", "lines": [{"sku": "sku8", "quantity": 1, "unit_price": 1}]}');
SELECT pg_temp.same('short, not paid', '{"channel": "unpaid", "currency": "EUR", "lines": [{"sku": "sku9", "quantity": 3, "unit_price": 1}]}');
SELECT pg_temp.same('short, for nothing', '{"channel": "unpaid", "currency": "EUR", "lines": [{"sku": "sku9", "quantity": 3, "unit_price": 0}]}');
SELECT pg_temp.same('moves on after two actions', '{"channel": "gone", "currency": "EUR", "lines": [{"sku": "song", "quantity": 1, "unit_price": 1}, {"sku": "sku8", "quantity": 1, "unit_price": 1}]}');
SELECT pg_temp.same('a closed channel', '{"channel": "old", "currency": "EUR", "lines": [{"sku": "sku8", "quantity": 1, "unit_price": 1}]}');
SELECT pg_temp.same('a closed location', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "sku8", "quantity": 1, "unit_price": 1}, {"sku": "sku8", "quantity": 1, "unit_price": 1, "location": "shut"}]}');
SELECT pg_temp.same('an unknown method', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "sku8", "quantity": 1, "unit_price": 1}, {"sku": "nix", "method": "nix", "quantity": 1, "unit_price": 1}]}');
SELECT pg_temp.same('two lines of one SKU', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "sku8", "quantity": 3, "unit_price": 1}, {"sku": "sku8", "quantity": 3, "unit_price": 2}]}');

-- from stock holds: of all, of less and more than is wanted, in two places, expired, gone
SELECT pg_temp.both($q$ INSERT INTO @.skus (code, name) VALUES ('mug', 'Mug'), ('cup', 'Cup');
	INSERT INTO @.stock_movements (sku, location, kind, quantity) VALUES ('mug', 'a', 'receipt', 5), ('mug', 'b', 'receipt', 5), ('cup', 'b', 'receipt', 9) $q$);
SELECT oms.hold_stock(s, 'h' || n, items) FROM unnest('{once,steps}'::text[]) AS s, (VALUES (1, '[{"sku": "mug", "quantity": 1, "location": "b"}]'::jsonb),
	(2, '[{"sku": "mug", "quantity": 1, "location": "b"}, {"sku": "cup", "quantity": 2}]'), (3, '[{"sku": "mug", "quantity": 2, "location": "b"}, {"sku": "mug", "quantity": 2, "location": "a"}]')) AS h(n, items);
SELECT oms.hold_stock(s, 'h4', '[{"sku": "cup", "quantity": 7}]', '1 microsecond') FROM unnest('{once,steps}'::text[]) AS s;
SELECT pg_temp.same('held elsewhere', '{"channel": "web", "currency": "EUR", "stock_hold": "h1", "lines": [{"sku": "mug", "quantity": 1, "unit_price": 1}]}');
SELECT is(pg_temp.writes('once'), 0::bigint, 'and that too is written once');
SELECT pg_temp.same('held, and more', '{"channel": "web", "currency": "EUR", "stock_hold": "h2", "lines": [{"sku": "mug", "quantity": 2, "unit_price": 1}, {"sku": "sku8", "quantity": 1, "unit_price": 1}]}');
SELECT pg_temp.same('held in two places', '{"channel": "late", "currency": "EUR", "stock_hold": "h3", "lines": [{"sku": "mug", "quantity": 4, "unit_price": 1}]}');
SELECT pg_temp.same('refused: held by others', '{"channel": "web", "currency": "EUR", "stock_hold": "h3", "lines": [{"sku": "mug", "quantity": 7, "unit_price": 1}]}');
SELECT pg_temp.same('of an expired hold', '{"channel": "late", "currency": "EUR", "lines": [{"sku": "cup", "quantity": 5, "unit_price": 1}]}');

-- at random
DO $$
DECLARE
	d jsonb;
	a text;
	b text;
BEGIN
	PERFORM setseed(0.42);
	FOR i IN 1 .. 150 LOOP
		SELECT jsonb_build_object('channel', (ARRAY['web', 'late', 'paid', 'pulled', 'at once'])[1 + (random() * 4)::int], 'currency', 'EUR', 'tax_included', random() < 0.5,
			'ship_complete', random() < 0.2, 'lines', (SELECT jsonb_agg(jsonb_build_object('sku', (ARRAY['sku1', 'sku3', 'sku8', 'sku9', 'song'])[1 + (random() * 4 + 0 * g)::int], 'quantity', 1 + (random() * 3)::int,
				'unit_price', round((random() * 20)::numeric, 4), 'tax', round(random()::numeric, 4), 'ship_group', (ARRAY[NULL, 'x'])[1 + (random())::int])) FROM generate_series(1, 1 + (random() * 4)::int) g),
			'charges', CASE WHEN random() < 0.3 THEN '[{"kind": "shipping", "amount": 4.5, "tax": 0.7}]'::jsonb ELSE '[]' END,
			'holds', CASE WHEN random() < 0.1 THEN '[{"kind": "manual"}]'::jsonb ELSE '[]' END) INTO d;
		IF i % 10 = 0 THEN
			PERFORM pg_temp.both($q$ INSERT INTO @.stock_movements (sku, location, kind, quantity) SELECT 'sku' || n, 'a', 'receipt', 6 FROM generate_series(1, 9) n $q$);
		END IF;
		a := pg_temp.answer('once', d);
		b := pg_temp.answer('steps', d);
		IF a IS DISTINCT FROM b THEN
			RAISE EXCEPTION '% is % and %', d, a, b;
		END IF;
	END LOOP;
END $$;
SELECT pg_temp.same('after many at random', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "sku8", "quantity": 1, "unit_price": 1}]}');
SELECT cmp_ok((SELECT count(*) FROM once.orders WHERE revision = 0), '>', 20::bigint, 'most of them directly');
SELECT is((SELECT string_agg(rule, ', ') FROM oms.verify_store('once') WHERE violations > 0), NULL, 'the store verifies');
SELECT is((SELECT string_agg(rule, ', ') FROM oms.verify_store('steps') WHERE violations > 0), NULL, 'so does the other');

-- who may not write may not write directly either
CREATE ROLE direct_clerk;
SELECT oms.grant_store('once', 'direct_clerk', 'clerk');
SET LOCAL ROLE direct_clerk;
SELECT lives_ok($$ SELECT oms.place_order('once', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "sku8", "quantity": 1, "unit_price": 1}]}') $$, 'a clerk places');
RESET ROLE;
SELECT is(pg_temp.writes('once'), 0::bigint, 'directly');
REVOKE UPDATE (status) ON once.orders FROM direct_clerk;
SET LOCAL ROLE direct_clerk;
SELECT throws_ok($$ SELECT oms.place_order('once', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "sku8", "quantity": 1, "unit_price": 1}]}') $$, '42501', NULL, 'not without the right to move orders');
RESET ROLE;
GRANT UPDATE (status) ON once.orders TO direct_clerk;
REVOKE INSERT ON once.order_lines FROM direct_clerk;
SET LOCAL ROLE direct_clerk;
SELECT throws_ok($$ SELECT oms.place_order('once', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "sku8", "quantity": 1, "unit_price": 1}]}') $$, '42501', NULL, 'nor without that to insert lines');
RESET ROLE;

-- a default of a column of the user's is the caller's
ALTER TABLE once.orders ADD COLUMN who text DEFAULT current_user;
SELECT oms.grant_store('once', 'direct_clerk', 'clerk');
SET LOCAL ROLE direct_clerk;
SELECT lives_ok($$ SELECT oms.place_order('once', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "sku8", "quantity": 1, "unit_price": 1}]}') $$, 'with a column of the user''s');
RESET ROLE;
SELECT is((SELECT who FROM once.orders ORDER BY id DESC LIMIT 1), 'direct_clerk', 'whose default is the caller''s');
SELECT is(pg_temp.writes('once'), 0::bigint, 'directly too');

-- what the engine keeps stays its own
SELECT throws_ok($$ INSERT INTO once.order_lines (order_id, line_no, sku, quantity, unit_price, allocated) SELECT id, 99, 'sku1', 1, 1, 1 FROM once.orders LIMIT 1 $$, 'OM005', NULL, 'a line with counters');
SELECT throws_ok($$ INSERT INTO once.order_lines (order_id, line_no, sku, quantity, unit_price, revision) SELECT id, 99, 'sku1', 1, 1, 1 FROM once.orders LIMIT 1 $$, 'OM005', NULL, 'or a revision');

-- what a trigger on a table of the engine's sees of the order
CREATE FUNCTION pg_temp.seen_by(relation text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	TRUNCATE once.seen;
	EXECUTE format('CREATE TRIGGER watch AFTER INSERT OR UPDATE ON once.%I FOR EACH STATEMENT EXECUTE FUNCTION once.watch_engine()', relation);
	PERFORM oms.place_order('once', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "sku8", "quantity": 1, "unit_price": 1}]}');
	EXECUTE format('DROP TRIGGER watch ON once.%I', relation);
	RETURN NEXT is((SELECT what FROM once.seen LIMIT 1), relation || CASE relation WHEN 'order_events' THEN ' draft' ELSE ' placed' END, 'a trigger on ' || relation || ' sees the order on its way');
END $$;

-- who comes to watch is shown the steps
CREATE TABLE once.seen (what text);
CREATE FUNCTION once.watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO once.seen VALUES (concat_ws(' ', TG_OP, OLD.status, NEW.status)); RETURN NULL; END $$;
CREATE TRIGGER watch AFTER INSERT OR UPDATE OF status ON once.orders FOR EACH ROW EXECUTE FUNCTION once.watch();
SELECT lives_ok($$ SELECT oms.place_order('once', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "sku8", "quantity": 1, "unit_price": 1}]}') $$, 'with a trigger');
SELECT is((SELECT string_agg(what, ', ') FROM once.seen), 'INSERT draft, UPDATE draft placed, UPDATE placed confirmed', 'which sees each move');
DROP TRIGGER watch ON once.orders;
INSERT INTO once.stock_movements (sku, location, kind, quantity) VALUES ('sku8', 'a', 'receipt', 10);
CREATE FUNCTION once.watch_engine() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO once.seen SELECT concat_ws(' ', TG_TABLE_NAME, status) FROM once.orders ORDER BY id DESC LIMIT 1; RETURN NULL; END $$;
SELECT seen.* FROM unnest('{stock,order_events}'::text[]) AS t, LATERAL pg_temp.seen_by(t) AS seen;
ALTER TABLE once.orders ALTER COLUMN number SET DEFAULT 'MY-' || nextval('once.order_number');
SELECT matches((SELECT number FROM oms.place_order('once', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "sku8", "quantity": 1, "unit_price": 1}]}')), '^MY-', 'a default of the user''s gives the number');
ALTER TABLE once.orders ALTER COLUMN number DROP DEFAULT;
ALTER TABLE once.orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON once.orders USING (true) WITH CHECK (status = 'draft' OR placed_at IS NOT NULL);
SELECT lives_ok($$ SELECT oms.place_order('once', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "sku8", "quantity": 1, "unit_price": 1}]}') $$, 'with a policy');
SELECT cmp_ok(pg_temp.writes('once'), '>', 1::bigint, 'it is asked at each step');
SELECT is((SELECT string_agg(rule, ', ') FROM oms.verify_store('once') WHERE violations > 0), NULL, 'the store verifies still');

SELECT * FROM finish();
ROLLBACK;
