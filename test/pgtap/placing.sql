-- oms.place_order: every key of the document, every fault with its path,
-- the same document again, short stock.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name, if_short, priority, default_method) VALUES ('web', 'Web', 'refuse', 7, 'ship'), ('late', 'May be late', 'hold', 100, 'ship'),
	('bare', 'No default method', 'refuse', 100, NULL);
INSERT INTO shop.channels (code, name, active) VALUES ('old', 'Closed', false);
INSERT INTO shop.locations (code, name, kind, priority, tracked, active) VALUES ('a', 'A', 'warehouse', 1, true, true), ('b', 'B', 'store', 2, true, true),
	('supplier', 'Supplier', 'supplier', 3, false, true), ('shut', 'Shut', 'store', 0, true, false);
INSERT INTO shop.skus (code, name) SELECT 'sku' || n, 'SKU ' || n FROM generate_series(1, 30) AS n;
INSERT INTO shop.skus (code, name, active) VALUES ('gone', 'No longer sold', false);
INSERT INTO shop.skus (code, name, kind, default_method) VALUES ('song', 'A song', 'digital', 'digital');
INSERT INTO shop.customers (code, name) VALUES ('c1', 'One');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) SELECT 'sku' || n, 'a', 'receipt', 100 FROM generate_series(1, 20) AS n;
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('sku1', 'shut', 'receipt', 1000), ('sku30', 'shut', 'receipt', 1000);

CREATE FUNCTION pg_temp.fault(statement text, OUT state text, OUT message text, OUT detail text, OUT hint text) LANGUAGE plpgsql
AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END $$;
CREATE FUNCTION pg_temp.call(document jsonb) RETURNS text LANGUAGE sql AS $$ SELECT format('SELECT * FROM oms.place_order(''shop'', %L)', $1) $$;
CREATE FUNCTION pg_temp.sound(what text) RETURNS text LANGUAGE sql
AS $$ SELECT is((SELECT string_agg(rule || ': ' || violations, '; ') FROM oms.verify_store('shop') WHERE violations <> 0), NULL,
	'verify_store: ' || what) $$;

-- ---- every key

SELECT order_id AS source, number AS source_number FROM oms.place_order('shop', '{"channel": "web", "currency": "USD", "lines": [{"sku": "sku2", "quantity": 1, "unit_price": 1}]}') \gset
SELECT format('{
	"channel": "late", "external_ref": "web-1", "ordered_at": "2026-11-01T10:00:00+01:00", "currency": "EUR", "tax_included": true,
	"customer": {"code": "c2", "name": "Two", "email": "two@example.org", "phone": "+32 2", "attributes": {"vip": true}},
	"ship_to": {"name": "Two", "company": "Inc", "line1": "Main St 1", "line2": "Box 2", "city": "Ghent", "region": "EF", "postal_code": "9000", "country": "BE",
		"latitude": 51.05, "longitude": 3.72, "phone": "+32 3", "email": "ship@example.org"},
	"bill_to": {"name": "Accounts", "country": "BE"},
	"po_number": "PO 17", "priority": 3, "ship_complete": true, "if_short": "refuse", "source_order": %s, "source_kind": "replacement",
	"lines": [
		{"line": 10, "external_ref": "L10", "sku": "sku3", "quantity": 2, "unit_price": 12.5, "discount": 5, "tax": 3.4711, "description": "blue, engraved", "method": "ship",
			"location": "a", "ship_group": "gift", "attributes": {"text": "For you"}},
		{"line": 20, "parent": 10, "sku": "sku4", "quantity": 2, "unit_price": 0, "method": "pickup", "pickup_location": "b", "ship_to": {"name": "Grandma", "country": "BE"}}],
	"charges": [{"kind": "shipping", "label": "Express", "amount": 9.9, "tax": 1.7182}, {"kind": "fee", "amount": 1}, {"kind": "tip", "amount": 2}, {"kind": "duty", "amount": 3},
		{"kind": "discount", "label": "Voucher", "amount": 4}],
	"holds": [{"kind": "fraud", "reason": "score 87"}, {"kind": "remorse", "expires_at": "2030-01-01T00:00:00Z"}],
	"total": 31.9, "attributes": {"campaign": "autumn", "deep": [1, {"a": null}]}}', to_json(:'source_number'::text)) AS full \gset
SELECT * FROM oms.place_order('shop', :'full') \gset r_
SELECT is(format('%s %s %s %s %s', :'r_status', :'r_total', :'r_short', :'r_backordered', :'r_repeated'), 'placed 31.9000 0 0 f', 'the row it returns');
SELECT is((SELECT number FROM shop.orders WHERE id = :'r_order_id'), :'r_number', 'with the order''s number');
SELECT is((SELECT concat_ws('|', channel, external_ref, ordered_at AT TIME ZONE 'UTC', currency, tax_included, po_number, priority, ship_complete, if_short, source_kind, status, open_holds, attributes)
	FROM shop.orders WHERE id = :'r_order_id'),
	'late|web-1|2026-11-01 09:00:00|EUR|t|PO 17|3|t|refuse|replacement|placed|2|{"deep": [1, {"a": null}], "campaign": "autumn"}', 'the order''s own keys');
