-- The verbs on orders and fulfillments.

CREATE FUNCTION oms.place_order(
	store text,
	document jsonb,
	OUT order_id uuid,
	OUT number text,
	OUT status text,
	OUT total numeric,
	OUT short bigint,
	OUT backordered bigint,
	OUT repeated boolean)
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'oms_place_order';
COMMENT ON FUNCTION oms.place_order(text, jsonb) IS 'Places an order from a document, as the caller, in one call. status is that after automatic moves, total the money owed in the order''s currency, short and backordered units without stock, repeated whether (channel, external_ref) had been placed before. Errors: OM012 a fault in the document, with its path; OM003 not enough stock; OM007 external_ref used with another document; OM009 no location; OM010 no such store';

CREATE FUNCTION oms.cancel_lines(store text, order_id uuid, lines jsonb DEFAULT NULL, reason text DEFAULT NULL)
RETURNS bigint
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'oms_cancel_lines';
COMMENT ON FUNCTION oms.cancel_lines(text, uuid, jsonb, text) IS 'Cancels units of a placed order that have not shipped and returns how many. lines is an array of {"line": line_no, "quantity": units}, NULL means all; reason a code of table reasons, whose stock_effect is obeyed. Needs UPDATE on orders. Errors: OM012 a fault in lines; OM002 a fulfillment that cannot be released; 40001 a fulfillment another session is changing';

CREATE FUNCTION oms.split_fulfillment(store text, fulfillment_id uuid, lines jsonb)
RETURNS uuid
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'oms_split_fulfillment';
COMMENT ON FUNCTION oms.split_fulfillment(text, uuid, jsonb) IS 'Divides units off a fulfillment whose stock is reserved and returns the new one''s id; it has the same location, method and status. lines is an array of {"line": line_no, "quantity": units}. Needs UPDATE on fulfillments. Errors: OM012 a fault in lines; OM002 units that have left or were released';

CREATE FUNCTION oms.merge_fulfillments(store text, fulfillment_ids uuid[])
RETURNS uuid
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'oms_merge_fulfillments';
COMMENT ON FUNCTION oms.merge_fulfillments(text, uuid[]) IS 'Makes one fulfillment of several whose units are reserved and which agree in order, location, pickup_location, method, address, workflow and status, and returns its id: that of the one numbered first, which keeps what people wrote in it. The others are left without lines and end by their own move that does release. Needs UPDATE on fulfillments. Errors: OM012 a fault in the ids; OM002 they differ, their units have left or were released, or no such move leaves their status';

CREATE FUNCTION oms.short_pick(store text, fulfillment_id uuid, lines jsonb, reason text DEFAULT NULL,
	OUT rejected_fulfillment_id uuid, OUT units bigint, OUT allocated bigint, OUT short bigint)
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'oms_short_pick';
COMMENT ON FUNCTION oms.short_pick(text, uuid, jsonb, text) IS 'The picker has not found some units of a fulfillment: they are divided off and rejected by its own move that does reroute, sourced at another location, else short; what was found stays as it is. lines is an array of {"line": line_no, "quantity": units}; reason a code of table reasons, whose stock_effect says what becomes of the units in stock. Returns the fulfillment that was rejected, the whole where nothing was found, how many units it had, how many were allocated elsewhere, how many are short. Needs UPDATE on fulfillments. Errors: OM012 a fault in lines, an unknown reason; OM002 units that have left or were released, or no such move leaves its status';

CREATE FUNCTION oms.change_delivery(store text, order_id uuid, lines jsonb DEFAULT NULL, method text DEFAULT NULL,
	ship_to jsonb DEFAULT NULL, pickup_location text DEFAULT NULL, reason text DEFAULT NULL)
