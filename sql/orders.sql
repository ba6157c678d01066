-- Orders, their lines, charges, holds and log. lifecycle.c judges and moves
-- them, lines.c keeps totals, units.c keeps counters.

CREATE FUNCTION oms.layout_orders() RETURNS void
LANGUAGE plpgsql
AS $layout$
BEGIN
	CREATE TABLE orders (
		id uuid PRIMARY KEY DEFAULT oms.uuid7(),
		number text COLLATE "C" NOT NULL UNIQUE CHECK (length(number) BETWEEN 1 AND 64),
		channel text COLLATE "C" NOT NULL REFERENCES channels,
		external_ref text COLLATE "C" CHECK (length(external_ref) BETWEEN 1 AND 200),
		customer_id uuid REFERENCES customers,
		workflow text COLLATE "C" NOT NULL REFERENCES workflows,
		status text COLLATE "C" NOT NULL,
		status_reason text COLLATE "C" REFERENCES reasons,
		currency character(3) COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
		tax_included boolean NOT NULL DEFAULT false,
		po_number text,
		priority integer NOT NULL,
		ship_complete boolean NOT NULL DEFAULT false,
		if_short text COLLATE "C" NOT NULL CHECK (if_short IN ('refuse', 'hold')),
		source_order uuid REFERENCES orders,
		source_kind text COLLATE "C" CHECK (source_kind IN ('replacement', 'exchange', 'subscription', 'reorder')),
		ship_to_id uuid REFERENCES addresses,
		bill_to_id uuid REFERENCES addresses,
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
		total numeric(19,4) NOT NULL DEFAULT 0 CHECK (total <> 'NaN'),
		credited numeric(19,4) NOT NULL DEFAULT 0 CHECK (credited <> 'NaN'),
		authorized numeric(19,4) NOT NULL DEFAULT 0 CHECK (authorized >= 0 AND authorized <> 'NaN'),
		captured numeric(19,4) NOT NULL DEFAULT 0 CHECK (captured >= 0 AND captured <> 'NaN'),
		refunded numeric(19,4) NOT NULL DEFAULT 0 CHECK (refunded >= 0 AND refunded <> 'NaN'),
		charged_back numeric(19,4) NOT NULL DEFAULT 0 CHECK (charged_back >= 0 AND charged_back <> 'NaN'),
		open_holds integer NOT NULL DEFAULT 0 CHECK (open_holds >= 0),
		payment_status text COLLATE "C" NOT NULL DEFAULT 'unpaid' CHECK (payment_status IN ('unpaid', 'authorized',
			'partially_paid', 'paid', 'partially_refunded', 'refunded', 'charged_back')),
		fulfillment_status text COLLATE "C" NOT NULL DEFAULT 'unfulfilled'
			CHECK (fulfillment_status IN ('unfulfilled', 'partial', 'fulfilled', 'delivered')),
		return_status text COLLATE "C" NOT NULL DEFAULT 'none'
			CHECK (return_status IN ('none', 'requested', 'partial', 'returned')),
		created_at timestamptz NOT NULL DEFAULT now(),
		ordered_at timestamptz NOT NULL DEFAULT now() CHECK (isfinite(ordered_at)),
		placed_at timestamptz,
		confirmed_at timestamptz,
		closed_at timestamptz,
		canceled_at timestamptz,
		attributes jsonb NOT NULL DEFAULT '{}',
		revision bigint NOT NULL DEFAULT 0,
		UNIQUE (channel, external_ref),
		CHECK (units >= 0 AND units_canceled >= 0 AND units_allocated >= 0 AND units_backordered >= 0
			AND units_short >= 0 AND units_shipped >= 0),
		CHECK (units_canceled + units_allocated + units_backordered + units_short + units_shipped <= units),
		CHECK (units_delivered BETWEEN 0 AND units_shipped AND units_returned BETWEEN 0 AND units_shipped)
	) WITH (fillfactor = 70);
	CREATE INDEX ON orders (customer_id);
	CREATE INDEX ON orders (workflow, status);
	CREATE INDEX ON orders (status_reason) WHERE status_reason IS NOT NULL;
	CREATE INDEX ON orders (source_order) WHERE source_order IS NOT NULL;
	CREATE INDEX ON orders (ship_to_id) WHERE ship_to_id IS NOT NULL;
	CREATE INDEX ON orders (bill_to_id) WHERE bill_to_id IS NOT NULL;
	COMMENT ON TABLE orders IS 'Orders: one lifecycle in status, three derived axes, counters of units and money that the engine keeps';

	CREATE TABLE order_lines (
		id uuid PRIMARY KEY DEFAULT oms.uuid7(),
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
		canceled bigint NOT NULL DEFAULT 0,
		allocated bigint NOT NULL DEFAULT 0,
		backordered bigint NOT NULL DEFAULT 0,
		short bigint NOT NULL DEFAULT 0,
		shipped bigint NOT NULL DEFAULT 0,
		delivered bigint NOT NULL DEFAULT 0,
		returned bigint NOT NULL DEFAULT 0,
		backorder_policy_id uuid,
		attributes jsonb NOT NULL DEFAULT '{}',
		revision bigint NOT NULL DEFAULT 0,
		UNIQUE (order_id, line_no),
		CHECK (discount <= quantity * unit_price),
		CHECK (canceled >= 0 AND allocated >= 0 AND backordered >= 0 AND short >= 0 AND shipped >= 0
			AND canceled + allocated + backordered + short + shipped <= quantity),
		CHECK (delivered BETWEEN 0 AND shipped AND returned BETWEEN 0 AND shipped)
	) WITH (fillfactor = 80);
	CREATE INDEX ON order_lines (sku);
	CREATE INDEX order_lines_short ON order_lines (sku) WHERE short > 0;
	CREATE INDEX ON order_lines (parent_line_id) WHERE parent_line_id IS NOT NULL;
	CREATE INDEX ON order_lines (source_line_id) WHERE source_line_id IS NOT NULL;
	CREATE INDEX ON order_lines (method) WHERE method IS NOT NULL;
	CREATE INDEX ON order_lines (location) WHERE location IS NOT NULL;
	CREATE INDEX ON order_lines (pickup_location) WHERE pickup_location IS NOT NULL;
	CREATE INDEX ON order_lines (ship_to_id) WHERE ship_to_id IS NOT NULL;
	COMMENT ON TABLE order_lines IS 'What was ordered, a row a line; every unit of quantity is canceled, allocated, backordered, short or shipped once the order is placed';

	CREATE TABLE order_charges (
		id uuid PRIMARY KEY DEFAULT oms.uuid7(),
		order_id uuid NOT NULL REFERENCES orders ON DELETE CASCADE,
		kind text COLLATE "C" NOT NULL CHECK (kind IN ('shipping', 'fee', 'tip', 'duty', 'discount')),
		label text,
		amount numeric(19,4) NOT NULL CHECK (amount >= 0 AND amount <> 'NaN'),
		tax numeric(19,4) NOT NULL DEFAULT 0 CHECK (tax >= 0 AND tax <> 'NaN')
	);
	CREATE INDEX ON order_charges (order_id);
	COMMENT ON TABLE order_charges IS 'What an order costs beside its lines; a discount subtracts';

	CREATE TABLE order_holds (
		id uuid PRIMARY KEY DEFAULT oms.uuid7(),
		order_id uuid NOT NULL REFERENCES orders ON DELETE CASCADE,
		kind text COLLATE "C" NOT NULL CHECK (kind IN ('fraud', 'payment', 'approval', 'address', 'credit', 'stock',
			'manual', 'remorse')),
		reason text,
		placed_by text NOT NULL DEFAULT oms.actor(),
		placed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
		expires_at timestamptz,
		released_at timestamptz,
		released_by text
	);
	CREATE INDEX ON order_holds (order_id);
	COMMENT ON TABLE order_holds IS 'What an order waits for: insert a row to hold it, set released_at to let it go on';

	CREATE TABLE order_events (
		id bigserial PRIMARY KEY,
		at timestamptz NOT NULL DEFAULT clock_timestamp(),
		xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
		order_id uuid NOT NULL,
		entity text COLLATE "C" NOT NULL,
		entity_id uuid NOT NULL,
		event text COLLATE "C" NOT NULL CHECK (event IN ('created', 'moved', 'allocated', 'shorted', 'canceled_units',
			'filled', 'held', 'unheld', 'payment', 'edited', 'imported')),
		from_status text COLLATE "C",
		to_status text COLLATE "C",
		reason text,
		actor text NOT NULL,
		detail jsonb
	);
	CREATE INDEX ON order_events (order_id, id);
	COMMENT ON TABLE order_events IS 'What happened, append-only: the audit log that outboxes, timelines and process analytics read';

	CREATE TRIGGER oms_guard BEFORE INSERT OR UPDATE OR DELETE ON orders
		FOR EACH ROW EXECUTE FUNCTION oms.guard('order');
	CREATE TRIGGER oms_recheck AFTER INSERT OR UPDATE ON orders
		FOR EACH ROW EXECUTE FUNCTION oms.recheck('order');
	CREATE TRIGGER oms_act_insert AFTER INSERT ON orders REFERENCING NEW TABLE AS n
		FOR EACH STATEMENT EXECUTE FUNCTION oms.act('order');
	CREATE TRIGGER oms_act_update AFTER UPDATE ON orders REFERENCING OLD TABLE AS o NEW TABLE AS n
		FOR EACH STATEMENT EXECUTE FUNCTION oms.act('order');
	CREATE TRIGGER oms_truncate BEFORE TRUNCATE ON orders
		FOR EACH STATEMENT EXECUTE FUNCTION oms.refuse('keep');

	CREATE TRIGGER oms_insert BEFORE INSERT ON order_lines
		FOR EACH ROW WHEN (NEW.canceled <> 0 OR NEW.allocated <> 0 OR NEW.backordered <> 0 OR NEW.short <> 0
			OR NEW.shipped <> 0 OR NEW.delivered <> 0 OR NEW.returned <> 0 OR NEW.backorder_policy_id IS NOT NULL
			OR NEW.revision <> 0)
		EXECUTE FUNCTION oms.refuse('engine', 'insert the line without its counters');
	CREATE TRIGGER oms_engine AFTER UPDATE ON order_lines
		FOR EACH ROW WHEN (NEW.revision <> OLD.revision + 1
			AND (OLD.canceled, OLD.allocated, OLD.backordered, OLD.short, OLD.shipped, OLD.delivered, OLD.returned,
				OLD.backorder_policy_id, OLD.revision)
				IS DISTINCT FROM (NEW.canceled, NEW.allocated, NEW.backordered, NEW.short, NEW.shipped, NEW.delivered,
				NEW.returned, NEW.backorder_policy_id, NEW.revision))
		EXECUTE FUNCTION oms.refuse('engine', 'set orders.status or fulfillments.status, or call oms.cancel_lines, instead');
	CREATE TRIGGER oms_recheck AFTER UPDATE ON order_lines
		FOR EACH ROW WHEN (NEW.revision = OLD.revision) EXECUTE FUNCTION oms.recheck('line');
	CREATE TRIGGER oms_act_insert AFTER INSERT ON order_lines REFERENCING NEW TABLE AS n
		FOR EACH STATEMENT EXECUTE FUNCTION oms.act('line');
	CREATE TRIGGER oms_act_delete AFTER DELETE ON order_lines REFERENCING OLD TABLE AS o
		FOR EACH STATEMENT EXECUTE FUNCTION oms.act('line');
	CREATE TRIGGER oms_truncate BEFORE TRUNCATE ON order_lines
		FOR EACH STATEMENT EXECUTE FUNCTION oms.refuse('keep');

	CREATE TRIGGER oms_act_insert AFTER INSERT ON order_charges REFERENCING NEW TABLE AS n
		FOR EACH STATEMENT EXECUTE FUNCTION oms.act('charge');
	CREATE TRIGGER oms_act_delete AFTER DELETE ON order_charges REFERENCING OLD TABLE AS o
		FOR EACH STATEMENT EXECUTE FUNCTION oms.act('charge');
	CREATE TRIGGER oms_recheck AFTER UPDATE ON order_charges
		FOR EACH ROW EXECUTE FUNCTION oms.recheck('charge');
	CREATE TRIGGER oms_truncate BEFORE TRUNCATE ON order_charges
		FOR EACH STATEMENT EXECUTE FUNCTION oms.refuse('keep');

	CREATE TRIGGER oms_guard BEFORE INSERT OR UPDATE ON order_holds
		FOR EACH ROW EXECUTE FUNCTION oms.guard('hold');
	CREATE TRIGGER oms_act_insert AFTER INSERT ON order_holds REFERENCING NEW TABLE AS n
		FOR EACH STATEMENT EXECUTE FUNCTION oms.act('hold');
	CREATE TRIGGER oms_act_update AFTER UPDATE ON order_holds REFERENCING OLD TABLE AS o NEW TABLE AS n
		FOR EACH STATEMENT EXECUTE FUNCTION oms.act('hold');
	CREATE TRIGGER oms_act_delete AFTER DELETE ON order_holds REFERENCING OLD TABLE AS o
		FOR EACH STATEMENT EXECUTE FUNCTION oms.act('hold');
	CREATE TRIGGER oms_truncate BEFORE TRUNCATE ON order_holds
		FOR EACH STATEMENT EXECUTE FUNCTION oms.refuse('log');

	CREATE TRIGGER oms_insert BEFORE INSERT ON order_events
		FOR EACH ROW EXECUTE FUNCTION oms.guard('event');
	CREATE TRIGGER oms_log BEFORE UPDATE OR DELETE ON order_events
		FOR EACH ROW EXECUTE FUNCTION oms.refuse('log');
	CREATE TRIGGER oms_truncate BEFORE TRUNCATE ON order_events
		FOR EACH STATEMENT EXECUTE FUNCTION oms.refuse('log');
END
$layout$;
COMMENT ON FUNCTION oms.layout_orders() IS 'Creates orders and what belongs to them in the first schema of search_path; called by oms.create_store';