SELECT is((SELECT to_jsonb(o) ->> CASE WHEN to_jsonb(o) ? 'source_order_id' THEN 'source_order_id' ELSE 'source_order' END FROM shop.orders o WHERE id = :'r_order_id'), :'source', 'source_order by its number');
SELECT is((SELECT concat_ws('|', c.code, c.name, c.email, c.phone, c.attributes) FROM shop.customers c JOIN shop.orders o ON o.customer_id = c.id WHERE o.id = :'r_order_id'),
	'c2|Two|two@example.org|+32 2|{"vip": true}', 'customer');
SELECT is((SELECT concat_ws('|', a.name, company, line1, line2, city, region, postal_code, country, latitude, longitude, phone, email) FROM shop.addresses a JOIN shop.orders o ON o.ship_to_id = a.id
	WHERE o.id = :'r_order_id'), 'Two|Inc|Main St 1|Box 2|Ghent|EF|9000|BE|51.05|3.72|+32 3|ship@example.org', 'ship_to');
SELECT is((SELECT a.name FROM shop.addresses a JOIN shop.orders o ON o.bill_to_id = a.id WHERE o.id = :'r_order_id'), 'Accounts', 'bill_to');
SELECT is((SELECT concat_ws('|', line_no, external_ref, sku, quantity, unit_price, discount, tax, description, method, location, ship_group, attributes) FROM shop.order_lines
	WHERE order_id = :'r_order_id' AND line_no = 10), '10|L10|sku3|2|12.5000|5.0000|3.4711|blue, engraved|ship|a|gift|{"text": "For you"}', 'a line''s keys');
SELECT is((SELECT concat_ws('|', l.line_no, p.line_no, l.sku, l.quantity, l.unit_price, l.method, l.pickup_location, a.name) FROM shop.order_lines l JOIN shop.order_lines p ON p.id = l.parent_line_id
	JOIN shop.addresses a ON a.id = l.ship_to_id WHERE l.order_id = :'r_order_id' AND l.line_no = 20), '20|10|sku4|2|0.0000|pickup|b|Grandma', 'its parent, pickup_location and ship_to');
SELECT is((SELECT string_agg(concat_ws(' ', kind, label, amount, tax), ', ' ORDER BY kind) FROM shop.order_charges WHERE order_id = :'r_order_id'),
	'discount Voucher 4.0000 0.0000, duty 3.0000 0.0000, fee 1.0000 0.0000, shipping Express 9.9000 1.7182, tip 2.0000 0.0000', 'charges');
SELECT is((SELECT string_agg(concat_ws(' ', kind, reason, expires_at AT TIME ZONE 'UTC', placed_by = current_user), ', ' ORDER BY kind) FROM shop.order_holds WHERE order_id = :'r_order_id'),
	'fraud score 87 t, remorse 2030-01-01 00:00:00 t', 'holds');
SELECT is((SELECT string_agg(concat_ws(' ', f.method, f.location, f.pickup_location, a.name), ', ' ORDER BY f.id) FROM shop.fulfillments f LEFT JOIN shop.addresses a ON a.id = f.ship_to_id
	WHERE f.order_id = :'r_order_id'), 'ship a Two, pickup a b Grandma', 'and the fulfillments that follow');

-- what is left out, and null, are the same
SELECT * FROM oms.place_order('shop', '{"channel": "web", "currency": "EUR", "external_ref": null, "customer": null, "ship_to": null, "priority": null, "holds": null, "charges": null,
	"payments": null, "total": null, "attributes": null, "lines": [{"sku": "sku1", "quantity": 1, "unit_price": 5, "line": null, "parent": null, "ship_to": null, "method": null}]}') \gset n_
SELECT is(format('%s %s %s %s %s', :'n_status', :'n_total', :'n_short', :'n_backordered', :'n_repeated'), 'confirmed 5.0000 0 0 f', 'null is as good as left out');
SELECT is((SELECT concat_ws('|', coalesce(external_ref, '-'), coalesce(customer_id::text, 'guest'), ordered_at = now(), tax_included, priority, ship_complete, if_short, attributes) FROM shop.orders
	WHERE id = :'n_order_id'), '-|guest|t|f|7|f|refuse|{}', 'the defaults, some of them the channel''s');
SELECT is((SELECT concat_ws('|', line_no, discount, tax, attributes) FROM shop.order_lines WHERE order_id = :'n_order_id'), '1|0.0000|0.0000|{}', 'and a line''s');
SELECT order_id AS twice FROM oms.place_order('shop', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "sku1", "quantity": 1, "unit_price": 5}, {"sku": "sku1", "quantity": 1, "unit_price": 0},
	{"sku": "sku1", "quantity": 1, "unit_price": 5}]}') \gset
SELECT is((SELECT string_agg(line_no::text, ' ' ORDER BY line_no) FROM shop.order_lines WHERE order_id = :'twice'),
	'1 2 3', 'a sku may repeat and cost nothing; lines are numbered by position');
