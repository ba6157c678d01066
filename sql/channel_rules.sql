-- From where a channel may take stock, and what it must leave there; rows that
-- people edit. channel_rules.c has sourcing follow them.

CREATE FUNCTION oms.layout_channel_rules() RETURNS void
LANGUAGE plpgsql
AS $layout$
BEGIN
	CREATE TABLE channel_stock_rules (
		id uuid PRIMARY KEY,
		channel text COLLATE "C" NOT NULL REFERENCES channels,
		sku text COLLATE "C" REFERENCES skus,
		location text COLLATE "C" REFERENCES locations,
		effect text COLLATE "C" NOT NULL CHECK (effect IN ('deny', 'only', 'keep_from', 'keep_for')),
		units bigint CHECK (units BETWEEN 1 AND 1000000000000),
		UNIQUE NULLS NOT DISTINCT (channel, sku, location, effect),
		CONSTRAINT channel_stock_rules_units CHECK ((effect IN ('keep_from', 'keep_for')) = (units IS NOT NULL)),
		CONSTRAINT channel_stock_rules_only CHECK (effect <> 'only' OR location IS NOT NULL)
	);
	CREATE INDEX ON channel_stock_rules (sku);
	CREATE INDEX ON channel_stock_rules (location);
	COMMENT ON TABLE channel_stock_rules IS 'From where the orders and stock holds of a channel may take units, and how many they must leave there; people write it, in force at the next statement. What was taken before stays. A rule concerns the SKUs and locations that it names';
	COMMENT ON COLUMN channel_stock_rules.id IS 'Key, oms.uuid7() unless the INSERT gives one';
	COMMENT ON COLUMN channel_stock_rules.channel IS 'The channel that the rule is about';
	COMMENT ON COLUMN channel_stock_rules.sku IS 'The SKU that it concerns; NULL: all';
	COMMENT ON COLUMN channel_stock_rules.location IS 'The location that it concerns; NULL: each, which only cannot be';
	COMMENT ON COLUMN channel_stock_rules.effect IS 'deny: the channel takes nothing there. only: of a SKU that an only row of the channel concerns it takes from the locations of such rows and from no others. keep_from: the channel must leave units available there. keep_for: all other channels, and holds without a channel, must. Of several of one effect the largest counts, of all channels in keep_for; keep_from and keep_for add up';
	COMMENT ON COLUMN channel_stock_rules.units IS 'Units of a SKU at a location that keep_from and keep_for leave available, beyond safety_stock; NULL for deny and only';
END
$layout$;
COMMENT ON FUNCTION oms.layout_channel_rules() IS 'Creates the table of channels'' stock rules in the first schema of search_path; called by oms.create_store';

CREATE FUNCTION oms.layout_channel_rules_triggers(OUT relation text, OUT name text, OUT fires text, OUT does text, OUT comment text)
RETURNS SETOF record
LANGUAGE sql IMMUTABLE
AS $layout$
VALUES
	('channel_stock_rules', 'oms_invalidate', 'AFTER INSERT OR DELETE OR UPDATE', $$FOR EACH ROW EXECUTE FUNCTION oms.invalidate()$$,
		'Has every session ask anew whether there are rules, replicas'' too')
$layout$;
COMMENT ON FUNCTION oms.layout_channel_rules_triggers() IS 'The triggers of channels'' stock rules; see oms.layout_triggers';
