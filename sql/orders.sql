-- Orders, their lines, charges, holds and log. lifecycle.c judges and moves
-- them, lines.c keeps totals, units.c keeps counters.

CREATE FUNCTION oms.layout_orders() RETURNS void
LANGUAGE plpgsql
AS $layout$
BEGIN
	CREATE TABLE orders (
		id uuid PRIMARY KEY,
		number text COLLATE "C" NOT NULL UNIQUE,
		channel text COLLATE "C" NOT NULL REFERENCES channels,
		external_ref text COLLATE "C",
		customer_id uuid REFERENCES customers,
		workflow text COLLATE "C" NOT NULL REFERENCES workflows,
		status text COLLATE "C" NOT NULL,
		status_reason text COLLATE "C" REFERENCES reasons,
		currency character(3) COLLATE "C" NOT NULL,
		tax_included boolean NOT NULL DEFAULT false,
		po_number text,
		priority integer NOT NULL,
		ship_complete boolean NOT NULL DEFAULT false,
		if_short text COLLATE "C" NOT NULL,
		source_order_id uuid REFERENCES orders,
		source_kind text COLLATE "C",
		ship_to_id uuid REFERENCES addresses,
		bill_to_id uuid REFERENCES addresses,
		requested_at timestamptz,
		document_hash bytea,
		payment_required boolean NOT NULL DEFAULT false,
		credit_approved boolean NOT NULL DEFAULT false,
		units bigint NOT NULL DEFAULT 0,
		units_canceled bigint NOT NULL DEFAULT 0,
		units_allocated bigint NOT NULL DEFAULT 0,
		units_backordered bigint NOT NULL DEFAULT 0,
		units_short bigint NOT NULL DEFAULT 0,
		units_shipped bigint NOT NULL DEFAULT 0,
		units_delivered bigint NOT NULL DEFAULT 0,
		units_returned bigint NOT NULL DEFAULT 0,
		fewest_shipments bigint,
		total numeric(19,4) NOT NULL DEFAULT 0,
		credited numeric(19,4) NOT NULL DEFAULT 0,
		authorized numeric(19,4) NOT NULL DEFAULT 0,
		captured numeric(19,4) NOT NULL DEFAULT 0,
		refunded numeric(19,4) NOT NULL DEFAULT 0,
		charged_back numeric(19,4) NOT NULL DEFAULT 0,
		open_holds integer NOT NULL DEFAULT 0,
		payment_status text COLLATE "C" NOT NULL DEFAULT 'unpaid',
		fulfillment_status text COLLATE "C" NOT NULL DEFAULT 'unfulfilled',
		return_status text COLLATE "C" NOT NULL DEFAULT 'none',
		created_at timestamptz NOT NULL DEFAULT now(),
		ordered_at timestamptz NOT NULL DEFAULT now(),
		placed_at timestamptz,
		confirmed_at timestamptz,
		closed_at timestamptz,
		canceled_at timestamptz,
		attributes jsonb NOT NULL DEFAULT '{}',
		revision bigint NOT NULL DEFAULT 0,
		UNIQUE (channel, external_ref),
		-- few and short, since every statement that writes orders reads them anew;
		-- what people write into other columns oms.guard judges (23514)
		CHECK (least(units, units_canceled, units_allocated, units_backordered, units_short, units_shipped, fewest_shipments, open_holds) >= 0),
		CHECK (least(authorized, captured, refunded, charged_back) >= 0),
		CHECK (units_canceled + units_allocated + units_backordered + units_short + units_shipped <= units),
		CHECK (units_delivered BETWEEN 0 AND units_shipped AND units_returned BETWEEN 0 AND units_shipped)
	) WITH (fillfactor = 70);
	CREATE INDEX ON orders (customer_id);
	-- no index holds what changes often, the status least of all: so that updates
	-- stay on their page and leave the indexes alone (HOT)
	CREATE INDEX ON orders (workflow);
	CREATE INDEX orders_on_credit ON orders (customer_id) WHERE credit_approved AND closed_at IS NULL;
	CREATE INDEX orders_open ON orders (ordered_at, id) WHERE closed_at IS NULL;
	CREATE INDEX ON orders (status_reason) WHERE status_reason IS NOT NULL;
	CREATE INDEX ON orders (source_order_id) WHERE source_order_id IS NOT NULL;
	CREATE INDEX ON orders (ship_to_id) WHERE ship_to_id IS NOT NULL;
	CREATE INDEX ON orders (bill_to_id) WHERE bill_to_id IS NOT NULL;
	COMMENT ON TABLE orders IS 'Orders: one lifecycle in status, three derived axes, counters of units and money that the engine keeps';
	COMMENT ON COLUMN orders.id IS 'Key, oms.uuid7() unless the INSERT gives one; fixed (OM006)';
	COMMENT ON COLUMN orders.number IS 'What people call it: settings.number_prefix and the next value of sequence order_number that no order has yet, unless the INSERT gives one; fixed (OM006)';
	COMMENT ON COLUMN orders.channel IS 'Where it comes from; fixed (OM006)';
	COMMENT ON COLUMN orders.external_ref IS 'What the channel calls it, once a channel; oms.place_order knows a repeat by it; fixed (OM006)';
	COMMENT ON COLUMN orders.customer_id IS 'Who buys; NULL: a guest; people may change it unless the order is open and credit_approved (OM006)';
	COMMENT ON COLUMN orders.workflow IS 'Which workflow status follows: the channel''s unless the INSERT gives one; fixed (OM006)';
	COMMENT ON COLUMN orders.status IS 'State in its workflow. An UPDATE of it is a move, by people or, where it is automatic, by the engine: OM001 where there is no such move, OM002 where a guard refuses';
	COMMENT ON COLUMN orders.status_reason IS 'Why it is in that status; people give it in the UPDATE of status, which clears it otherwise. Action release hands it on to fulfillments';
	COMMENT ON COLUMN orders.currency IS 'ISO 4217 code; all money of the order, its lines and charges is in it; fixed (OM006)';
	COMMENT ON COLUMN orders.tax_included IS 'true: prices and charges contain their tax; false: tax is added to them; fixed (OM006)';
	COMMENT ON COLUMN orders.po_number IS 'The customer''s purchase order; people may change it';
	COMMENT ON COLUMN orders.priority IS 'Of orders placed by one statement the lowest number gets stock first; the channel''s unless given; people may change it';
	COMMENT ON COLUMN orders.ship_complete IS 'true: guard group_complete keeps its fulfillments back while any unit of it is backordered or short; people may change it';
	COMMENT ON COLUMN orders.if_short IS 'What becomes of it when units lack stock, refuse or hold as in channels; the channel''s unless given; people may change it until it is placed, after that it is not read';
	COMMENT ON COLUMN orders.source_order_id IS 'The order that this one follows, in the way source_kind says; fixed (OM006)';
	COMMENT ON COLUMN orders.source_kind IS 'How it follows source_order: replacement, exchange, subscription or reorder; people may change it';
	COMMENT ON COLUMN orders.ship_to_id IS 'Where lines go that have no address of their own; copied to fulfillments when they are made; people may change it';
	COMMENT ON COLUMN orders.bill_to_id IS 'Where the invoice goes; people may change it';
	COMMENT ON COLUMN orders.requested_at IS 'When the customer wants the lines that say no time of their own, at the earliest; copied to fulfillments when they are made; NULL: as soon as may be; people may change it until it is placed (OM006)';
	COMMENT ON COLUMN orders.document_hash IS 'sha256 of the document that oms.place_order made it from; NULL where it was inserted otherwise; fixed (OM006)';
	COMMENT ON COLUMN orders.payment_required IS 'Whether guards payable and paid ask for money: copied from the channel when the order is placed, before which they ask the channel itself; kept by the engine';
	COMMENT ON COLUMN orders.credit_approved IS 'true: guard payable holds without money, on the customer''s terms: within credit_limit when it was placed, or a hold of kind credit was released by hand; kept by the engine';
	COMMENT ON COLUMN orders.units IS 'Units ordered, the sum of its lines'' quantity, of bundles that of their components once placed; kept by the engine';
	COMMENT ON COLUMN orders.units_canceled IS 'Units canceled, the sum over its lines; kept by the engine';
	COMMENT ON COLUMN orders.units_allocated IS 'Units that fulfillments hold, the sum over its lines; kept by the engine';
	COMMENT ON COLUMN orders.units_backordered IS 'Units sold for later, the sum over its lines; kept by the engine';
	COMMENT ON COLUMN orders.units_short IS 'Units owed without stock, the sum over its lines; kept by the engine';
	COMMENT ON COLUMN orders.units_shipped IS 'Units that have left, the sum over its lines; kept by the engine';
	COMMENT ON COLUMN orders.units_delivered IS 'Units of those that the customer has, the sum over its lines; kept by the engine';
	COMMENT ON COLUMN orders.units_returned IS 'Units of those shipped that came back, the sum over its lines; kept by the engine';
	COMMENT ON COLUMN orders.fewest_shipments IS 'In how few shipments its units could have left, a location and way each, by the stock of the moment in which they were given to it: when it was placed, and more whenever units that waited got stock; rejects and other ways later change nothing. NULL: a draft, or history; kept by the engine';
	COMMENT ON COLUMN orders.total IS 'Money: of each line quantity x unit_price - discount, and its charges, of which discounts subtract; with all tax; kept by the engine';
	COMMENT ON COLUMN orders.credited IS 'Money of total that is not owed any more: canceled units in proportion to their line, and all charges once every unit is canceled; kept by the engine';
	COMMENT ON COLUMN orders.authorized IS 'Money promised by payments and neither captured nor voided; kept by the engine';
	COMMENT ON COLUMN orders.captured IS 'Money received, refunded or not; kept by the engine';
	COMMENT ON COLUMN orders.refunded IS 'Money of that paid back; kept by the engine';
	COMMENT ON COLUMN orders.charged_back IS 'Money of that taken back by the customer''s bank, less what it returned; kept by the engine';
	COMMENT ON COLUMN orders.open_holds IS 'How many of its order_holds have no released_at; kept by the engine';
	COMMENT ON COLUMN orders.payment_status IS 'The first that is true: charged_back (anything was), refunded (all captured), partially_refunded, paid (captured >= total - credited), partially_paid (anything captured), authorized, paid (placed, total 0), unpaid; kept by the engine';
	COMMENT ON COLUMN orders.fulfillment_status IS 'unfulfilled: no unit has left; partial: fewer than units - units_canceled; fulfilled: all of those; delivered: the customer has all of those; kept by the engine';
	COMMENT ON COLUMN orders.return_status IS 'none: no unit came back; partial: fewer than have left; returned: all of those; requested is not used yet; kept by the engine';
	COMMENT ON COLUMN orders.created_at IS 'When the row was inserted, unless the INSERT says; fixed (OM006)';
	COMMENT ON COLUMN orders.ordered_at IS 'When the customer ordered, as the channel knows it; now unless given; people may change it';
	COMMENT ON COLUMN orders.placed_at IS 'When its stock was taken (action reserve), as the start of that transaction; NULL: its lines and charges can still change; kept by the engine';
	COMMENT ON COLUMN orders.confirmed_at IS 'When action confirm was first done, as the start of that transaction; guard order_confirmed reads it; kept by the engine';
	COMMENT ON COLUMN orders.closed_at IS 'When it entered a final state, as the start of that transaction; NULL while it is in none; kept by the engine';
	COMMENT ON COLUMN orders.canceled_at IS 'When action release was done, as the start of that transaction; NULL after a cancelation without it, such as a draft''s; kept by the engine';
	COMMENT ON COLUMN orders.attributes IS 'Whatever else people want to note, a JSON object; the engine does not read it';
	COMMENT ON COLUMN orders.revision IS 'How often the engine has written the row; a change by hand must leave it as it is (OM005)';

	CREATE TABLE order_lines (
		id uuid PRIMARY KEY,
		order_id uuid NOT NULL REFERENCES orders ON DELETE CASCADE,
		line_no integer NOT NULL CHECK (line_no > 0),
		external_ref text COLLATE "C",
		parent_line_id uuid REFERENCES order_lines ON DELETE CASCADE,
		source_line_id uuid REFERENCES order_lines,
		sku text COLLATE "C" NOT NULL REFERENCES skus,
		description text,
		quantity bigint NOT NULL CHECK (quantity BETWEEN 1 AND 1000000000000),
		unit_price numeric(19,4) NOT NULL CHECK (unit_price >= 0 AND unit_price <> 'NaN'),
		discount numeric(19,4) NOT NULL DEFAULT 0 CHECK (discount >= 0 AND discount <> 'NaN'),
		tax numeric(19,4) NOT NULL DEFAULT 0 CHECK (tax >= 0 AND tax <> 'NaN'),
		method text COLLATE "C" REFERENCES methods,
		location text COLLATE "C" REFERENCES locations,
		pickup_location text COLLATE "C" REFERENCES locations,
		ship_to_id uuid REFERENCES addresses,
		ship_group text COLLATE "C" CHECK (length(ship_group) BETWEEN 1 AND 64),
		requested_at timestamptz CHECK (isfinite(requested_at)),
		canceled bigint NOT NULL DEFAULT 0,
		allocated bigint NOT NULL DEFAULT 0,
		backordered bigint NOT NULL DEFAULT 0,
		short bigint NOT NULL DEFAULT 0,
		shipped bigint NOT NULL DEFAULT 0,
		delivered bigint NOT NULL DEFAULT 0,
		returned bigint NOT NULL DEFAULT 0,
		backorder_policy_id uuid REFERENCES backorder_policies,
		expanded boolean NOT NULL DEFAULT false,
		per_kit bigint CHECK (per_kit > 0),
		attributes jsonb NOT NULL DEFAULT '{}',
		revision bigint NOT NULL DEFAULT 0,
		UNIQUE (order_id, line_no),
		CHECK (discount <= quantity * unit_price),
		CHECK (least(canceled, allocated, backordered, short, shipped) >= 0
			AND canceled + allocated + backordered + short + shipped <= quantity),
		CHECK (delivered BETWEEN 0 AND shipped AND returned BETWEEN 0 AND shipped),
		CHECK (NOT expanded OR canceled + allocated + backordered + short + shipped = 0)
	) WITH (fillfactor = 80);
	CREATE INDEX ON order_lines (sku);
	-- those who wait for units: the predicate is written in fill.c too
	CREATE INDEX order_lines_waiting ON order_lines (sku) WHERE backordered + short > 0;
	CREATE INDEX ON order_lines (backorder_policy_id) WHERE backorder_policy_id IS NOT NULL;
	CREATE INDEX ON order_lines (parent_line_id) WHERE parent_line_id IS NOT NULL;
	CREATE INDEX ON order_lines (source_line_id) WHERE source_line_id IS NOT NULL;
	CREATE INDEX ON order_lines (method) WHERE method IS NOT NULL;
	CREATE INDEX ON order_lines (location) WHERE location IS NOT NULL;
	CREATE INDEX ON order_lines (pickup_location) WHERE pickup_location IS NOT NULL;
	CREATE INDEX ON order_lines (ship_to_id) WHERE ship_to_id IS NOT NULL;
	COMMENT ON TABLE order_lines IS 'What was ordered, a row a line; every unit of quantity is canceled, allocated, backordered, short or shipped once the order is placed. A bundle''s line becomes lines of its components then, which carry its units and money in its place';
	COMMENT ON COLUMN order_lines.id IS 'Key, oms.uuid7() unless the INSERT gives one; fixed once placed (OM006)';
	COMMENT ON COLUMN order_lines.order_id IS 'The order that it is a line of; cannot change (OM006)';
	COMMENT ON COLUMN order_lines.line_no IS 'Its number in the order, 1 or more, as lines arguments and messages call it; fixed once placed (OM006)';
	COMMENT ON COLUMN order_lines.external_ref IS 'What the channel calls the line; people may change it at any time';
	COMMENT ON COLUMN order_lines.parent_line_id IS 'The line that it belongs to: a warranty to what it is for, which it needs to be placed (OM012), a component to its bundle; of other lines the engine does not read it; fixed once placed (OM006)';
	COMMENT ON COLUMN order_lines.source_line_id IS 'The line of an earlier order that it follows; the engine does not read it; fixed once placed (OM006)';
	COMMENT ON COLUMN order_lines.sku IS 'What was ordered; fixed once placed (OM006)';
	COMMENT ON COLUMN order_lines.description IS 'What the customer read; people may change it at any time';
	COMMENT ON COLUMN order_lines.quantity IS 'Units ordered, canceled ones included; fixed once placed (OM006)';
	COMMENT ON COLUMN order_lines.unit_price IS 'Money for one unit, before discount; fixed once placed (OM006)';
	COMMENT ON COLUMN order_lines.discount IS 'Money off the whole line, at most quantity x unit_price; fixed once placed (OM006)';
	COMMENT ON COLUMN order_lines.tax IS 'Money, the whole line''s tax: contained in unit_price where orders.tax_included, else added; fixed once placed (OM006)';
	COMMENT ON COLUMN order_lines.method IS 'How it goes; NULL: by the SKU''s default_method, else the channel''s, as they were when it was placed. Where units of it wait, the engine writes that here, so that they go the same way whatever those say by then; fixed once placed (OM006)';
	COMMENT ON COLUMN order_lines.location IS 'The only location that may serve it; NULL: any; fixed once placed (OM006)';
	COMMENT ON COLUMN order_lines.pickup_location IS 'Where the customer collects it: sourcing asks there first, then elsewhere; NULL: it is not collected; fixed once placed (OM006)';
	COMMENT ON COLUMN order_lines.ship_to_id IS 'Where it goes; NULL: where its order does; fixed once placed (OM006)';
	COMMENT ON COLUMN order_lines.ship_group IS 'Lines of an order with the same word are sourced together where they go the same way, and guard group_complete keeps their fulfillments back while a unit of any is backordered or short; fixed once placed (OM006)';
	COMMENT ON COLUMN order_lines.requested_at IS 'When the customer wants it, at the earliest; of a service the appointment. Lines with different times never share a fulfillment; NULL: when its order says; fixed once placed (OM006)';
	COMMENT ON COLUMN order_lines.canceled IS 'Units that will not be sent; kept by the engine';
	COMMENT ON COLUMN order_lines.allocated IS 'Units that fulfillments with stock_state reserved carry; kept by the engine';
	COMMENT ON COLUMN order_lines.backordered IS 'Units sold without stock under backorder_policy_id, which still wait for it, or of a warranty, which waits for what it is for; kept by the engine';
	COMMENT ON COLUMN order_lines.short IS 'Units owed without stock: the order was placed with if_short hold, or its units could not be sourced anew; kept by the engine';
	COMMENT ON COLUMN order_lines.shipped IS 'Units that have left (action issue), never less again; kept by the engine';
	COMMENT ON COLUMN order_lines.delivered IS 'Units of those shipped that the customer has (action deliver); kept by the engine';
	COMMENT ON COLUMN order_lines.returned IS 'Units of those shipped that came back (action restock); kept by the engine';
	COMMENT ON COLUMN order_lines.backorder_policy_id IS 'The policy that units of it were sold under without stock, also once they have got some; NULL: none were, or it is a warranty; kept by the engine';
	COMMENT ON COLUMN order_lines.expanded IS 'true: the line of a bundle in a placed order. Its components'' lines, whose parent_line_id is this one, count instead of it: it is in no total, and its own counters stay 0; kept by the engine';
	COMMENT ON COLUMN order_lines.per_kit IS 'Of a component''s line: units in one kit, as they were when the order was placed; NULL: the line is no component''s; kept by the engine';
	COMMENT ON COLUMN order_lines.attributes IS 'Whatever else people want to note, a JSON object, at any time; the engine does not read it';
	COMMENT ON COLUMN order_lines.revision IS 'How often the engine has written the row; a change by hand must leave it as it is (OM005)';

	CREATE TABLE order_charges (
		id uuid PRIMARY KEY,
		order_id uuid NOT NULL REFERENCES orders ON DELETE CASCADE,
		kind text COLLATE "C" NOT NULL CHECK (kind IN ('shipping', 'fee', 'tip', 'duty', 'discount')),
		label text,
		amount numeric(19,4) NOT NULL CHECK (amount >= 0 AND amount <> 'NaN'),
		tax numeric(19,4) NOT NULL DEFAULT 0 CHECK (tax >= 0 AND tax <> 'NaN')
	);
	CREATE INDEX ON order_charges (order_id);
	COMMENT ON TABLE order_charges IS 'What an order costs beside its lines; a discount subtracts';
	COMMENT ON COLUMN order_charges.id IS 'Key, oms.uuid7() unless the INSERT gives one; fixed once placed (OM006)';
	COMMENT ON COLUMN order_charges.order_id IS 'The order that it is charged to; cannot change (OM006)';
	COMMENT ON COLUMN order_charges.kind IS 'shipping, fee, tip and duty are added to the order''s total, discount is subtracted; fixed once placed (OM006)';
	COMMENT ON COLUMN order_charges.label IS 'What the customer read; people may change it at any time';
	COMMENT ON COLUMN order_charges.amount IS 'Money, 0 or more, of a discount too; fixed once placed (OM006)';
	COMMENT ON COLUMN order_charges.tax IS 'Money, its tax: contained in amount where orders.tax_included, else added to it; fixed once placed (OM006)';

	CREATE TABLE order_holds (
		id uuid PRIMARY KEY,
		order_id uuid NOT NULL REFERENCES orders ON DELETE CASCADE,
		kind text COLLATE "C" NOT NULL CHECK (kind IN ('fraud', 'payment', 'approval', 'address', 'credit', 'stock',
			'manual', 'remorse')),
		reason text,
		placed_by text NOT NULL,
		placed_at timestamptz NOT NULL DEFAULT clock_timestamp() CHECK (isfinite(placed_at)),
		expires_at timestamptz,
		released_at timestamptz CHECK (isfinite(released_at)),
		released_by text
	);
	CREATE INDEX ON order_holds (order_id);
	CREATE INDEX order_holds_expiring ON order_holds (expires_at, id) WHERE released_at IS NULL AND expires_at IS NOT NULL;
	COMMENT ON TABLE order_holds IS 'What an order waits for: insert a row to hold it, set released_at to let it go on';
	COMMENT ON COLUMN order_holds.id IS 'Key, oms.uuid7() unless the INSERT gives one; fixed (OM006)';
	COMMENT ON COLUMN order_holds.order_id IS 'The order that waits; fixed (OM006)';
	COMMENT ON COLUMN order_holds.kind IS 'What for: fraud, payment, approval, address, credit (written by the engine where the customer''s credit_limit does not cover it, and by people; released by hand it approves the credit), stock (written by the engine where if_short is hold, and by people), manual or remorse; fixed (OM006)';
	COMMENT ON COLUMN order_holds.reason IS 'Why, in words for people';
	COMMENT ON COLUMN order_holds.placed_by IS 'Who holds the order: setting oms.actor, else the user, unless the INSERT says; fixed (OM006)';
	COMMENT ON COLUMN order_holds.placed_at IS 'Since when: the clock at the INSERT unless the INSERT says; fixed (OM006)';
	COMMENT ON COLUMN order_holds.expires_at IS 'When it ends by itself: the first oms.tick after that releases it; NULL or infinity: only people release it; people may change it';
	COMMENT ON COLUMN order_holds.released_at IS 'When it ended; people set it, once (OM006); NULL: it is open and counts in orders.open_holds';
	COMMENT ON COLUMN order_holds.released_by IS 'Who set released_at: setting oms.actor, else the user, unless given; tick: it expired';

	CREATE TABLE order_events (
		id bigserial PRIMARY KEY,
		at timestamptz NOT NULL DEFAULT clock_timestamp(),
		xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
		order_id uuid NOT NULL,
		entity text COLLATE "C" NOT NULL,
		entity_id uuid NOT NULL,
		event text COLLATE "C" NOT NULL,
		from_status text COLLATE "C",
		to_status text COLLATE "C",
		reason text,
		actor text NOT NULL,
		detail jsonb
	);
	CREATE INDEX ON order_events (order_id, id);
	CREATE INDEX ON order_events (xid, id);
	COMMENT ON TABLE order_events IS 'What happened, append-only: the audit log that outboxes, timelines and process analytics read';
	COMMENT ON COLUMN order_events.id IS 'Key, ascending as events are written; transactions may commit in another order';
	COMMENT ON COLUMN order_events.at IS 'When it happened, by the clock';
	COMMENT ON COLUMN order_events.xid IS 'The transaction it happened in, so that readers of the log need not miss events that commit late';
	COMMENT ON COLUMN order_events.order_id IS 'The order it happened to; no foreign key, the events of a deleted draft stay';
	COMMENT ON COLUMN order_events.entity IS 'What it happened to: order, order_line, fulfillment or payment';
	COMMENT ON COLUMN order_events.entity_id IS 'Which of those: its id';
	COMMENT ON COLUMN order_events.event IS 'created; moved (a status changed); allocated (units got stock); shorted (units have none, short or backordered); canceled_units; expanded (a bundle''s line became lines of its components); held, unheld; filled (such units got stock); merged (a fulfillment took the units of others), emptied (a fulfillment''s units went into others: merged, or sourced anew another way); edited (people changed columns of an order or fulfillment); imported (came in as it was, by oms.begin_import); payment (a transaction was recorded)';
	COMMENT ON COLUMN order_events.from_status IS 'What status was before, of moved';
	COMMENT ON COLUMN order_events.to_status IS 'What status was after, of created, moved and imported';
	COMMENT ON COLUMN order_events.reason IS 'Of created, moved and imported the status_reason, of canceled_units the code of a reason, of held and unheld the kind of hold';
	COMMENT ON COLUMN order_events.actor IS 'Who did it: setting oms.actor, else the user';
	COMMENT ON COLUMN order_events.detail IS 'A JSON object without personal data: allocated {units, lines: [{line, location, quantity}]}; canceled_units {line, quantity}; shorted, filled {line, quantity}, of backordered units also policy: id, NULL for a warranty''s; expanded {line, quantity, components: how many lines}; held, unheld {hold: id}; edited {columns: names}; payment {transaction: id, kind, outcome, amount}; merged {from: numbers}; emptied {merged_into: number} or {changed: what}; moved by oms.replace_workflow {workflow: name}, otherwise NULL';
	COMMENT ON SEQUENCE order_events_id_seq IS 'Numbers the events';