SELECT is((SELECT status FROM shop.place_order('{"channel": "web", "currency": "EUR", "lines": [], "charges": [{"kind": "fee", "amount": 5}]}')), 'completed', 'an order of charges, by the store''s own function');
SELECT throws_ok($$ SELECT * FROM oms.place_order('shop', NULL) $$, '22004', NULL, 'no document');
SELECT throws_ok($$ SELECT * FROM oms.place_order(NULL, '{}') $$, '22004', NULL, 'no store');
SELECT order_id AS download FROM oms.place_order('shop', '{"channel": "bare", "currency": "EUR", "lines": [{"sku": "song", "quantity": 1, "unit_price": 1}]}') \gset
SELECT is((SELECT method FROM shop.fulfillments WHERE order_id = :'download'), 'digital', 'the sku''s default method comes before the channel''s');
SELECT throws_ok(pg_temp.call('{"channel": "bare", "currency": "EUR", "lines": [{"sku": "sku1", "quantity": 1, "unit_price": 1}]}'), 'OM009', NULL, 'without any method nobody knows how');
SELECT is((SELECT nullif(detail, '')::jsonb -> 0 ->> 'line' FROM pg_temp.fault(pg_temp.call('{"channel": "bare", "currency": "EUR", "lines": [{"sku": "sku1", "quantity": 1, "unit_price": 1}]}'))), '1',
	'OM009 says in its DETAIL which line, as JSON');
SELECT throws_ok(pg_temp.call('{"channel": "web", "currency": "EUR", "lines": [{"sku": "sku30", "quantity": 1, "unit_price": 1}]}'), 'OM003', NULL, 'a location that is not active sells nothing');

-- ---- the customer and addresses

SELECT lives_ok(pg_temp.call('{"channel": "web", "currency": "EUR", "customer": "c1", "lines": [{"sku": "sku1", "quantity": 1, "unit_price": 5}]}'), 'a customer by code');
SELECT is((SELECT concat_ws('|', c.name, count(*)) FROM shop.customers c JOIN shop.orders o ON o.customer_id = c.id WHERE c.code = 'c1' GROUP BY c.name), 'One|1', 'is that customer');
SELECT lives_ok(pg_temp.call('{"channel": "web", "currency": "EUR", "customer": {"code": "c1", "email": "one@example.org"}, "lines": [{"sku": "sku1", "quantity": 1, "unit_price": 5}]}'), 'an object');
SELECT is((SELECT concat_ws('|', name, email, phone) FROM shop.customers WHERE code = 'c1'), 'One|one@example.org', 'adds what it says and leaves the rest');
SELECT lives_ok(pg_temp.call('{"channel": "web", "currency": "EUR", "customer": {"code": "c1", "name": "Uno", "email": "one@example.org"}, "lines": [{"sku": "sku1", "quantity": 1, "unit_price": 5}]}'), 'another name');
SELECT is((SELECT concat_ws('|', name, email, (SELECT count(*) FROM shop.orders WHERE customer_id = c.id)) FROM shop.customers c WHERE code = 'c1'), 'Uno|one@example.org|3', 'replaces it; it is one customer');
SELECT order_id AS sent FROM oms.place_order('shop', '{"channel": "web", "currency": "EUR", "ship_to": {"city": "Ghent", "latitude": 51.0}, "bill_to": {"latitude": 51.00, "city": "Ghent"}, "lines": [
	{"sku": "sku1", "quantity": 1, "unit_price": 5, "ship_to": {"city": "Ghent", "latitude": 51}}, {"sku": "sku2", "quantity": 1, "unit_price": 5, "ship_to": {"city": "Bruges"}}]}') \gset
SELECT is((SELECT count(DISTINCT a) || ' ' || count(*) FROM (SELECT unnest(ARRAY[o.ship_to_id, o.bill_to_id, l.ship_to_id]) AS a FROM shop.orders o JOIN shop.order_lines l ON l.order_id = o.id WHERE o.id = :'sent') AS x),
	'2 6', 'an address that is given more than once is one row');
SELECT is((SELECT count(*) FROM shop.fulfillments f JOIN shop.orders o ON o.id = f.order_id JOIN shop.addresses a ON a.id = o.bill_to_id WHERE a.city = 'Ghent'), 2::bigint, 'two addresses make two parcels');

-- ---- faults: OM012, the message begins with the path

CREATE FUNCTION pg_temp.doc(change jsonb) RETURNS jsonb LANGUAGE sql
AS $$ SELECT jsonb_strip_nulls('{"channel": "web", "currency": "EUR", "lines": [{"sku": "sku1", "quantity": 1, "unit_price": 5}]}' || $1) $$;
CREATE FUNCTION pg_temp.line(change jsonb) RETURNS jsonb LANGUAGE sql
AS $$ SELECT pg_temp.doc(jsonb_build_object('lines', jsonb_build_array('{"sku": "sku2", "quantity": 1, "unit_price": 5}'::jsonb, jsonb_strip_nulls('{"sku": "sku1", "quantity": 1, "unit_price": 5}' || $1)))) $$;
CREATE FUNCTION pg_temp.nested(levels integer) RETURNS jsonb LANGUAGE sql AS $$ SELECT (repeat('{"a":', $1 - 1) || '{}' || repeat('}', $1 - 1))::jsonb $$;
SELECT lives_ok(pg_temp.call(pg_temp.doc('{}')), 'the document is good as such');
SELECT lives_ok(pg_temp.call(pg_temp.line('{}')), 'that with two lines too');
CREATE TEMP TABLE faults (path text, message text, document jsonb);
INSERT INTO faults SELECT path, message, document::jsonb FROM (VALUES
	('', 'document: must be an object', '[]'), ('', 'document: must be an object', 'null'), ('', 'document: must be an object', '"x"'), ('', 'document: must be an object', '7'),
	('channel', 'channel: is required', '{}'),
	('currency', 'currency: is required', '{"channel": "web", "lines": []}'),
	('lines', 'lines: is required', '{"channel": "web", "currency": "EUR"}'),
	('lines', 'lines: an order needs a line or a charge', '{"channel": "web", "currency": "EUR", "lines": []}'),
	('lines', 'lines: an order needs a line or a charge', '{"channel": "web", "currency": "EUR", "lines": [], "charges": []}'),
	('lines[0]', 'lines[0]: must be an object', '{"channel": "web", "currency": "EUR", "lines": [1]}'),
	('lines[0]', 'lines[0]: must be an object', '{"channel": "web", "currency": "EUR", "lines": [[]]}'),
	('lines[0]', 'lines[0]: must be an object', '{"channel": "web", "currency": "EUR", "lines": [null]}')) AS v(path, message, document);
