-- Payments and what was done with them at the gateway. payment.c judges the
-- rows, transactions.c folds transactions into payments and orders.

CREATE FUNCTION oms.layout_payments() RETURNS void
LANGUAGE plpgsql
AS $layout$
BEGIN
	CREATE TABLE payments (
		id uuid PRIMARY KEY,
		order_id uuid NOT NULL REFERENCES orders,
		method text COLLATE "C" NOT NULL CHECK (length(method) BETWEEN 1 AND 64),
		amount numeric(19,4) NOT NULL CHECK (amount > 0 AND amount <> 'NaN'),
		status text COLLATE "C" NOT NULL DEFAULT 'pending',
		authorized numeric(19,4) NOT NULL DEFAULT 0,
		captured numeric(19,4) NOT NULL DEFAULT 0,
		voided numeric(19,4) NOT NULL DEFAULT 0,
		refunded numeric(19,4) NOT NULL DEFAULT 0,
		charged_back numeric(19,4) NOT NULL DEFAULT 0,
		capture_requested numeric(19,4) NOT NULL DEFAULT 0,
		refund_requested numeric(19,4) NOT NULL DEFAULT 0,
		open_requests integer NOT NULL DEFAULT 0,
		failures integer NOT NULL DEFAULT 0,
		revision bigint NOT NULL DEFAULT 0,
		CHECK (least(authorized, captured, voided, refunded, charged_back, capture_requested, refund_requested) >= 0),
		CHECK (capture_requested <= authorized),
		CHECK (refunded + refund_requested <= captured),
		CHECK (least(open_requests, failures) >= 0)
	) WITH (fillfactor = 80);
	CREATE INDEX ON payments (order_id);
	-- what gateway workers look for, however long the history is
	CREATE INDEX payments_open_requests ON payments (id) WHERE open_requests > 0;
	COMMENT ON TABLE payments IS 'Ways in which an order is paid, a row each; what became of one is in payment_transactions, and counted here';
	COMMENT ON COLUMN payments.id IS 'Key, oms.uuid7() unless the INSERT gives one; fixed (OM006)';
	COMMENT ON COLUMN payments.order_id IS 'The order that is paid; fixed (OM006)';
	COMMENT ON COLUMN payments.method IS 'How: card, invoice, cash or whatever people call it, 1 to 64 characters; the engine does not read it; fixed (OM006)';
	COMMENT ON COLUMN payments.amount IS 'Money that is to be paid this way, in the order''s currency; more or less may come; fixed (OM006)';
	COMMENT ON COLUMN payments.status IS 'The first that is true: charged_back (anything is), refunded (all captured), partially_refunded (anything), captured (amount or more), partially_captured (anything), authorized, voided, failed (an answer said so and no request is open), pending; kept by the engine';
	COMMENT ON COLUMN payments.authorized IS 'Money authorized and neither captured nor voided yet; kept by the engine';
	COMMENT ON COLUMN payments.captured IS 'Money received, by captures and sales; refunds do not lessen it; kept by the engine';
	COMMENT ON COLUMN payments.voided IS 'Money authorized that was let go of; kept by the engine';
	COMMENT ON COLUMN payments.refunded IS 'Money of captured that was paid back; kept by the engine';
	COMMENT ON COLUMN payments.charged_back IS 'Money that the customer''s bank took back, less what it returned; kept by the engine';
	COMMENT ON COLUMN payments.capture_requested IS 'Money of authorized that open requests would capture or void; kept by the engine';
	COMMENT ON COLUMN payments.refund_requested IS 'Money of captured that open requests would refund; kept by the engine';
	COMMENT ON COLUMN payments.open_requests IS 'How many of its transactions are requested and not answered; kept by the engine';
	COMMENT ON COLUMN payments.failures IS 'How many of its transactions failed; kept by the engine';
	COMMENT ON COLUMN payments.revision IS 'How often the engine has written the row; a change by hand must leave it as it is (OM005)';

	CREATE TABLE payment_transactions (
		id bigserial PRIMARY KEY,
		at timestamptz NOT NULL DEFAULT clock_timestamp() CHECK (isfinite(at)),
		payment_id uuid NOT NULL REFERENCES payments,
		kind text COLLATE "C" NOT NULL CHECK (kind IN ('authorize', 'capture', 'sale', 'void', 'refund', 'chargeback',
			'chargeback_reversal')),
		outcome text COLLATE "C" NOT NULL CHECK (outcome IN ('requested', 'succeeded', 'failed')),
		amount numeric(19,4) NOT NULL CHECK (amount > 0 AND amount <> 'NaN'),
		gateway_ref text COLLATE "C" CHECK (length(gateway_ref) BETWEEN 1 AND 200),
		fulfillment_id uuid REFERENCES fulfillments,
		reason text,
		CONSTRAINT payment_transactions_replay UNIQUE (payment_id, kind, outcome, gateway_ref)
	);
	CREATE INDEX ON payment_transactions (fulfillment_id) WHERE fulfillment_id IS NOT NULL;
	COMMENT ON TABLE payment_transactions IS 'The ledger of money: append-only, people and gateway workers insert what is asked for and what came of it';
	COMMENT ON COLUMN payment_transactions.id IS 'Key, ascending as rows are written; transactions may commit in another order';
	COMMENT ON COLUMN payment_transactions.at IS 'When it happened: the clock at the INSERT unless the INSERT says';
	COMMENT ON COLUMN payment_transactions.payment_id IS 'The payment whose money it is';
	COMMENT ON COLUMN payment_transactions.kind IS 'authorize: promised; capture: received of that; sale: received at once; void: of what was authorized, let go of; refund: paid back; chargeback: taken back by the customer''s bank; chargeback_reversal: returned by it';
	COMMENT ON COLUMN payment_transactions.outcome IS 'requested: the gateway is to be asked; succeeded: money has moved; failed: it has not. A later row succeeded or failed with the same payment_id, kind and gateway_ref answers the one requested';
	COMMENT ON COLUMN payment_transactions.amount IS 'Money, more than 0, in the order''s currency';
	COMMENT ON COLUMN payment_transactions.gateway_ref IS 'What the gateway knows it by, such as the idempotency key sent with it. A row with the same one, payment_id, kind and outcome as an earlier row is left out, and is OM007 if its amount differs; NULL: such as cash, not known as a repeat; of requested a new id where it is left out';
	COMMENT ON COLUMN payment_transactions.fulfillment_id IS 'The fulfillment of the same order that it is for; NULL: no certain one';
	COMMENT ON COLUMN payment_transactions.reason IS 'Why, in words for people or the gateway''s';
	COMMENT ON SEQUENCE payment_transactions_id_seq IS 'Numbers the transactions';

	CREATE VIEW refunds_due WITH (security_invoker = true) AS
	SELECT o.id::text AS order_id, o.number AS order_number, o.channel, c.name AS customer_name, o.status, o.currency::text AS currency,
		o.total - o.credited AS due, o.captured, o.refunded, o.charged_back,
		coalesce((SELECT sum(p.refund_requested) FROM payments p WHERE p.order_id = o.id), 0) AS refund_requested,
		o.captured - o.refunded - o.charged_back - (o.total - o.credited) AS refund_due
	FROM orders o LEFT JOIN customers c ON c.id = o.customer_id
	WHERE o.captured > 0 AND o.captured - o.refunded - o.charged_back - (o.total - o.credited) > 0;
	COMMENT ON VIEW refunds_due IS 'One row an order that has more of the customer''s money than it costs; basis: the order, as it is now';
	COMMENT ON COLUMN refunds_due.order_id IS 'orders.id';
	COMMENT ON COLUMN refunds_due.order_number IS 'What people call the order';
	COMMENT ON COLUMN refunds_due.channel IS 'Code of the channel it comes from';
	COMMENT ON COLUMN refunds_due.customer_name IS 'The customer''s name as it is now; NULL: a guest, or a customer without one';
	COMMENT ON COLUMN refunds_due.status IS 'The order''s state in its workflow';
	COMMENT ON COLUMN refunds_due.currency IS 'ISO 4217 code of all money here; do not add up over currencies';
	COMMENT ON COLUMN refunds_due.due IS 'Money that the order costs in the end: total - credited';
	COMMENT ON COLUMN refunds_due.captured IS 'Money received for it';
	COMMENT ON COLUMN refunds_due.refunded IS 'Money of captured that was paid back';
	COMMENT ON COLUMN refunds_due.charged_back IS 'Money that the customer''s bank took back, less what it returned';
	COMMENT ON COLUMN refunds_due.refund_requested IS 'Money of refund_due that open requests would pay back already';
	COMMENT ON COLUMN refunds_due.refund_due IS 'Money to pay back: captured - refunded - charged_back - due, more than 0';
