-- Fulfillments: what one location does for one order by one method.

CREATE FUNCTION oms.layout_fulfillments() RETURNS void
LANGUAGE plpgsql
AS $layout$
BEGIN
	CREATE TABLE fulfillments (
		id uuid PRIMARY KEY DEFAULT oms.uuid7(),
		number text COLLATE "C" NOT NULL UNIQUE,
		order_id uuid NOT NULL REFERENCES orders,
		location text COLLATE "C" NOT NULL REFERENCES locations,
		pickup_location text COLLATE "C" REFERENCES locations,
		method text COLLATE "C" NOT NULL REFERENCES methods,
		workflow text COLLATE "C" NOT NULL REFERENCES workflows,
		status text COLLATE "C" NOT NULL,
		status_reason text COLLATE "C" REFERENCES reasons,
		stock_state text COLLATE "C" NOT NULL DEFAULT 'none'
			CHECK (stock_state IN ('none', 'reserved', 'issued', 'released')),
		rerouted boolean NOT NULL DEFAULT false,
		ship_to_id uuid REFERENCES addresses,
		promised_at timestamptz,
		carrier text,
		tracking_number text,
		partner_ref text,
		created_at timestamptz NOT NULL DEFAULT now(),
		shipped_at timestamptz,
		delivered_at timestamptz,
		attributes jsonb NOT NULL DEFAULT '{}',
		revision bigint NOT NULL DEFAULT 0
	) WITH (fillfactor = 70);
	CREATE INDEX ON fulfillments (order_id);
	CREATE INDEX ON fulfillments (location, status);
	CREATE INDEX fulfillments_reserved ON fulfillments (location) WHERE stock_state = 'reserved';
	CREATE INDEX ON fulfillments (pickup_location) WHERE pickup_location IS NOT NULL;
	CREATE INDEX ON fulfillments (method);
	CREATE INDEX ON fulfillments (workflow, status);
	CREATE INDEX ON fulfillments (status_reason) WHERE status_reason IS NOT NULL;
	CREATE INDEX ON fulfillments (ship_to_id) WHERE ship_to_id IS NOT NULL;
	COMMENT ON TABLE fulfillments IS 'What one location does for one order by one method; it moves as a whole, oms.split_fulfillment divides it';

	CREATE TABLE fulfillment_lines (
		id uuid PRIMARY KEY DEFAULT oms.uuid7(),
		fulfillment_id uuid NOT NULL REFERENCES fulfillments,
		order_line_id uuid NOT NULL REFERENCES order_lines,
		sku text COLLATE "C" NOT NULL REFERENCES skus,
		quantity bigint NOT NULL CHECK (quantity > 0),
		tracked boolean NOT NULL,
		UNIQUE (fulfillment_id, order_line_id)
	) WITH (fillfactor = 90);
	CREATE INDEX ON fulfillment_lines (order_line_id);
	CREATE INDEX ON fulfillment_lines (sku);
	COMMENT ON TABLE fulfillment_lines IS 'The units of an order line that a fulfillment carries';

	CREATE TRIGGER oms_guard BEFORE INSERT OR UPDATE OR DELETE ON fulfillments
		FOR EACH ROW EXECUTE FUNCTION oms.guard('fulfillment');
	CREATE TRIGGER oms_recheck AFTER INSERT OR UPDATE ON fulfillments
		FOR EACH ROW EXECUTE FUNCTION oms.recheck('fulfillment');
	CREATE TRIGGER oms_act_insert AFTER INSERT ON fulfillments REFERENCING NEW TABLE AS n
		FOR EACH STATEMENT EXECUTE FUNCTION oms.act('fulfillment');
	CREATE TRIGGER oms_act_update AFTER UPDATE ON fulfillments REFERENCING OLD TABLE AS o NEW TABLE AS n
		FOR EACH STATEMENT EXECUTE FUNCTION oms.act('fulfillment');
	CREATE TRIGGER oms_truncate BEFORE TRUNCATE ON fulfillments
		FOR EACH STATEMENT EXECUTE FUNCTION oms.refuse('keep');

	CREATE TRIGGER oms_guard BEFORE INSERT OR UPDATE OR DELETE ON fulfillment_lines
		FOR EACH ROW EXECUTE FUNCTION oms.guard('fulfillment_line');
	CREATE TRIGGER oms_truncate BEFORE TRUNCATE ON fulfillment_lines
		FOR EACH STATEMENT EXECUTE FUNCTION oms.refuse('keep');
END
$layout$;
COMMENT ON FUNCTION oms.layout_fulfillments() IS 'Creates fulfillments in the first schema of search_path; called by oms.create_store';
