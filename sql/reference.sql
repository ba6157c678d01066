-- Reference data: natural text keys that never change (OM006), edited by people.

CREATE FUNCTION oms.layout_reference() RETURNS void
LANGUAGE plpgsql
AS $layout$
BEGIN
	CREATE TABLE settings (
		id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
		layout_version integer NOT NULL,
		number_prefix text COLLATE "C" NOT NULL DEFAULT 'S-' CHECK (length(number_prefix) <= 16),
		import_xid xid8
	);
	COMMENT ON TABLE settings IS 'The store''s settings, one row';
	CREATE SEQUENCE order_number START 1000 MINVALUE 1;
	COMMENT ON SEQUENCE order_number IS 'Counts order numbers; a number is the prefix in settings and the next value';

	CREATE TABLE workflows (
		name text COLLATE "C" PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 64),
		entity text COLLATE "C" NOT NULL CHECK (entity IN ('order', 'fulfillment')),
		definition text NOT NULL,
		compiled oms.workflow GENERATED ALWAYS AS (definition::oms.workflow) STORED,
		description text,
		revision bigint NOT NULL DEFAULT 1
	);
	COMMENT ON TABLE workflows IS 'The state machines that orders and fulfillments follow; an edit is in force in every session at its next statement';

	CREATE TABLE methods (
		code text COLLATE "C" PRIMARY KEY CHECK (length(code) BETWEEN 1 AND 64),
		name text NOT NULL,
		workflow text COLLATE "C" NOT NULL REFERENCES workflows,
		by_partner boolean NOT NULL DEFAULT false
	);
	CREATE INDEX ON methods (workflow);
	COMMENT ON TABLE methods IS 'The ways in which goods reach the customer: parcel, pickup, dropship, digital and so on';

	CREATE TABLE channels (
		code text COLLATE "C" PRIMARY KEY CHECK (length(code) BETWEEN 1 AND 64),
		name text NOT NULL,
		kind text COLLATE "C" NOT NULL DEFAULT 'web'
			CHECK (kind IN ('web', 'marketplace', 'pos', 'phone', 'b2b', 'edi', 'app')),
		order_workflow text COLLATE "C" NOT NULL DEFAULT 'standard' REFERENCES workflows,
		default_method text COLLATE "C" DEFAULT 'ship' REFERENCES methods,
		payment_required boolean NOT NULL DEFAULT false,
		if_short text COLLATE "C" NOT NULL DEFAULT 'refuse' CHECK (if_short IN ('refuse', 'hold')),
		priority integer NOT NULL DEFAULT 100,
		active boolean NOT NULL DEFAULT true,
		attributes jsonb NOT NULL DEFAULT '{}'
	);
	CREATE INDEX ON channels (order_workflow);
	CREATE INDEX ON channels (default_method);
	COMMENT ON TABLE channels IS 'Where orders come from: a web shop, a marketplace, a till, a call center';

	CREATE TABLE locations (
		code text COLLATE "C" PRIMARY KEY CHECK (length(code) BETWEEN 1 AND 64),
		name text NOT NULL,
		kind text COLLATE "C" NOT NULL DEFAULT 'warehouse'
			CHECK (kind IN ('warehouse', 'store', 'supplier', 'third_party', 'virtual')),
		tracked boolean NOT NULL DEFAULT true,
		country character(2) COLLATE "C",
		region text,
		city text,
		postal_code text,
		latitude double precision CHECK (latitude BETWEEN -90 AND 90),
		longitude double precision CHECK (longitude BETWEEN -180 AND 180),
		time_zone text NOT NULL DEFAULT 'UTC',
		priority integer NOT NULL DEFAULT 100,
		active boolean NOT NULL DEFAULT true,
		attributes jsonb NOT NULL DEFAULT '{}'
	);
	COMMENT ON TABLE locations IS 'Where units are: warehouses, shops, suppliers, third parties';

	CREATE TABLE skus (
		code text COLLATE "C" PRIMARY KEY CHECK (length(code) BETWEEN 1 AND 64),
		name text NOT NULL,
		kind text COLLATE "C" NOT NULL DEFAULT 'physical'
			CHECK (kind IN ('physical', 'digital', 'service', 'warranty', 'subscription', 'bundle')),
		tracked boolean NOT NULL,
		weight_grams bigint CHECK (weight_grams >= 0),
		default_method text COLLATE "C" REFERENCES methods,
		tags text[] NOT NULL DEFAULT '{}',
		active boolean NOT NULL DEFAULT true,
		attributes jsonb NOT NULL DEFAULT '{}'
	);
	CREATE INDEX ON skus (default_method);
	COMMENT ON TABLE skus IS 'What is sold, by stock keeping unit';

	CREATE TABLE reasons (
		code text COLLATE "C" PRIMARY KEY CHECK (length(code) BETWEEN 1 AND 64),
		entity text COLLATE "C" CHECK (entity IN ('order', 'fulfillment')),
		description text NOT NULL DEFAULT '',
		stock_effect text COLLATE "C" NOT NULL DEFAULT 'none'
			CHECK (stock_effect IN ('none', 'quarantine', 'write_off'))
	);
	COMMENT ON TABLE reasons IS 'Why a status changed, and what that says about the units concerned';

	CREATE TABLE customers (
		id uuid PRIMARY KEY DEFAULT oms.uuid7(),
		code text COLLATE "C" NOT NULL UNIQUE CHECK (length(code) BETWEEN 1 AND 64),
		name text,
		email text,
		phone text,
		parent_id uuid REFERENCES customers,
		credit_limit numeric(19,4) CHECK (credit_limit >= 0 AND credit_limit <> 'NaN'),
		terms_days integer CHECK (terms_days >= 0),
		attributes jsonb NOT NULL DEFAULT '{}'
	);
	CREATE INDEX ON customers (parent_id);
	COMMENT ON TABLE customers IS 'Who buys; an order without a customer is a guest''s';

	CREATE TABLE addresses (
		id uuid PRIMARY KEY DEFAULT oms.uuid7(),
		name text,
		company text,
		line1 text,
		line2 text,
		city text,
		region text,
		postal_code text,
		country character(2) COLLATE "C",
		latitude double precision CHECK (latitude BETWEEN -90 AND 90),
		longitude double precision CHECK (longitude BETWEEN -180 AND 180),
		phone text,
		email text
	);
	COMMENT ON TABLE addresses IS 'Where an order, a line or a fulfillment goes; a row is never changed but for erasure (set to NULL), a change is a new row';

	CREATE TRIGGER oms_guard BEFORE INSERT OR UPDATE ON workflows
		FOR EACH ROW EXECUTE FUNCTION oms.guard('workflow');
	CREATE TRIGGER oms_invalidate AFTER INSERT OR UPDATE OR DELETE ON workflows
		FOR EACH ROW EXECUTE FUNCTION oms.invalidate();
	ALTER TABLE workflows ENABLE ALWAYS TRIGGER oms_invalidate;
	CREATE TRIGGER oms_invalidate AFTER INSERT OR UPDATE OR DELETE ON settings
		FOR EACH ROW EXECUTE FUNCTION oms.invalidate();
	ALTER TABLE settings ENABLE ALWAYS TRIGGER oms_invalidate;
	CREATE TRIGGER oms_keep BEFORE DELETE ON settings
		FOR EACH ROW EXECUTE FUNCTION oms.refuse('keep');
	CREATE TRIGGER oms_guard BEFORE INSERT ON skus
		FOR EACH ROW WHEN (NEW.tracked IS NULL) EXECUTE FUNCTION oms.guard('sku');
	CREATE TRIGGER oms_guard BEFORE UPDATE ON addresses
		FOR EACH ROW EXECUTE FUNCTION oms.guard('address');

	CREATE TRIGGER oms_fixed AFTER UPDATE ON methods
		FOR EACH ROW WHEN (OLD.code <> NEW.code) EXECUTE FUNCTION oms.refuse('key', 'code');
	CREATE TRIGGER oms_fixed AFTER UPDATE ON channels
		FOR EACH ROW WHEN (OLD.code <> NEW.code) EXECUTE FUNCTION oms.refuse('key', 'code');
	CREATE TRIGGER oms_fixed AFTER UPDATE ON locations
		FOR EACH ROW WHEN (OLD.code <> NEW.code) EXECUTE FUNCTION oms.refuse('key', 'code');
	CREATE TRIGGER oms_fixed AFTER UPDATE ON skus
		FOR EACH ROW WHEN (OLD.code <> NEW.code) EXECUTE FUNCTION oms.refuse('key', 'code');
	CREATE TRIGGER oms_fixed AFTER UPDATE ON reasons
		FOR EACH ROW WHEN (OLD.code <> NEW.code) EXECUTE FUNCTION oms.refuse('key', 'code');
	CREATE TRIGGER oms_fixed AFTER UPDATE ON customers
		FOR EACH ROW WHEN (OLD.id <> NEW.id) EXECUTE FUNCTION oms.refuse('key', 'id');
END
$layout$;
COMMENT ON FUNCTION oms.layout_reference() IS 'Creates reference tables in the first schema of search_path; called by oms.create_store';
