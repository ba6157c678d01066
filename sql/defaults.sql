-- The rows that every store begins with: workflows, methods, reasons. They are
-- the store's own from then on; people edit them.

CREATE FUNCTION oms.layout_defaults() RETURNS void
LANGUAGE plpgsql
AS $layout$
BEGIN
	INSERT INTO settings (layout_version, server)
	SELECT oms.layout_version(), system_identifier::text FROM pg_control_system();

	INSERT INTO workflows (name, entity, description, definition) VALUES
	('standard', 'order', 'An order from draft to completed or canceled', $$initial draft;
draft -> placed do reserve;
placed -> confirmed when unheld, payable do confirm auto;
confirmed -> completed when fulfilled, paid auto;
draft -> canceled;
placed, confirmed -> canceled when unshipped do release;
placed, confirmed -> canceled when all_canceled do release auto;
final completed, canceled;
$$),
	('ship', 'fulfillment', 'A parcel', $$initial open;
open -> released when order_confirmed, order_unheld, group_complete auto;
released -> picking -> packed;
packed -> picking -> released;
released, picking, packed -> shipped when order_unheld do issue;
shipped, lost -> delivered do deliver;
shipped -> lost;
shipped, lost -> returned_to_sender do restock;
open, released, picking, packed -> canceled do release;
open, released, picking, packed -> rejected do reroute;
final delivered, returned_to_sender, canceled, rejected;
$$),
	('pickup', 'fulfillment', 'The customer collects in a shop', $$initial open;
open -> released when order_confirmed, order_unheld, group_complete auto;
released -> picking -> ready_for_pickup;
ready_for_pickup -> picking -> released;
ready_for_pickup -> collected when order_unheld do issue, deliver;
ready_for_pickup -> uncollected do release;
open, released, picking, ready_for_pickup -> canceled do release;
open, released, picking, ready_for_pickup -> rejected do reroute;
final collected, uncollected, canceled, rejected;
$$),
	('curbside', 'fulfillment', 'The customer waits in the car', $$initial open;
open -> released when order_confirmed, order_unheld, group_complete auto;
released -> picking -> ready_for_pickup;
ready_for_pickup -> picking -> released;
ready_for_pickup -> customer_waiting -> ready_for_pickup;
ready_for_pickup, customer_waiting -> collected when order_unheld do issue, deliver;
ready_for_pickup -> uncollected do release;
open, released, picking, ready_for_pickup, customer_waiting -> canceled do release;
open, released, picking, ready_for_pickup, customer_waiting -> rejected do reroute;
final collected, uncollected, canceled, rejected;
$$),
	('local_delivery', 'fulfillment', 'Our own driver brings it', $$initial open;
open -> released when order_confirmed, order_unheld, group_complete auto;
released -> picking -> packed;
packed -> picking -> released;
released, picking, packed -> out_for_delivery when order_unheld do issue;
out_for_delivery, attempted -> delivered do deliver;
out_for_delivery -> attempted -> out_for_delivery;
out_for_delivery, attempted -> returned_to_sender do restock;
open, released, picking, packed -> canceled do release;
open, released, picking, packed -> rejected do reroute;
final delivered, returned_to_sender, canceled, rejected;
$$),
	('dropship', 'fulfillment', 'The supplier sends it', $$initial open;
open -> requested when order_confirmed, order_unheld, group_complete auto;
requested -> accepted;
requested, accepted, cancel_requested -> shipped do issue;
requested, accepted -> declined do reroute;
requested, accepted -> cancel_requested;
cancel_requested -> accepted;
cancel_requested -> declined do reroute;
open, cancel_requested -> canceled do release;
open -> rejected do reroute;
shipped, lost -> delivered do deliver;
shipped -> lost;
shipped, lost -> returned_to_sender do restock;
final delivered, returned_to_sender, declined, rejected, canceled;
$$),
	('third_party', 'fulfillment', 'A logistics partner sends it from our stock', $$initial open;
open -> requested when order_confirmed, order_unheld, group_complete auto;
requested -> accepted;
requested, accepted, cancel_requested -> shipped do issue;
requested, accepted -> declined do reroute;
requested, accepted -> cancel_requested;
cancel_requested -> accepted;
cancel_requested -> declined do reroute;
open, cancel_requested -> canceled do release;
open -> rejected do reroute;
shipped, lost -> delivered do deliver;
shipped -> lost;
shipped, lost -> returned_to_sender do restock;
final delivered, returned_to_sender, declined, rejected, canceled;
$$),
	('digital', 'fulfillment', 'Sent over the wire', $$initial open;
open -> delivered when order_confirmed, order_unheld do issue, deliver auto;
open -> canceled do release;
open -> rejected do reroute;
final delivered, canceled, rejected;
$$),
	('counter', 'fulfillment', 'Handed over at the till', $$initial open;
open -> handed_over when order_confirmed do issue, deliver auto;
open -> canceled do release;
open -> rejected do reroute;
final handed_over, canceled, rejected;
$$),
	('service', 'fulfillment', 'Somebody does it on a date', $$initial open;
open -> released when order_confirmed, order_unheld, group_complete auto;
released -> scheduled;
scheduled -> released;
scheduled -> performed do issue, deliver;
open, released, scheduled -> canceled do release;
open, released, scheduled -> rejected do reroute;
final performed, canceled, rejected;
$$);

	INSERT INTO methods (code, name, workflow, by_partner) VALUES
	('ship', 'Parcel', 'ship', false),
	('pickup', 'Pickup in store', 'pickup', false),
	('curbside', 'Curbside pickup', 'curbside', false),
	('local_delivery', 'Local delivery', 'local_delivery', false),
	('dropship', 'Dropship by the supplier', 'dropship', true),
	('third_party', 'Sent by a logistics partner', 'third_party', true),
	('digital', 'Download', 'digital', false),
	('counter', 'Handed over at the counter', 'counter', false),
	('service', 'Service on a date', 'service', false);

	INSERT INTO reasons (code, entity, description, stock_effect) VALUES
	('customer_request', NULL, 'The customer asked for it', 'none'),
	('duplicate', 'order', 'The order was placed twice', 'none'),
	('fraud', 'order', 'The order is fraudulent', 'none'),
	('payment_failed', 'order', 'The payment failed', 'none'),
	('out_of_stock', NULL, 'There are no units', 'none'),
	('not_found', 'fulfillment', 'The units are not where they should be', 'quarantine'),
	('damaged', 'fulfillment', 'The units are damaged', 'write_off'),
	('no_capacity', 'fulfillment', 'The location cannot do it in time', 'none'),
	('closed', 'fulfillment', 'The location is closed', 'none'),
	('declined', 'fulfillment', 'The partner declined', 'none'),
	('other', NULL, 'Something else', 'none');
END
$layout$;
COMMENT ON FUNCTION oms.layout_defaults() IS 'Inserts the rows that a store begins with into tables of the first schema of search_path; called by oms.create_store';