RETURNS bigint
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'oms_change_delivery';
COMMENT ON FUNCTION oms.change_delivery(text, uuid, jsonb, text, jsonb, text, text) IS 'Has units of a placed order that have not left go by another method, to another address or to another place of pickup, and returns how many. lines is an array of {"line": line_no, "quantity": units}, NULL means all; ship_to an address as in an order''s document, or the id of one; what is not given stays, but that another method without a pickup_location has none. Units that have stock are sourced anew, perhaps where they were, and are nobody else''s in between; lines whose units all go the new way say so from then on. Needs UPDATE on orders, and INSERT on addresses for a new one. Errors: OM012 a fault in an argument; OM002 nothing is left to go, or what a fulfillment cannot release; OM003, OM009 the new way has no stock or location; 40001 a fulfillment another session is changing';

CREATE FUNCTION oms.next_moves(store text, entity text, id uuid, OUT to_state text, OUT allowed boolean, OUT why_not text)
RETURNS SETOF record
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'oms_next_moves';
COMMENT ON FUNCTION oms.next_moves(text, text, uuid) IS 'For each state that a move leads to from where an order or fulfillment (entity) is: whether an UPDATE of status by the caller would succeed now, and if not with which message it would fail. Writes and locks nothing. Errors: 22023 another entity, OM012 no such row, OM010 no such store';

CREATE FUNCTION oms.plan_order(
	store text,
	order_id uuid,
	OUT order_line_id uuid,
	OUT line_no integer,
	OUT sku text,
	OUT method text,
	OUT location text,
	OUT pickup_location text,
	OUT quantity bigint,
	OUT unit_cost numeric,
	OUT disposition text,
	OUT promised_at timestamptz)
RETURNS SETOF record
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'oms_plan_order';
COMMENT ON FUNCTION oms.plan_order(text, uuid) IS 'From where an order''s units would come now: of a draft, as a move that does reserve would have it; of a placed order, those of its units that wait. disposition: allocate, quantity units from location, where each costs unit_cost in the store''s money besides the shipment; backorder, sold under a policy; short, without stock, for which reserve would refuse the order unless its if_short is hold. promised_at: when the customer may expect what is allocated, as fulfillments.promised_at would say; NULL: unknown. Components of a bundle in a draft are told under its line. Reads as the caller, takes and locks nothing. Errors: OM012 no such order, or a fault in it that reserve would refuse; OM009 a line without a method; 22003 costs beyond what can be computed with; OM010 no such store';

CREATE FUNCTION oms.explain_plan(
	store text,
	order_id uuid,
	OUT location text,
	OUT method text,
	OUT pickup_location text,
	OUT ship_to_id uuid,
	OUT requested_at timestamptz,
	OUT verdict text,
	OUT forced_cost numeric,
	OUT detail text)
RETURNS SETOF record
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'oms_explain_plan';
COMMENT ON FUNCTION oms.explain_plan(text, uuid) IS 'Why an order''s units would come from where oms.plan_order says: a row for each active location and each way that units go, by method, pickup_location, ship_to_id and requested_at. verdict: chosen; denied, by what detail says; no_stock of what is wanted; no_capacity, its day is full; dominated, another location, in detail, has all it has at no higher cost; costlier. forced_cost: what the units of that way cost in the store''s money, shipments included, in the best plan in which the location ships at least one; NULL where it cannot. Reads as the caller, takes and locks nothing. Errors: as oms.plan_order';

CREATE FUNCTION oms.quote(store text, document jsonb) RETURNS jsonb
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'oms_quote';
COMMENT ON FUNCTION oms.quote(text, jsonb) IS 'What a cart would cost to send, from where and until when, before it is an order. document as for oms.place_order; currency and unit_price may be left out. Returns {"lines": [{line, sku, quantity, method, location, pickup_location, disposition, unit_cost, promised_at}], "cost", "shipments", "promised_at", "complete", "options": [{method, possible, why_not, cost, shipments, promised_at, pickup_location, distance_km, in_stock}]}; costs in the store''s money, options one for each method that a location offers, of pickup one for each of the nearest 20 locations. Reads as the caller, takes, writes and locks nothing. Errors: OM012 a fault in the document, with its path; OM009 a line without a method; 22003 costs beyond what can be computed with; OM010 no such store';