INSERT INTO faults SELECT path, path || ': ' || fault, pg_temp.doc(change::jsonb) FROM (VALUES
	('chanel', 'unknown key', '{"chanel": "web"}'), ('Channel', 'unknown key', '{"Channel": "web"}'),
	('channel', 'unknown channel "nowhere"', '{"channel": "nowhere"}'), ('channel', 'channel "old" is not active', '{"channel": "old"}'),
	('channel', 'must be a text', '{"channel": 7}'), ('channel', 'is empty', '{"channel": ""}'),
	('external_ref', 'must be a text', '{"external_ref": 7}'), ('external_ref', 'is empty', '{"external_ref": ""}'),
	('ordered_at', 'must be a time, such as "2026-11-27T09:30:00Z"', '{"ordered_at": 17}'),
	('ordered_at', 'must be a finite time', '{"ordered_at": "infinity"}'), ('ordered_at', NULL, '{"ordered_at": "yesterday at noon or so"}'), ('ordered_at', NULL, '{"ordered_at": "2026-13-41"}'),
	('currency', 'must be a text', '{"currency": 978}'), ('currency', '"eur" is not a code of 3 letters A to Z', '{"currency": "eur"}'), ('currency', '"EURO" is not a code of 3 letters A to Z', '{"currency": "EURO"}'),
	('tax_included', 'must be true or false', '{"tax_included": "yes"}'), ('tax_included', 'must be true or false', '{"tax_included": 1}'),
	('customer', 'unknown customer "c9"', '{"customer": "c9"}'), ('customer', 'must be a text or an object', '{"customer": 7}'), ('customer', 'must be a text or an object', '{"customer": ["c1"]}'),
	('customer', 'is empty', '{"customer": ""}'), ('customer.code', 'is required', '{"customer": {}}'), ('customer.code', 'is required', '{"customer": {"name": "X"}}'),
	('customer.age', 'unknown key', '{"customer": {"code": "c1", "age": 7}}'), ('customer.email', 'must be a text', '{"customer": {"code": "c1", "email": 7}}'),
	('customer.attributes', 'must be an object', '{"customer": {"code": "c1", "attributes": []}}'),
	('ship_to', 'must be an object', '{"ship_to": "Ghent"}'), ('ship_to.street', 'unknown key', '{"ship_to": {"street": "x"}}'), ('ship_to.city', 'must be a text', '{"ship_to": {"city": 9000}}'),
	('ship_to.country', '"be" is not a code of 2 letters A to Z', '{"ship_to": {"country": "be"}}'), ('ship_to.country', '"BEL" is not a code of 2 letters A to Z', '{"ship_to": {"country": "BEL"}}'),
	('ship_to.latitude', 'is beyond 90 degrees', '{"ship_to": {"latitude": 90.1}}'), ('ship_to.latitude', 'is beyond 90 degrees', '{"ship_to": {"latitude": -91}}'),
	('ship_to.longitude', '181 is more than 180', '{"ship_to": {"longitude": 181}}'), ('ship_to.longitude', 'must be a number', '{"ship_to": {"longitude": "3.7"}}'),
	('bill_to', 'must be an object', '{"bill_to": []}'), ('bill_to.name', 'must be a text', '{"bill_to": {"name": {}}}'),
	('po_number', 'must be a text', '{"po_number": 17}'), ('priority', 'must be a number', '{"priority": "high"}'), ('priority', '1.5 has more than 0 decimals', '{"priority": 1.5}'),
	('priority', '3000000000 is more than 2147483647', '{"priority": 3000000000}'), ('ship_complete', 'must be true or false', '{"ship_complete": "no"}'),
	('if_short', '"wait" is none of refuse, hold', '{"if_short": "wait"}'), ('source_order', 'unknown order "S-1"', '{"source_order": "S-1"}'),
	('source_kind', '"gift" is none of replacement, exchange, subscription, reorder', '{"source_kind": "gift"}'),
	('lines', 'must be an array', '{"lines": {}}'), ('lines', 'must be an array', '{"lines": "sku1"}'),
	('charges', 'must be an array', '{"charges": {}}'), ('charges[0]', 'must be an object', '{"charges": [5]}'), ('charges[0].kind', 'is required', '{"charges": [{"amount": 5}]}'),
	('charges[0].amount', 'is required', '{"charges": [{"kind": "fee"}]}'), ('charges[0].kind', '"gift" is none of shipping, fee, tip, duty, discount', '{"charges": [{"kind": "gift", "amount": 5}]}'),
	('charges[1].amount', '-1 is less than 0', '{"charges": [{"kind": "fee", "amount": 1}, {"kind": "fee", "amount": -1}]}'), ('charges[0].tax', 'must be a number', '{"charges": [{"kind": "fee", "amount": 1, "tax": "1"}]}'),
	('charges[0].vat', 'unknown key', '{"charges": [{"kind": "fee", "amount": 1, "vat": 1}]}'), ('charges[0].amount', '1.00001 has more than 4 decimals', '{"charges": [{"kind": "fee", "amount": 1.00001}]}'),
	('holds', 'must be an array', '{"holds": {}}'), ('holds[0]', 'must be an object', '{"holds": ["fraud"]}'), ('holds[0].kind', 'is required', '{"holds": [{}]}'),
	('holds[0].kind', NULL, '{"holds": [{"kind": "boredom"}]}'), ('holds[0].until', 'unknown key', '{"holds": [{"kind": "fraud", "until": "x"}]}'),
	('holds[0].expires_at', NULL, '{"holds": [{"kind": "fraud", "expires_at": "soon"}]}'),
	('stock_hold', 'is empty', '{"stock_hold": ""}'), ('payments', 'must be an array', '{"payments": {}}'), ('payments[0].kind', '"refund" is none of authorize, sale', '{"payments": [{"method": "card", "kind": "refund", "amount": 5}]}'),
	('payments[0].method', 'is required', '{"payments": [{"kind": "sale", "amount": 5}]}'), ('payments[0].amount', 'must be more than 0', '{"payments": [{"method": "card", "kind": "sale", "amount": 0}]}'),
	('payments[0].card', 'unknown key', '{"payments": [{"method": "card", "kind": "sale", "amount": 5, "card": "4111"}]}'),
	('total', 'must be a number', '{"total": "5"}'), ('total', 'lines and charges make 5.0000, not 5.0100', '{"total": 5.01}'), ('total', '-5 is less than 0', '{"total": -5}'),
	('total', NULL, '{"total": 10}'),
	('attributes', 'must be an object', '{"attributes": []}'), ('attributes', 'must be an object', '{"attributes": "x"}')) AS v(path, fault, change);
