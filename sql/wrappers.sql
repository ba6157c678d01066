-- One-line functions in the store itself, for whoever has it in search_path or
-- sees one schema only. They spell the store's name: oms.upgrade_store makes
-- them anew where it has changed.

CREATE FUNCTION oms.layout_wrappers(store text, OUT signature text, OUT head text, OUT body text, OUT comment text)
RETURNS SETOF record
LANGUAGE sql STABLE
AS $layout$
VALUES
	('place_order(jsonb)',
		'place_order(document jsonb, OUT order_id uuid, OUT number text, OUT status text, OUT total numeric,
			OUT short bigint, OUT backordered bigint, OUT repeated boolean)',
		pg_catalog.format('SELECT * FROM oms.place_order(%L, document)', store),
		'oms.place_order on this store: places an order from a document'),
	('cancel_lines(uuid, jsonb, text)',
		'cancel_lines(order_id uuid, lines jsonb DEFAULT NULL, reason text DEFAULT NULL) RETURNS bigint',
		pg_catalog.format('SELECT oms.cancel_lines(%L, order_id, lines, reason)', store),
		'oms.cancel_lines on this store: cancels units that have not shipped, returns how many'),
	('split_fulfillment(uuid, jsonb)',
		'split_fulfillment(fulfillment_id uuid, lines jsonb) RETURNS uuid',
		pg_catalog.format('SELECT oms.split_fulfillment(%L, fulfillment_id, lines)', store),
		'oms.split_fulfillment on this store: divides units off a fulfillment, returns the new one''s id'),
	('replace_workflow(text, text, jsonb)',
		$$replace_workflow(name text, definition text, map jsonb DEFAULT '{}') RETURNS bigint$$,
		pg_catalog.format('SELECT oms.replace_workflow(%L, name, definition, map)', store),
		'oms.replace_workflow on this store: saves another definition of a workflow, has its rows follow, returns how many have another status'),
	('events_after(text, integer)',
		'events_after("position" text DEFAULT NULL, max_rows integer DEFAULT 1000, OUT next_position text, OUT id bigint,
			OUT at timestamptz, OUT order_id uuid, OUT entity text, OUT entity_id uuid, OUT event text, OUT from_status text,
			OUT to_status text, OUT reason text, OUT actor text, OUT detail jsonb) RETURNS SETOF record',
		pg_catalog.format('SELECT * FROM oms.events_after(%L, "position", max_rows)', store),
		'oms.events_after on this store: the events after a position, each once'),
	('begin_import()',
		'begin_import() RETURNS void',
		pg_catalog.format('SELECT oms.begin_import(%L)', store),
		'oms.begin_import on this store: the owner inserts rows of the past as they are, in this transaction'),
	('next_moves(text, uuid)',
		'next_moves(entity text, id uuid, OUT to_state text, OUT allowed boolean, OUT why_not text) RETURNS SETOF record',
		pg_catalog.format('SELECT * FROM oms.next_moves(%L, entity, id)', store),
		'oms.next_moves on this store: where an order or fulfillment can go now, and why not elsewhere'),
	('tick(bigint)',
		'tick(max_rows bigint DEFAULT 1000) RETURNS bigint',
		pg_catalog.format('SELECT oms.tick(%L, max_rows)', store),
		'oms.tick on this store: ends holds that expired, makes automatic moves that are open; returns how many moves'),
	('to_mermaid(text)',
		'to_mermaid(name text) RETURNS text',
		pg_catalog.format('SELECT oms.to_mermaid(%L, name)', store),
		'oms.to_mermaid on this store: a workflow as a picture, with how many rows are where and how often each move was made'),
	('grant_store(text, text)',
		'grant_store(role text, level text) RETURNS void',
		pg_catalog.format('SELECT oms.grant_store(%L, role, level)', store),
		'oms.grant_store on this store: grants a role what level reader, clerk or manager does'),
	('verify_store()',
		'verify_store(OUT rule text, OUT violations bigint, OUT query text) RETURNS SETOF record',
		pg_catalog.format('SELECT * FROM oms.verify_store(%L)', store),
		'oms.verify_store on this store: recounts everything, one row a rule')
$layout$;
COMMENT ON FUNCTION oms.layout_wrappers(text) IS 'The store''s own functions; see oms.layout_repairs';