END
$layout$;
COMMENT ON FUNCTION oms.layout_payments() IS 'Creates payments in the first schema of search_path; called by oms.create_store';

CREATE FUNCTION oms.layout_payments_triggers(OUT relation text, OUT name text, OUT fires text, OUT does text, OUT comment text)
RETURNS SETOF record
LANGUAGE sql IMMUTABLE
AS $layout$
VALUES
	('payments', 'oms_guard', 'BEFORE INSERT OR DELETE OR UPDATE', $$FOR EACH ROW EXECUTE FUNCTION oms.guard('payment')$$,
		'Derives status; refuses engine and fixed columns (OM005, OM006), amounts that are none (OM011), and removing one'),
	('payments', 'oms_recheck', 'AFTER INSERT OR UPDATE', $$FOR EACH ROW EXECUTE FUNCTION oms.recheck('payment')$$,
		'Judges the row again as later triggers left it (OM005, OM006)'),
	('payments', 'oms_truncate', 'BEFORE TRUNCATE', $$FOR EACH STATEMENT EXECUTE FUNCTION oms.refuse('keep')$$,
		'Refuses TRUNCATE (OM006)'),
	('payment_transactions', 'oms_guard', 'BEFORE INSERT', $$FOR EACH ROW EXECUTE FUNCTION oms.guard('payment_transaction')$$,
		'Leaves out replays (OM007), refuses amounts that are none (OM011), gives requests a reference'),
	('payment_transactions', 'oms_act', 'AFTER INSERT', $$REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION oms.act('payment_transaction')$$,
		'Counts a statement''s transactions into payments and orders (OM011), logs them, and makes the automatic moves that they open'),
	('payment_transactions', 'oms_log', 'BEFORE DELETE OR UPDATE', $$FOR EACH ROW EXECUTE FUNCTION oms.refuse('log')$$,
		'Refuses to change or remove transactions (OM005)'),
	('payment_transactions', 'oms_truncate', 'BEFORE TRUNCATE', $$FOR EACH STATEMENT EXECUTE FUNCTION oms.refuse('log')$$,
		'Refuses TRUNCATE (OM005)')
$layout$;
COMMENT ON FUNCTION oms.layout_payments_triggers() IS 'The triggers of payments and their transactions; see oms.layout_triggers';