INSERT INTO faults SELECT path, path || ': ' || fault, pg_temp.line(change::jsonb) FROM (VALUES
	('lines[1].sku', 'is required', '{"sku": null}'), ('lines[1].quantity', 'is required', '{"quantity": null}'), ('lines[1].unit_price', 'is required', '{"unit_price": null}'),
	('lines[1].price', 'unknown key', '{"price": 5}'), ('lines[1].sku', 'unknown sku "sku99"', '{"sku": "sku99"}'), ('lines[1].sku', 'unknown sku "gone"', '{"sku": "gone"}'),
	('lines[1].sku', 'must be a text', '{"sku": 1}'), ('lines[1].sku', 'is empty', '{"sku": ""}'),
	('lines[1].quantity', '0 is less than 1', '{"quantity": 0}'), ('lines[1].quantity', '-2 is less than 1', '{"quantity": -2}'), ('lines[1].quantity', '1.5 has more than 0 decimals', '{"quantity": 1.5}'),
	('lines[1].quantity', '1000000000001 is more than 1000000000000', '{"quantity": 1000000000001}'), ('lines[1].quantity', 'must be a number', '{"quantity": "2"}'), ('lines[1].quantity', 'must be a number', '{"quantity": true}'),
	('lines[1].quantity', NULL, '{"quantity": 1e300}'),
	('lines[1].unit_price', '-1 is less than 0', '{"unit_price": -1}'), ('lines[1].unit_price', '1.23456 has more than 4 decimals', '{"unit_price": 1.23456}'), ('lines[1].unit_price', 'must be a number', '{"unit_price": "5"}'),
	('lines[1].unit_price', '1000000000000000 is more than 999999999999999', '{"unit_price": 1000000000000000}'),
	('lines[1].discount', 'is more than quantity x unit_price', '{"discount": 5.01}'), ('lines[1].discount', '-1 is less than 0', '{"discount": -1}'), ('lines[1].tax', '-1 is less than 0', '{"tax": -1}'),
	('lines[1].description', 'must be a text', '{"description": 7}'), ('lines[1].method', 'unknown method "owl"', '{"method": "owl"}'), ('lines[1].location', 'unknown location "mars"', '{"location": "mars"}'),
	('lines[1].location', 'unknown location "shut"', '{"location": "shut"}'), ('lines[1].pickup_location', 'unknown location "mars"', '{"pickup_location": "mars"}'),
	('lines[1].ship_to', 'must be an object', '{"ship_to": "home"}'), ('lines[1].ship_to.street', 'unknown key', '{"ship_to": {"street": "x"}}'),
	('lines[1].ship_to.country', '"be" is not a code of 2 letters A to Z', '{"ship_to": {"country": "be"}}'),
	('lines[1].ship_group', 'must be a text', '{"ship_group": 1}'), ('lines[1].external_ref', 'is empty', '{"external_ref": ""}'),
	('lines[1].line', 'line 1 is there twice', '{"line": 1}'), ('lines[1].line', 'must be 1 or more', '{"line": 0}'), ('lines[1].line', 'must be 1 or more', '{"line": -3}'), ('lines[1].line', 'must be a number', '{"line": "2"}'),
	('lines[1].line', '1.5 has more than 0 decimals', '{"line": 1.5}'), ('lines[1].parent', 'there is no other line 7', '{"parent": 7}'), ('lines[1].parent', 'there is no other line 2', '{"parent": 2}'),
	('lines[1].parent', 'must be a number', '{"parent": "1"}'), ('lines[1].attributes', 'must be an object', '{"attributes": 5}')) AS v(path, fault, change);
