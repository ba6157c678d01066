-- Afternoon. Goods leave, arrive, and one parcel comes back
\i test/demo.d/style
\set ECHO none
SELECT max(number) FILTER (WHERE external_ref = 'W-1') AS ada, max(number) FILTER (WHERE external_ref = 'W-2') AS ben,
	max(number) FILTER (WHERE external_ref = 'W-3') AS mugs, max(number) FILTER (WHERE external_ref = 'W-4') AS dora
	FROM shop.orders \gset
\set ECHO queries

\echo 'One statement ships all parcels that are ready to go, whoever ordered them.'
UPDATE shop.fulfillments SET status = 'shipped', carrier = 'DHL' WHERE method = 'ship' AND status = 'released';

\echo
\echo 'They arrive, and Ben''s, too; he has come for the piano, and it has been tuned. Only Dora was not at home.'
UPDATE shop.fulfillments SET status = 'delivered' WHERE method = 'ship' AND status = 'shipped'
	AND order_id <> (SELECT id FROM shop.orders WHERE number = :'dora');
UPDATE shop.fulfillments SET status = 'collected' WHERE status = 'ready_for_pickup';
UPDATE shop.fulfillments SET status = 'performed' WHERE status = 'scheduled';
UPDATE shop.fulfillments SET status = 'returned_to_sender' WHERE method = 'ship' AND status = 'shipped';

\echo
\echo 'Nobody completed an order by hand: all units shipped, nothing to pay first, so they moved on.'
SELECT number, customer_name, status, fulfillment_status, return_status, due FROM shop.order_summary ORDER BY number;

\set ECHO none
DO $$ BEGIN
	ASSERT (SELECT array_agg(coalesce(external_ref, '') || ' ' || status || ' ' || fulfillment_status ORDER BY number) FROM shop.orders)
		= '{W-1 completed delivered,M-77 canceled unfulfilled,T-1 completed delivered,W-2 completed delivered,W-3 completed delivered,M-78 completed delivered,W-4 completed fulfilled}',
		'the orders are not as told';
	ASSERT (SELECT return_status FROM shop.orders WHERE external_ref = 'W-4') = 'returned', 'the parcel did not come back';
END $$;
