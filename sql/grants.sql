-- Privileges on a store by level. A level is what its own rows below say and all
-- of the levels before it; docs/security.md shows what follows from it.

CREATE FUNCTION oms.require_owner(store text) RETURNS void
LANGUAGE C
AS 'MODULE_PATHNAME', 'oms_require_owner';
COMMENT ON FUNCTION oms.require_owner(text) IS 'Raises 42501 unless the current user owns the store, in PostgreSQL''s words; OM010 where there is no such store';

CREATE FUNCTION oms.grant_store(store text, role text, level text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
	levels CONSTANT text[] := ARRAY['reader', 'clerk', 'manager'];
	statement text;
BEGIN
	IF store IS NULL OR role IS NULL OR level IS NULL THEN
		RAISE EXCEPTION 'store, role and level must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	PERFORM oms.require_owner(store);
	IF level <> ALL (levels) THEN
		RAISE EXCEPTION 'unknown level "%"', left(level, 64) USING ERRCODE = 'invalid_parameter_value',
			HINT = 'The levels are reader, clerk and manager.';
	ELSIF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = role) THEN
		-- not left to GRANT, which would cut a long name and find another role
		RAISE EXCEPTION 'role "%" does not exist', left(role, 64) USING ERRCODE = 'undefined_object',
			HINT = 'Create it with CREATE ROLE.';
	END IF;

	EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', store, role);
	FOR statement IN
		-- everything is read, but for what others have put there; columns that
		-- users have added are people's
		SELECT format('GRANT SELECT ON %s TO %I', c.oid::regclass, role)
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = store AND c.relowner = n.nspowner AND c.relkind IN ('r', 'v', 'm', 'p')
		UNION ALL
		SELECT format('GRANT %s%s ON %I.%I TO %I', p.privilege, columns.listed, store, p.tablename, role)
		FROM (VALUES
			('clerk', 'INSERT', 'customers', NULL),
			('clerk', 'UPDATE', 'customers', NULL),
			('clerk', 'INSERT', 'addresses', NULL),
			('clerk', 'INSERT', 'orders', 'payment_required credit_approved units units_canceled units_allocated
				units_backordered units_short units_shipped units_delivered units_returned fewest_shipments total credited authorized
				captured refunded charged_back open_holds payment_status fulfillment_status return_status placed_at
				confirmed_at closed_at canceled_at revision'),
			('clerk', 'UPDATE', 'orders', 'id number channel external_ref workflow currency tax_included source_order_id
				document_hash created_at payment_required credit_approved units units_canceled units_allocated
				units_backordered units_short units_shipped units_delivered units_returned fewest_shipments total credited authorized
				captured refunded charged_back open_holds payment_status fulfillment_status return_status placed_at
				confirmed_at closed_at canceled_at revision'),
			('clerk', 'INSERT', 'order_lines', 'canceled allocated backordered short shipped delivered returned
				backorder_policy_id expanded per_kit revision'),
			('clerk', 'INSERT', 'order_charges', NULL),
			('clerk', 'INSERT', 'order_holds', NULL),
			('clerk', 'UPDATE', 'order_holds', 'id order_id kind reason placed_by placed_at expires_at'),
			('clerk', 'INSERT', 'payments', 'status authorized captured voided refunded charged_back capture_requested
				refund_requested open_requests failures revision'),
			('clerk', 'INSERT', 'payment_transactions', NULL),
			('clerk', 'UPDATE', 'fulfillments', 'id number order_id location pickup_location method workflow stock_state
				rerouted gave_way created_at shipped_at delivered_at closed_at load_day revision'),
			('clerk', 'INSERT', 'packages', 'status shipped_at delivered_at last_event_at last_event_id revision'),
			('clerk', 'UPDATE', 'packages', 'id fulfillment_id status created_at shipped_at delivered_at last_event_at last_event_id
				revision'),
			('clerk', 'INSERT, UPDATE, DELETE', 'package_lines', NULL),
			('clerk', 'INSERT', 'carrier_events', NULL),
			('manager', 'INSERT', 'stock_movements', 'on_hand_change unavailable_change xid'),
			('manager', 'UPDATE', 'stock', 'sku location on_hand unavailable reserved revision'),
			('manager', 'INSERT', 'inbound', 'sent received returned sent_at closed_at revision'),
			('manager', 'UPDATE', 'inbound', 'id ref sku location from_location sent received returned created_at sent_at
				closed_at revision'),
			('manager', 'INSERT', 'backorder_policies', 'backordered revision'),
			('manager', 'UPDATE', 'backorder_policies', 'id sku backordered revision'),
			('manager', 'DELETE', 'backorder_policies', NULL),
			('manager', 'INSERT', 'workflows', 'revision'),
			('manager', 'UPDATE', 'workflows', 'name entity revision'),
			('manager', 'DELETE', 'workflows', NULL),
			('manager', 'INSERT, UPDATE, DELETE', 'channels', NULL),
			('manager', 'INSERT, UPDATE, DELETE', 'methods', NULL),
			('manager', 'INSERT, UPDATE, DELETE', 'locations', NULL),
			('manager', 'INSERT, UPDATE, DELETE', 'skus', NULL),
			('manager', 'INSERT, UPDATE, DELETE', 'bundle_items', NULL),
			('manager', 'INSERT, UPDATE, DELETE', 'reasons', NULL),
			('manager', 'INSERT, UPDATE, DELETE', 'channel_stock_rules', NULL),
			('manager', 'INSERT, UPDATE, DELETE', 'zones', NULL),
			('manager', 'INSERT, UPDATE, DELETE', 'shipping_rates', NULL),
			('manager', 'INSERT, UPDATE, DELETE', 'sourcing_rules', NULL),
			('manager', 'INSERT, UPDATE, DELETE', 'sourcing_policies', NULL)
		) AS p(level, privilege, tablename, without),
		LATERAL (
			-- NULL: the whole table; else all of its columns but these
			SELECT CASE WHEN p.without IS NOT NULL THEN
				format(' (%s)', string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)) END AS listed
			FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE n.nspname = store AND c.relname = p.tablename AND a.attnum > 0 AND NOT a.attisdropped
				AND a.attgenerated = '' AND a.attname <> ALL (regexp_split_to_array(p.without, '\s+'))
		) AS columns
		WHERE array_position(levels, p.level) <= array_position(levels, grant_store.level)
		UNION ALL
		SELECT format('GRANT USAGE ON SEQUENCE %I.payment_transactions_id_seq TO %I', store, role) WHERE level <> 'reader'
		UNION ALL
		SELECT format('GRANT USAGE ON SEQUENCE %I.carrier_events_id_seq TO %I', store, role) WHERE level <> 'reader'
		UNION ALL
		SELECT format('GRANT USAGE ON SEQUENCE %I.stock_movements_id_seq TO %I', store, role) WHERE level = 'manager'
	LOOP
		EXECUTE statement;
	END LOOP;
END
$function$;
COMMENT ON FUNCTION oms.grant_store(text, text, text) IS 'Grants a role what its level does with a store: reader reads everything; clerk also inserts orders and what belongs to them, payments too, and moves orders and fulfillments; manager also inserts stock movements and what is on its way, and edits safety_stock, backorder policies, reference data and workflows. Nobody gets what the engine keeps. Repeat it after adding tables or columns. The store''s owner alone may call it. Errors: OM010 no such store, 22023 another level, 42501 not the owner, 42704 no such role';