INSERT INTO faults SELECT path, path || ': ' || fault, document FROM (VALUES
	('channel', 'is longer than 64 characters', pg_temp.doc(jsonb_build_object('channel', repeat('x', 65)))),
	('external_ref', 'is longer than 200 characters', pg_temp.doc(jsonb_build_object('external_ref', repeat('x', 201)))),
	('po_number', 'is longer than 200 characters', pg_temp.doc(jsonb_build_object('po_number', repeat('x', 201)))),
	('lines[1].sku', 'is longer than 64 characters', pg_temp.line(jsonb_build_object('sku', repeat('x', 65)))),
	('lines[1].description', 'is longer than 1000 characters', pg_temp.line(jsonb_build_object('description', repeat('x', 1001)))),
	('ship_to.city', 'is longer than 1000 characters', pg_temp.doc(jsonb_build_object('ship_to', jsonb_build_object('city', repeat('x', 1001))))),
	('attributes', 'is nested more than 32 levels deep', pg_temp.doc(jsonb_build_object('attributes', pg_temp.nested(33)))),
	('lines[1].attributes', 'is nested more than 32 levels deep', pg_temp.line(jsonb_build_object('attributes', pg_temp.nested(33)))),
	('lines[1].parent', 'line 2 has a parent itself', pg_temp.doc('{"lines": [{"sku": "sku1", "quantity": 1, "unit_price": 1, "line": 2, "parent": 1}, {"sku": "sku1", "quantity": 1, "unit_price": 1, "line": 3, "parent": 2},
		{"sku": "sku1", "quantity": 1, "unit_price": 1, "line": 1}]}')),
	('total', NULL, pg_temp.doc('{"lines": [{"sku": "sku1", "quantity": 1, "unit_price": 5}], "charges": [{"kind": "discount", "amount": 6}]}')),
	(NULL, NULL, pg_temp.doc('{"lines": [{"sku": "sku1", "quantity": 1000000000000, "unit_price": 999999999999999}], "if_short": "hold"}')),
	(NULL, NULL, pg_temp.doc('{"charges": [{"kind": "fee", "amount": 999999999999999}, {"kind": "fee", "amount": 999999999999999}]}'))) AS v(path, fault, document);
SELECT (SELECT count(*) FROM shop.orders) AS orders, (SELECT count(*) FROM shop.customers) AS customers, (SELECT count(*) FROM shop.addresses) AS addresses,
	(SELECT string_agg(s::text, ' ' ORDER BY sku, location) FROM shop.stock s) AS stock \gset
SELECT throws_ok(pg_temp.call(document), 'OM012', message, left(coalesce(message, path || ': ' || document), 120)) FROM faults;
SELECT is((SELECT string_agg(f.document::text, '; ') FROM faults f, pg_temp.fault(pg_temp.call(document)) AS x WHERE x.state = 'OM012'
	AND path IS NOT NULL AND (nullif(x.detail, '')::jsonb -> 0 ->> 'path' IS DISTINCT FROM path OR NOT starts_with(x.message, CASE path WHEN '' THEN 'document' ELSE path END || ': '))), NULL,
	'the path begins the message and stands in DETAIL, which is JSON');
SELECT is((SELECT count(*) FROM shop.orders), :orders::bigint, 'none of them made an order');
SELECT is((SELECT count(*) FROM shop.customers), :customers::bigint, 'or a customer');
SELECT is((SELECT count(*) FROM shop.addresses), :addresses::bigint, 'or an address');
SELECT is((SELECT string_agg(s::text, ' ' ORDER BY sku, location) FROM shop.stock s), :'stock', 'or took stock');
SELECT throws_ok($$ SELECT * FROM oms.place_order('nowhere', '{}') $$, 'OM010', NULL, 'a store that does not exist');
SELECT throws_ok($$ SELECT * FROM oms.place_order('public', '{}') $$, 'OM010', NULL, 'a schema that is no store');
SELECT lives_ok(pg_temp.call(pg_temp.doc(jsonb_build_object('attributes', pg_temp.nested(32)))), '32 levels of attributes will do');
SELECT lives_ok(pg_temp.call(pg_temp.doc(jsonb_build_object('external_ref', repeat('é', 200)))), '200 characters of reference too');
SELECT lives_ok(pg_temp.call('{"channel": "late", "currency": "EUR", "lines": [{"sku": "sku9", "quantity": 1000000000000, "unit_price": 1}]}'), 'and a trillion units');

