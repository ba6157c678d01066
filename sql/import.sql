-- Rows of the past. import.c.

CREATE FUNCTION oms.begin_import(store text) RETURNS void
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'oms_begin_import';
COMMENT ON FUNCTION oms.begin_import(text) IS 'Until the end of the transaction the store''s owner inserts rows of the past as they are: orders, order_lines, order_charges, order_holds, fulfillments and fulfillment_lines in any state of their workflow, with times and counters as given; stock and stock_movements with what they hold and did. Nothing is counted, taken, moved or asked; each order and fulfillment is logged as imported. See oms.verify_store afterwards. Errors: OM010 no such store; 42501 not the owner; 40001 another session imports into the store';