CREATE FUNCTION oms.tick(store text, max_rows bigint DEFAULT 1000, OUT holds_released bigint, OUT stock_holds_expired bigint, OUT orders_filled bigint, OUT moves bigint)
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'oms_tick';
COMMENT ON FUNCTION oms.tick(text, bigint) IS 'Does what has become due without a statement to do it in: releases holds whose expires_at has passed, makes automatic moves that are open, first of orders, then of fulfillments, removes stock holds that have expired, then gives orders units that they wait for and that have become free, each of at most max_rows rows. holds_released are holds of orders that ended, stock_holds_expired stock holds that were removed, orders_filled orders that were given units, moves all moves that were made, those that the end of holds and the units brought about too. Several may run at once. A row that fails is passed over with a WARNING. Needs UPDATE of status on orders and fulfillments. Errors: 22023 max_rows below 1, OM010 no such store';

CREATE FUNCTION oms.plan_wave(store text, order_ids uuid[] DEFAULT NULL, budget interval DEFAULT '60 seconds',
	OUT cost_before numeric, OUT cost_after numeric, OUT lower_bound numeric, OUT orders_changed bigint,
	OUT orders_planned bigint, OUT orders_skipped bigint, OUT skipped jsonb)
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'oms_plan_wave';
COMMENT ON FUNCTION oms.plan_wave(text, uuid[], interval) IS 'Plans anew from where units of many orders come, together, and carries it out: what fulfillments hold that are in the initial state of their workflow, of the orders given or, NULL, of all. Plans for budget at most; then changes all that it found at once, but for what another session has at the moment, has changed since, or rules by then do not allow. cost_before and cost_after are what all of them cost before and now, in the store''s money, lower_bound what no plan for them costs less than, orders_changed how many orders changed, orders_planned how many were planned, orders_skipped of how many something was left as it is though it holds stock, and skipped for which reason of how many, as an object: released, workflow, partner, package, written, no_stock, apart, location, objective, large, busy, changed, rules, gone. Kits, ship groups and warranties go as a whole. Needs UPDATE of status on fulfillments. Errors: OM012 an order that is not there; 22023 a budget of no time; 22003, 54000 more than can be computed with; 25006 in a transaction that only reads; OM010 no such store';

CREATE FUNCTION oms.wave_progress(store text, OUT pid integer, OUT started_at timestamptz, OUT orders bigint, OUT seconds bigint,
	OUT cost_before numeric, OUT cost_now numeric, OUT lower_bound numeric)
RETURNS SETOF record
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
SELECT a.pid, a.query_start, m.words[1]::bigint, m.words[2]::bigint, m.words[3]::numeric, m.words[4]::numeric, m.words[5]::numeric
FROM pg_stat_activity a
	CROSS JOIN LATERAL regexp_match(substr(a.query, length('oms.plan_wave ' || store || ': ') + 1),
		'^(\d+) orders, (\d+) of \d+ s, cost (\d+\.\d\d) -> (\d+\.\d\d), bound (\d+\.\d\d)$') AS m(words)
WHERE a.datname = current_database() AND a.state = 'active' AND starts_with(a.query, 'oms.plan_wave ' || store || ': ')
	AND m.words IS NOT NULL
ORDER BY a.query_start, a.pid
$$;
COMMENT ON FUNCTION oms.wave_progress(text) IS 'How far sessions are that run oms.plan_wave on a store now, a row each: since when, how many orders it plans, for how many seconds it has, what they cost before and by the best plan so far, and what no plan costs less than, in the store''s money, told about once a second. Read from pg_stat_activity, which shows the sessions of one''s own roles, and all to those with the rights of pg_read_all_stats';