-- ---- the same document again

SELECT is((SELECT format('%s %s %s %s', order_id, number, status, repeated) FROM oms.place_order('shop', :'full')), format('%s %s placed t', :'r_order_id', :'r_number'), 'the same again is the same order');
SELECT is((SELECT repeated || number FROM oms.place_order('shop', (:'full'::jsonb || '{"total": 31.900, "ordered_at": "2026-11-01T10:00:00+01:00"}')::text::jsonb)), 'true' || :'r_number', 'whether 31.9 or 31.900');
SELECT order_id AS i, number AS inum FROM oms.place_order('shop', '{"channel": "web", "external_ref": "i-1", "currency": "EUR", "lines": [{"sku": "sku5", "quantity": 1, "unit_price": 1.0, "attributes": {"a": 1, "b": [1.50, {"x": "y"}]}}]}') \gset
SELECT is((SELECT format('%s %s', repeated, order_id) FROM oms.place_order('shop', document)), 't ' || :'i', 'again: ' || document::text)
FROM unnest(ARRAY['{"channel": "web", "external_ref": "i-1", "currency": "EUR", "lines": [{"sku": "sku5", "quantity": 1, "unit_price": 1.0, "attributes": {"a": 1, "b": [1.50, {"x": "y"}]}}]}',
	'{"lines": [{"attributes": {"b": [1.5, {"x": "y"}], "a": 1.000}, "unit_price": 1.00, "quantity": 1e0, "sku": "sku5"}], "currency": "EUR", "external_ref": "i-1", "channel": "web"}',
	'{"channel": "old", "channel": "web", "external_ref": "i-1", "currency": "EUR", "lines": [{"sku": "sku5", "quantity": 1, "unit_price": 1, "attributes": {"a": 1, "b": [1.5, {"x": "y"}]}}]}']::jsonb[]) AS document;
SELECT throws_ok(pg_temp.call(document), 'OM007', 'external_ref "i-1" of channel "web" was used before, with another document', 'another: ' || document::text)
FROM unnest(ARRAY['{"channel": "web", "external_ref": "i-1", "currency": "EUR", "lines": [{"sku": "sku5", "quantity": 2, "unit_price": 1.0, "attributes": {"a": 1, "b": [1.50, {"x": "y"}]}}]}',
	'{"channel": "web", "external_ref": "i-1", "currency": "USD", "lines": [{"sku": "sku5", "quantity": 1, "unit_price": 1.0, "attributes": {"a": 1, "b": [1.50, {"x": "y"}]}}]}',
	'{"channel": "web", "external_ref": "i-1", "currency": "EUR", "lines": [{"sku": "sku5", "quantity": 1, "unit_price": 1.0, "attributes": {"a": "1", "b": [1.50, {"x": "y"}]}}]}',
	'{"channel": "web", "external_ref": "i-1", "currency": "EUR", "lines": [{"sku": "sku5", "quantity": 1, "unit_price": 1.0, "attributes": {"a": 1, "b": [{"x": "y"}, 1.50]}}]}',
	'{"channel": "web", "external_ref": "i-1", "currency": "EUR", "lines": [{"sku": "sku5", "quantity": 1, "unit_price": 1.0, "attributes": {"a": 1, "b": [1.50, {"x": "y"}]}}], "po_number": null}']::jsonb[]) AS document;
SELECT lives_ok(pg_temp.call('{"channel": "late", "external_ref": "i-1", "currency": "EUR", "lines": [{"sku": "sku5", "quantity": 1, "unit_price": 1}]}'), 'a reference is its channel''s');
SELECT is((SELECT reserved FROM shop.stock WHERE sku = 'sku5'), 2::bigint, 'two orders have reserved, no repeat has');
UPDATE shop.orders SET status = 'canceled' WHERE id = :'i';
SELECT is((SELECT format('%s %s', status, repeated) FROM oms.place_order('shop', '{"channel": "web", "external_ref": "i-1", "currency": "EUR", "lines": [{"sku": "sku5", "quantity": 1, "unit_price": 1.0, "attributes": {"a": 1, "b": [1.50, {"x": "y"}]}}]}')),
	'canceled t', 'a repeat tells how the order stands now, and does not place it again');
INSERT INTO shop.orders (channel, currency, external_ref) VALUES ('web', 'EUR', 'by hand');
SELECT throws_ok(pg_temp.call('{"channel": "web", "external_ref": "by hand", "currency": "EUR", "lines": [{"sku": "sku5", "quantity": 1, "unit_price": 1}]}'), 'OM007', NULL, 'a reference that plain SQL has used');
SELECT isnt((SELECT order_id FROM oms.place_order('shop', pg_temp.doc('{}'))), (SELECT order_id FROM oms.place_order('shop', pg_temp.doc('{}'))), 'without a reference every call is an order');

-- ---- short stock

SELECT throws_ok(pg_temp.call('{"channel": "web", "currency": "EUR", "lines": [{"sku": "sku6", "quantity": 101, "unit_price": 1}]}'), 'OM003', 'not enough stock: sku "sku6" wants 101, 100 available', 'refuse: one');
SELECT is((pg_temp.fault(pg_temp.call('{"channel": "web", "currency": "EUR", "lines": [{"sku": "sku6", "quantity": 101, "unit_price": 1}]}'))).detail,
	'[{"line":1,"sku":"sku6","location":null,"wanted":101,"available":100}]', 'DETAIL is JSON');
