-- Reference data: natural text keys that never change (OM006), edited by people.

CREATE FUNCTION oms.layout_reference() RETURNS void
LANGUAGE plpgsql
AS $layout$
BEGIN
	CREATE TABLE settings (
		id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
		layout_version integer NOT NULL,
		number_prefix text COLLATE "C" NOT NULL DEFAULT 'S-' CHECK (length(number_prefix) <= 16),
		import_xid xid8,
		server text COLLATE "C",
		moved_after bigint[] NOT NULL DEFAULT '{}'
	);
	COMMENT ON TABLE settings IS 'The store''s settings, one row';
	COMMENT ON COLUMN settings.id IS 'Always 1: there is one row';
	COMMENT ON COLUMN settings.layout_version IS 'Which layout the store''s tables have; a version of oms that works on another refuses the store (OM008)';
	COMMENT ON COLUMN settings.number_prefix IS 'What the numbers of new orders begin with, such as S- in S-1042; people may change it';
	COMMENT ON COLUMN settings.import_xid IS 'The last transaction that imported rows of the past; written by oms.begin_import, read by nobody';
	COMMENT ON COLUMN settings.server IS 'The PostgreSQL server that writes the store''s events, by its database system identifier; where it is another one than this, the store was restored or replicated here and not written since; kept by the engine';
	COMMENT ON COLUMN settings.moved_after IS 'Each time that the store was first written on another server, the id of the last of order_events until then; oms.events_after tells by them whose count of transactions an event''s xid belongs to; kept by the engine';
	CREATE SEQUENCE order_number START 1000 MINVALUE 1;
	COMMENT ON SEQUENCE order_number IS 'Counts order numbers; a number is the prefix in settings and the next value';

	CREATE TABLE workflows (
		name text COLLATE "C" PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 64),
		entity text COLLATE "C" NOT NULL CHECK (entity IN ('order', 'fulfillment')),
		definition text NOT NULL,
		description text,
		revision bigint NOT NULL DEFAULT 1
	);
	COMMENT ON TABLE workflows IS 'The state machines that orders and fulfillments follow; an edit is in force in every session at its next statement';
	COMMENT ON COLUMN workflows.name IS 'Key, chosen by people; never changes (OM006); orders, fulfillments, channels and methods point to it';
	COMMENT ON COLUMN workflows.entity IS 'What follows it, order or fulfillment; never changes (OM006)';
	COMMENT ON COLUMN workflows.definition IS 'The text that people edit. It is saved only if it can be read (22P02, 54000), all its guards and actions exist, oms.lint finds no error, and no row is in a state that it lacks (OM004); oms.replace_workflow has rows follow';
	COMMENT ON COLUMN workflows.description IS 'What it is for, in words for people';
	COMMENT ON COLUMN workflows.revision IS 'How often it has been saved, the first time included; counted by the engine';

	CREATE TABLE methods (
		code text COLLATE "C" PRIMARY KEY CHECK (length(code) BETWEEN 1 AND 64),
		name text NOT NULL,
		workflow text COLLATE "C" NOT NULL REFERENCES workflows,
		by_partner boolean NOT NULL DEFAULT false,
		lead_time interval NOT NULL DEFAULT '0' CHECK (lead_time BETWEEN '0' AND '1 year')
	);
	CREATE INDEX ON methods (workflow);
	COMMENT ON TABLE methods IS 'The ways in which goods reach the customer: parcel, pickup, dropship, digital and so on';
	COMMENT ON COLUMN methods.code IS 'Key, chosen by people; never changes (OM006)';
	COMMENT ON COLUMN methods.name IS 'What people see';
	COMMENT ON COLUMN methods.workflow IS 'Which workflow its new fulfillments follow, one of entity fulfillment';
	COMMENT ON COLUMN methods.by_partner IS 'true: locations of kind supplier or third_party alone may serve its lines, tracked or not, unless a line names its location';
	COMMENT ON COLUMN methods.lead_time IS 'How long before fulfillments.requested_at work begins: from then on guard due holds for its fulfillments, at once or by the next oms.tick; at most a year';

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
	COMMENT ON COLUMN channels.code IS 'Key, chosen by people; never changes (OM006)';
	COMMENT ON COLUMN channels.name IS 'What people see';
	COMMENT ON COLUMN channels.kind IS 'What sort of channel: web, marketplace, pos (a till), phone, b2b, edi or app; for reports, the engine does not read it';
	COMMENT ON COLUMN channels.order_workflow IS 'Which workflow its new orders follow, one of entity order';
	COMMENT ON COLUMN channels.default_method IS 'How lines go that name no method and whose SKU has no default_method; NULL: placing such a line is OM009';
	COMMENT ON COLUMN channels.payment_required IS 'Whether orders must be paid, which guards payable and paid ask: of drafts here, of others on the order, to which it is copied when it is placed';
	COMMENT ON COLUMN channels.if_short IS 'What becomes of an order when units lack stock, unless the order says otherwise. refuse: it is not placed (OM003); hold: it is, those units are short and a hold of kind stock is put on it';
	COMMENT ON COLUMN channels.priority IS 'Copied to new orders that give none: of orders placed by one statement the lowest number gets stock first';
	COMMENT ON COLUMN channels.active IS 'false: oms.place_order takes no documents for it (OM012); INSERT INTO orders is not asked';
	COMMENT ON COLUMN channels.attributes IS 'Whatever else people want to note, a JSON object; the engine does not read it';

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
		methods text[] COLLATE "C",
		fixed_cost numeric(19,4) NOT NULL DEFAULT 0 CHECK (fixed_cost BETWEEN 0 AND 100000000000),
		pick_cost numeric(19,4) NOT NULL DEFAULT 0 CHECK (pick_cost BETWEEN 0 AND 100000000000),
		daily_capacity bigint CHECK (daily_capacity BETWEEN 0 AND 1000000000000),
		cutoff time without time zone,
		active boolean NOT NULL DEFAULT true,
		attributes jsonb NOT NULL DEFAULT '{}',
		CONSTRAINT locations_methods_is_a_list CHECK (coalesce(array_ndims(methods), 1) = 1 AND array_position(methods, NULL) IS NULL)
	);
	COMMENT ON TABLE locations IS 'Where units are: warehouses, shops, suppliers, third parties';
	COMMENT ON COLUMN locations.code IS 'Key, chosen by people; never changes (OM006)';
	COMMENT ON COLUMN locations.name IS 'What people see';
	COMMENT ON COLUMN locations.kind IS 'warehouse, store, supplier, third_party or virtual; supplier and third_party are partners, who alone serve methods by_partner';
	COMMENT ON COLUMN locations.tracked IS 'Whether its units are counted in stock here. false: it keeps its own books, takes no movements (OM003) and never runs short; it serves lines that name it and, being a partner, methods by_partner';
	COMMENT ON COLUMN locations.country IS 'ISO 3166-1 code of two letters; with region and postal_code it says which of zones the location is in';
	COMMENT ON COLUMN locations.region IS 'State, province or county';
	COMMENT ON COLUMN locations.city IS 'Town';
	COMMENT ON COLUMN locations.postal_code IS 'ZIP or postal code, as it is written there';
	COMMENT ON COLUMN locations.latitude IS 'Degrees north of the equator, south negative; for distances, see sourcing_policies.per_km_cost';
	COMMENT ON COLUMN locations.longitude IS 'Degrees east of Greenwich, west negative';
	COMMENT ON COLUMN locations.time_zone IS 'A name from pg_timezone_names, such as Europe/Berlin (22023); cutoff is in it';
	COMMENT ON COLUMN locations.priority IS 'In which order sourcing asks locations: the lowest number first, then by code';
	COMMENT ON COLUMN locations.methods IS 'Codes of the methods by which it sends, each one of methods (23503); NULL: all';
	COMMENT ON COLUMN locations.fixed_cost IS 'Money that a shipment from here costs, whatever it is and wherever it goes';
	COMMENT ON COLUMN locations.pick_cost IS 'Money that each unit costs to pick and pack here';
	COMMENT ON COLUMN locations.daily_capacity IS 'Units that can leave here in a day; NULL: no limit';
	COMMENT ON COLUMN locations.cutoff IS 'Time of day, in its time_zone, from which on orders go the next day; NULL: none';
	COMMENT ON COLUMN locations.active IS 'false: sourcing passes it over, what it holds already stays, and oms.place_order refuses lines that name it (OM012)';
	COMMENT ON COLUMN locations.attributes IS 'Whatever else people want to note, a JSON object; the engine does not read it';

	CREATE TABLE skus (
		code text COLLATE "C" PRIMARY KEY CHECK (length(code) BETWEEN 1 AND 64),
		name text NOT NULL,
		kind text COLLATE "C" NOT NULL DEFAULT 'physical'
			CHECK (kind IN ('physical', 'digital', 'service', 'warranty', 'subscription', 'bundle')),
		tracked boolean NOT NULL,
		ship_together boolean NOT NULL DEFAULT true,
		weight_grams bigint CHECK (weight_grams >= 0),
		default_method text COLLATE "C" REFERENCES methods,
		tags text[] NOT NULL DEFAULT '{}',
		active boolean NOT NULL DEFAULT true,
		attributes jsonb NOT NULL DEFAULT '{}',
		CHECK (NOT tracked OR kind NOT IN ('digital', 'service', 'warranty', 'bundle'))
	);
	CREATE INDEX ON skus (default_method);
	COMMENT ON TABLE skus IS 'What is sold, by stock keeping unit';
	COMMENT ON COLUMN skus.code IS 'Key, chosen by people; never changes (OM006)';
	COMMENT ON COLUMN skus.name IS 'What people see';
	COMMENT ON COLUMN skus.kind IS 'physical, digital, service, warranty, subscription or bundle. A bundle is sent as what bundle_items says; a warranty is sold with the line that it is for (parent). A SKU that is a bundle or a warranty stays one, and others never become one (OM006)';
	COMMENT ON COLUMN skus.tracked IS 'Whether units of it are counted in stock. false: it is never short. Always false for digital, service, warranty and bundle (23514). Left out or NULL at INSERT: true for physical, false for others';
	COMMENT ON COLUMN skus.ship_together IS 'Of a bundle: true: its components are sourced together and wait for each other (a ship_group of their own); false: each goes as soon as it can';
	COMMENT ON COLUMN skus.weight_grams IS 'Grams that one unit weighs, for shipping_rates.per_kg; NULL: as if nothing';
	COMMENT ON COLUMN skus.default_method IS 'How lines of it go that name no method; NULL: as the channel says';
	COMMENT ON COLUMN skus.tags IS 'Words to group it by, such as those that rows of sourcing_rules name';
	COMMENT ON COLUMN skus.active IS 'false: oms.place_order takes no lines of it (OM012); INSERT INTO order_lines is not asked';
	COMMENT ON COLUMN skus.attributes IS 'Whatever else people want to note, a JSON object; the engine does not read it';

	CREATE TABLE reasons (
		code text COLLATE "C" PRIMARY KEY CHECK (length(code) BETWEEN 1 AND 64),
		entity text COLLATE "C" CHECK (entity IN ('order', 'fulfillment')),
		description text NOT NULL DEFAULT '',
		stock_effect text COLLATE "C" NOT NULL DEFAULT 'none'
			CHECK (stock_effect IN ('none', 'quarantine', 'write_off'))
	);
	COMMENT ON TABLE reasons IS 'Why a status changed, and what that says about the units concerned';
	COMMENT ON COLUMN reasons.code IS 'Key, chosen by people; never changes (OM006)';
	COMMENT ON COLUMN reasons.entity IS 'Whose status_reason it is meant for, order or fulfillment; NULL: both. A help to whoever chooses, not enforced';
	COMMENT ON COLUMN reasons.description IS 'What it means, in words for people';
	COMMENT ON COLUMN reasons.stock_effect IS 'What becomes of units that a move gives back for this reason (actions release, reroute, restock). none: they can be sold again; quarantine: a movement makes them unavailable; write_off: a movement of kind damage takes them off';

	CREATE TABLE customers (
		id uuid PRIMARY KEY,
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
	COMMENT ON COLUMN customers.id IS 'Key, oms.uuid7() unless the INSERT gives one; never changes (OM006)';
	COMMENT ON COLUMN customers.code IS 'What documents call the customer, one customer''s alone; people may change it';
	COMMENT ON COLUMN customers.name IS 'Of the person or company; people write it, and oms.place_order what a document says of it';
	COMMENT ON COLUMN customers.email IS 'E-mail address; people write it, and oms.place_order what a document says of it';
	COMMENT ON COLUMN customers.phone IS 'Telephone number; people write it, and oms.place_order what a document says of it';
	COMMENT ON COLUMN customers.parent_id IS 'The customer that this one is a part of, such as a branch''s company; the engine does not read it';
	COMMENT ON COLUMN customers.credit_limit IS 'Money that the customer may owe for open orders placed on credit, in the currency of its orders, which is not converted; NULL: no credit. Read when an order is placed whose channel requires payment';
	COMMENT ON COLUMN customers.terms_days IS 'Days that the customer has to pay; the engine does not read it';
	COMMENT ON COLUMN customers.attributes IS 'Whatever else people want to note, a JSON object; the engine does not read it. oms.place_order replaces it by a document''s';

	CREATE TABLE addresses (
		id uuid PRIMARY KEY,
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
	COMMENT ON COLUMN addresses.id IS 'Key, oms.uuid7() unless the INSERT gives one';
	COMMENT ON COLUMN addresses.name IS 'Who receives what is sent there';
	COMMENT ON COLUMN addresses.company IS 'Where they work, if that is part of the address';
	COMMENT ON COLUMN addresses.line1 IS 'Street and house, or what stands for them';
	COMMENT ON COLUMN addresses.line2 IS 'Floor, apartment, building';
	COMMENT ON COLUMN addresses.city IS 'Town';
	COMMENT ON COLUMN addresses.region IS 'State, province or county';
	COMMENT ON COLUMN addresses.postal_code IS 'ZIP or postal code, as it is written there';
	COMMENT ON COLUMN addresses.country IS 'ISO 3166-1 code of two letters';
	COMMENT ON COLUMN addresses.latitude IS 'Degrees north of the equator, south negative; for distances, see sourcing_policies.per_km_cost';
	COMMENT ON COLUMN addresses.longitude IS 'Degrees east of Greenwich, west negative';
	COMMENT ON COLUMN addresses.phone IS 'Whom to call on delivery';
	COMMENT ON COLUMN addresses.email IS 'Where to write about the delivery';
END
$layout$;
COMMENT ON FUNCTION oms.layout_reference() IS 'Creates reference tables in the first schema of search_path; called by oms.create_store';

CREATE FUNCTION oms.layout_reference_triggers(OUT relation text, OUT name text, OUT fires text, OUT does text, OUT comment text)
RETURNS SETOF record
LANGUAGE sql IMMUTABLE
AS $layout$
VALUES
	('workflows', 'oms_queue', 'BEFORE INSERT OR UPDATE', $$FOR EACH STATEMENT EXECUTE FUNCTION oms.guard('workflow')$$,
		'Has statements that edit workflows wait for each other'),
	('workflows', 'oms_guard', 'BEFORE INSERT OR UPDATE', $$FOR EACH ROW EXECUTE FUNCTION oms.guard('workflow')$$,
		'Refuses a definition that the store cannot follow (OM004, OM006), counts revision'),
	('workflows', 'oms_invalidate', 'AFTER INSERT OR DELETE OR UPDATE', $$FOR EACH ROW EXECUTE FUNCTION oms.invalidate()$$,
		'Has every session read the workflows anew, replicas'' too'),
	('settings', 'oms_invalidate', 'AFTER INSERT OR DELETE OR UPDATE', $$FOR EACH ROW EXECUTE FUNCTION oms.invalidate()$$,
		'Has every session read the settings anew, replicas'' too'),
	('settings', 'oms_truncate', 'BEFORE TRUNCATE', $$FOR EACH STATEMENT EXECUTE FUNCTION oms.refuse('keep')$$,
		'The row stays'),
	('settings', 'oms_keep', 'BEFORE DELETE', $$FOR EACH ROW EXECUTE FUNCTION oms.refuse('keep')$$,
		'Refuses to remove the one row (OM006)'),
	('channels', 'oms_guard', 'BEFORE INSERT OR UPDATE', $$FOR EACH ROW EXECUTE FUNCTION oms.guard('channel')$$,
		'Has order_workflow name a workflow for orders (OM004)'),
	('methods', 'oms_guard', 'BEFORE INSERT OR UPDATE', $$FOR EACH ROW EXECUTE FUNCTION oms.guard('method')$$,
		'Has workflow name a workflow for fulfillments (OM004)'),
	('skus', 'oms_guard', 'BEFORE INSERT', $$FOR EACH ROW WHEN (NEW.tracked IS NULL) EXECUTE FUNCTION oms.guard('sku')$$,
		'Fills in tracked by kind where it is left out'),
	('addresses', 'oms_guard', 'BEFORE UPDATE', $$FOR EACH ROW EXECUTE FUNCTION oms.guard('address')$$,
		'Refuses any change but erasure (OM006)'),
	('methods', 'oms_fixed', 'BEFORE UPDATE', $$FOR EACH ROW WHEN (OLD.code <> NEW.code) EXECUTE FUNCTION oms.refuse('key', 'code')$$,
		'Refuses another code (OM006)'),
	('channels', 'oms_fixed', 'BEFORE UPDATE', $$FOR EACH ROW WHEN (OLD.code <> NEW.code) EXECUTE FUNCTION oms.refuse('key', 'code')$$,
		'Refuses another code (OM006)'),
	('locations', 'oms_fixed', 'BEFORE UPDATE', $$FOR EACH ROW WHEN (OLD.code <> NEW.code) EXECUTE FUNCTION oms.refuse('key', 'code')$$,
		'Refuses another code (OM006)'),
	('skus', 'oms_fixed', 'BEFORE UPDATE', $$FOR EACH ROW WHEN (OLD.code <> NEW.code) EXECUTE FUNCTION oms.refuse('key', 'code')$$,
		'Refuses another code (OM006)'),
	('skus', 'oms_kind', 'BEFORE UPDATE', $$FOR EACH ROW WHEN (OLD.kind <> NEW.kind AND (OLD.kind = ANY (ARRAY['bundle'::text, 'warranty'::text]) OR NEW.kind = ANY (ARRAY['bundle'::text, 'warranty'::text])))
			EXECUTE FUNCTION oms.refuse('key', 'kinds bundle and warranty')$$,
		'Refuses to make a bundle or a warranty of what is none, and the reverse (OM006)'),
	('reasons', 'oms_fixed', 'BEFORE UPDATE', $$FOR EACH ROW WHEN (OLD.code <> NEW.code) EXECUTE FUNCTION oms.refuse('key', 'code')$$,
		'Refuses another code (OM006)'),
	('customers', 'oms_fixed', 'BEFORE UPDATE', $$FOR EACH ROW WHEN (OLD.id <> NEW.id) EXECUTE FUNCTION oms.refuse('key', 'id')$$,
		'Refuses another id (OM006)')
$layout$;
COMMENT ON FUNCTION oms.layout_reference_triggers() IS 'The triggers of reference data; see oms.layout_triggers';
