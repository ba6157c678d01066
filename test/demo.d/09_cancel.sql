-- Customers change their minds: all of an order, or a part of it
\i test/demo.d/style
\set ECHO none
SELECT number AS mugs FROM shop.orders WHERE external_ref = 'W-3' \gset
SELECT number AS market FROM shop.orders WHERE external_ref = 'M-77' \gset
\set cello :market -2
\set ECHO queries

\echo 'Two of the six mugs are too many. Part of an order is canceled, and part of its price.'
SELECT shop.cancel_lines(id, '[{"line": 1, "quantity": 2}]', 'customer_request') AS canceled
	FROM shop.orders WHERE number = :'mugs';
SELECT number, status, units, units_canceled, total, credited, total - credited AS due FROM shop.orders WHERE number = :'mugs';
SELECT number, status, units FROM shop.fulfillment_facts WHERE order_number = :'mugs' ORDER BY number;

\echo 'The marketplace cancels everything. But the supplier has been told to send the cello.'
\set ON_ERROR_STOP off
UPDATE shop.orders SET status = 'canceled', status_reason = 'customer_request' WHERE number = :'market';
\set requested :SQLSTATE
\set ON_ERROR_STOP on

\echo
\echo 'They are asked to stop it, and can. Now the order goes, and with it both its parts; the mugs are for sale again.'
UPDATE shop.fulfillments SET status = 'cancel_requested' WHERE number = :'cello';
UPDATE shop.orders SET status = 'canceled', status_reason = 'customer_request' WHERE number = :'market';
SELECT number, location, method, status, units FROM shop.fulfillment_facts WHERE order_number = :'market' ORDER BY number;
SELECT sku, location, on_hand, reserved, available FROM shop.stock_position WHERE sku = 'MUG' ORDER BY location;

\set ECHO none
CALL expect_refusal(:'requested', 'OM002');
DO $$ BEGIN
	ASSERT (SELECT units_canceled = 2 AND credited = 24 AND status = 'confirmed' FROM shop.orders WHERE external_ref = 'W-3'),
		'the part was not canceled';
	ASSERT (SELECT status = 'canceled' AND credited = total FROM shop.orders WHERE external_ref = 'M-77'),
		'the marketplace''s order was not canceled';
	ASSERT (SELECT sum(reserved) FROM shop.stock WHERE sku = 'MUG') = 16, 'mugs are not free again';
END $$;