SELECT throws_ok(pg_temp.call('{"channel": "web", "currency": "EUR", "lines": [{"line": 30, "sku": "sku6", "quantity": 101, "unit_price": 1}, {"line": 20, "sku": "sku7", "quantity": 2, "unit_price": 1},
	{"line": 10, "sku": "sku21", "quantity": 3, "unit_price": 1, "location": "b"}, {"line": 40, "sku": "sku8", "quantity": 100, "unit_price": 1}, {"line": 50, "sku": "sku8", "quantity": 7, "unit_price": 1}]}'),
	'OM003', 'not enough stock: sku "sku21" wants 3, 0 available (and 2 more)', 'refuse: three of five, the first by line');
SELECT is((pg_temp.fault(pg_temp.call('{"channel": "web", "currency": "EUR", "lines": [{"line": 30, "sku": "sku6", "quantity": 101, "unit_price": 1}, {"line": 20, "sku": "sku7", "quantity": 2, "unit_price": 1},
	{"line": 10, "sku": "sku21", "quantity": 3, "unit_price": 1, "location": "b"}, {"line": 40, "sku": "sku8", "quantity": 100, "unit_price": 1}, {"line": 50, "sku": "sku8", "quantity": 7, "unit_price": 1}]}'))).detail,
	'[{"line":10,"sku":"sku21","location":"b","wanted":3,"available":0},{"line":30,"sku":"sku6","location":null,"wanted":101,"available":100},{"line":50,"sku":"sku8","location":null,"wanted":7,"available":0}]',
	'DETAIL has all, in line order');
SELECT is((SELECT count(*) FROM shop.order_lines WHERE sku IN ('sku6', 'sku7', 'sku8')), 0::bigint, 'nothing is written');
SELECT * FROM oms.place_order('shop', '{"channel": "late", "currency": "EUR", "lines": [{"sku": "sku6", "quantity": 101, "unit_price": 1}, {"sku": "sku7", "quantity": 2, "unit_price": 1}, {"sku": "sku21", "quantity": 3, "unit_price": 1}]}') \gset s_
SELECT is(format('%s %s %s %s', :'s_status', :'s_total', :'s_short', :'s_backordered'), 'placed 106.0000 4 0', 'hold: accepted, four units short');
SELECT is((SELECT string_agg(allocated || '+' || short, ' ' ORDER BY line_no) FROM shop.order_lines WHERE order_id = :'s_order_id'), '100+1 2+0 0+3', 'line by line');
SELECT is((SELECT string_agg(concat_ws(' ', kind, released_at), ', ') FROM shop.order_holds WHERE order_id = :'s_order_id'), 'stock', 'one stock hold');
SELECT is((SELECT open_holds FROM shop.orders WHERE id = :'s_order_id'), 1, 'is counted');
SELECT is((SELECT string_agg(event || ' ' || (detail ->> 'quantity'), ', ' ORDER BY id) FROM shop.order_events WHERE order_id = :'s_order_id' AND event = 'shorted'), 'shorted 1, shorted 3', 'and logged');
SELECT lives_ok(pg_temp.call('{"channel": "web", "if_short": "hold", "currency": "EUR", "lines": [{"sku": "sku22", "quantity": 1, "unit_price": 1}]}'), 'the document''s if_short comes before its channel''s');
SELECT throws_ok(pg_temp.call('{"channel": "late", "if_short": "refuse", "currency": "EUR", "lines": [{"sku": "sku22", "quantity": 1, "unit_price": 1}]}'), 'OM003', NULL, 'either way');
INSERT INTO shop.skus (code, name) VALUES ('quo"te\', 'Quoted');
SELECT throws_ok(pg_temp.call('{"channel": "web", "currency": "EUR", "lines": [{"sku": "quo\"te\\", "quantity": 1, "unit_price": 1}]}'), 'OM003', 'not enough stock: sku "quo"te\" wants 1, 0 available', 'a code with quotes');
SELECT is((pg_temp.fault(pg_temp.call('{"channel": "web", "currency": "EUR", "lines": [{"sku": "quo\"te\\", "quantity": 1, "unit_price": 1}]}'))).detail::jsonb -> 0 ->> 'sku', 'quo"te\', 'is escaped in DETAIL');

-- ---- large orders

CREATE FUNCTION pg_temp.large(lines integer) RETURNS jsonb LANGUAGE sql
AS $$ SELECT jsonb_build_object('channel', 'late', 'currency', 'EUR', 'lines', jsonb_agg(jsonb_build_object('sku', 'sku' || (n % 10 + 10), 'quantity', 1, 'unit_price', 0.5))) FROM generate_series(1, $1) AS n $$;
SELECT is((SELECT concat_ws(' ', total, short) FROM oms.place_order('shop', pg_temp.large(10000))), '5000.0000 9000', '10,000 lines are an order');
SELECT throws_ok(pg_temp.call(pg_temp.large(10001)), 'OM012', 'lines: has 10001 elements, more than 10000', '10,001 are not');
SELECT pg_temp.sound('in the end');

SELECT * FROM finish();
ROLLBACK;