END
$layout$;
COMMENT ON FUNCTION oms.layout_orders() IS 'Creates orders and what belongs to them in the first schema of search_path; called by oms.create_store';

CREATE FUNCTION oms.layout_orders_triggers(OUT relation text, OUT name text, OUT fires text, OUT does text, OUT comment text)
RETURNS SETOF record
LANGUAGE sql IMMUTABLE
AS $layout$
VALUES
	('orders', 'oms_guard', 'BEFORE INSERT OR DELETE OR UPDATE', $$FOR EACH ROW EXECUTE FUNCTION oms.guard('order')$$,
		'Fills in number, workflow, status and axes; refuses what is no move (OM001), engine and fixed columns (OM005, OM006), and removing what is no draft'),
	('orders', 'oms_recheck', 'AFTER INSERT OR UPDATE', $$FOR EACH ROW EXECUTE FUNCTION oms.recheck('order')$$,
		'Judges the row again as later triggers left it (OM001, OM005, OM006)'),
	('orders', 'oms_act_insert', 'AFTER INSERT', $$REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION oms.act('order')$$,
		'Logs new orders'),
	('orders', 'oms_act_update', 'AFTER UPDATE', $$REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION oms.act('order')$$,
		'Asks guards (OM002), runs actions, logs, and makes automatic moves, of a statement''s orders at once'),
	('orders', 'oms_truncate', 'BEFORE TRUNCATE', $$FOR EACH STATEMENT EXECUTE FUNCTION oms.refuse('keep')$$,
		'Refuses TRUNCATE (OM006)'),
	('order_lines', 'oms_guard', 'BEFORE INSERT OR DELETE', $$FOR EACH ROW EXECUTE FUNCTION oms.guard('line')$$,
		'Refuses a line that begins with counters (OM005), fills them in where the engine has taken its stock, keeps the lines of placed orders (OM006)'),
	('order_lines', 'oms_engine', 'AFTER UPDATE', $$FOR EACH ROW WHEN (NEW.revision <> OLD.revision + 1
			AND (OLD.canceled IS DISTINCT FROM NEW.canceled OR OLD.allocated IS DISTINCT FROM NEW.allocated
			OR OLD.backordered IS DISTINCT FROM NEW.backordered OR OLD.short IS DISTINCT FROM NEW.short
			OR OLD.shipped IS DISTINCT FROM NEW.shipped OR OLD.delivered IS DISTINCT FROM NEW.delivered
			OR OLD.returned IS DISTINCT FROM NEW.returned
			OR OLD.backorder_policy_id IS DISTINCT FROM NEW.backorder_policy_id
			OR OLD.expanded IS DISTINCT FROM NEW.expanded OR OLD.per_kit IS DISTINCT FROM NEW.per_kit
			OR OLD.revision IS DISTINCT FROM NEW.revision))
			EXECUTE FUNCTION oms.refuse('engine', 'set orders.status or fulfillments.status, or call oms.cancel_lines, instead')$$,
		'Refuses to change by hand what the engine keeps (OM005)'),
	('order_lines', 'oms_recheck', 'AFTER UPDATE', $$FOR EACH ROW WHEN (NEW.revision = OLD.revision) EXECUTE FUNCTION oms.recheck('line')$$,
		'Follows a change by hand into the order''s total and units, refuses it once placed (OM006)'),
	('order_lines', 'oms_act_insert', 'AFTER INSERT', $$REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION oms.act('line')$$,
		'Adds new lines to the order''s total and units, refuses them once placed (OM006)'),
	('order_lines', 'oms_act_delete', 'AFTER DELETE', $$REFERENCING OLD TABLE AS o FOR EACH STATEMENT EXECUTE FUNCTION oms.act('line')$$,
		'Takes removed lines off the order''s total and units, refuses it once placed (OM006)'),
	('order_lines', 'oms_truncate', 'BEFORE TRUNCATE', $$FOR EACH STATEMENT EXECUTE FUNCTION oms.refuse('keep')$$,
		'Refuses TRUNCATE (OM006)'),
	('order_charges', 'oms_act_insert', 'AFTER INSERT', $$REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION oms.act('charge')$$,
		'Adds new charges to the order''s total, refuses them once placed (OM006)'),
	('order_charges', 'oms_act_delete', 'AFTER DELETE', $$REFERENCING OLD TABLE AS o FOR EACH STATEMENT EXECUTE FUNCTION oms.act('charge')$$,
		'Takes removed charges off the order''s total, refuses it once placed (OM006)'),
	('order_charges', 'oms_recheck', 'AFTER UPDATE', $$FOR EACH ROW EXECUTE FUNCTION oms.recheck('charge')$$,
		'Follows a change by hand into the order''s total, refuses it once placed (OM006)'),
	('order_charges', 'oms_truncate', 'BEFORE TRUNCATE', $$FOR EACH STATEMENT EXECUTE FUNCTION oms.refuse('keep')$$,
		'Refuses TRUNCATE (OM006)'),
	('order_holds', 'oms_guard', 'BEFORE INSERT OR UPDATE', $$FOR EACH ROW EXECUTE FUNCTION oms.guard('hold')$$,
		'Refuses to change what a hold is or to open it again (OM006), fills in released_by'),
	('order_holds', 'oms_act_insert', 'AFTER INSERT', $$REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION oms.act('hold')$$,
		'Counts and logs new holds'),
	('order_holds', 'oms_act_update', 'AFTER UPDATE', $$REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION oms.act('hold')$$,
		'Counts and logs holds that were released'),
	('order_holds', 'oms_act_delete', 'AFTER DELETE', $$REFERENCING OLD TABLE AS o FOR EACH STATEMENT EXECUTE FUNCTION oms.act('hold')$$,
		'Refuses to remove holds of an order that stays (OM005)'),
	('order_holds', 'oms_truncate', 'BEFORE TRUNCATE', $$FOR EACH STATEMENT EXECUTE FUNCTION oms.refuse('engine', 'set released_at; the history of holds is kept')$$,
		'Refuses TRUNCATE (OM005)'),
	('order_events', 'oms_insert', 'BEFORE INSERT', $$FOR EACH ROW EXECUTE FUNCTION oms.guard('event')$$,
		'Refuses events by hand (OM005)'),
	('order_events', 'oms_log', 'BEFORE DELETE OR UPDATE', $$FOR EACH ROW EXECUTE FUNCTION oms.refuse('log')$$,
		'Refuses to change or remove events (OM005)'),
	('order_events', 'oms_truncate', 'BEFORE TRUNCATE', $$FOR EACH STATEMENT EXECUTE FUNCTION oms.refuse('log')$$,
		'Refuses TRUNCATE (OM005)')
$layout$;
COMMENT ON FUNCTION oms.layout_orders_triggers() IS 'The triggers of orders and what belongs to them; see oms.layout_triggers';
