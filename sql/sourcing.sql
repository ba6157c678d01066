-- What a shipment costs and which location may serve what: rows that people edit.
-- rulebook.c answers by them, location.c refuses what locations cannot say.

CREATE FUNCTION oms.layout_sourcing() RETURNS void
LANGUAGE plpgsql
AS $layout$
BEGIN
	CREATE TABLE zones (
		code text COLLATE "C" PRIMARY KEY CHECK (length(code) BETWEEN 1 AND 64),
		name text NOT NULL DEFAULT '',
		country character(2) COLLATE "C" CONSTRAINT zones_country CHECK (country ~ '^[A-Z]{2}$'),
		region text COLLATE "C" CONSTRAINT zones_region CHECK (region <> ''),
		postal_prefix text COLLATE "C" CONSTRAINT zones_postal_prefix CHECK (postal_prefix ~ '^[A-Z0-9]{1,16}$'),
		CONSTRAINT zones_within_a_country CHECK (country IS NOT NULL OR region IS NULL AND postal_prefix IS NULL),
		CONSTRAINT zones_definition UNIQUE NULLS NOT DISTINCT (country, region, postal_prefix)
	);
	COMMENT ON TABLE zones IS 'Areas that shipping_rates and sourcing_rules speak of; people write it, in force at the next statement. An address, of a location too, is in the most specific one that it fits: the longest postal_prefix first, then one with a region, then one with a country';
	COMMENT ON COLUMN zones.code IS 'Key, chosen by people; never changes (OM006)';
	COMMENT ON COLUMN zones.name IS 'What people see';
	COMMENT ON COLUMN zones.country IS 'ISO 3166-1 code of two capital letters; NULL: any and none, which is the zone of what fits no other';
	COMMENT ON COLUMN zones.region IS 'State, province or county, letter by letter as addresses write it; NULL: all of the country';
	COMMENT ON COLUMN zones.postal_prefix IS 'What postal codes begin with, in capital letters and digits; those of addresses are compared in capitals, without blanks, hyphens and dots; NULL: all of them';

	CREATE TABLE shipping_rates (
		id uuid PRIMARY KEY,
		method text COLLATE "C" REFERENCES methods,
		location text COLLATE "C" REFERENCES locations,
		origin_zone text COLLATE "C" REFERENCES zones,
		destination_zone text COLLATE "C" REFERENCES zones,
		fixed numeric(19,4) NOT NULL DEFAULT 0 CHECK (fixed BETWEEN 0 AND 100000000000),
		per_unit numeric(19,4) NOT NULL DEFAULT 0 CHECK (per_unit BETWEEN 0 AND 100000000000),
		per_kg numeric(19,4) NOT NULL DEFAULT 0 CHECK (per_kg BETWEEN 0 AND 100000000000),
		transit_days integer CHECK (transit_days BETWEEN 0 AND 3650),
		-- With the four, which of two rows that fit is the more specific is always clear:
		-- only rows that say the same of all four would tie.
		CONSTRAINT shipping_rates_tie UNIQUE NULLS NOT DISTINCT (method, location, origin_zone, destination_zone)
	);
	CREATE INDEX ON shipping_rates (location);
	CREATE INDEX ON shipping_rates (origin_zone);
	CREATE INDEX ON shipping_rates (destination_zone);
	COMMENT ON TABLE shipping_rates IS 'What it costs to send from a location to an address; people write it, in force at the next statement. Of the rows that fit, the most specific alone counts: one that names the location goes before others, of those one that names the origin zone, then the destination zone, then the method. Where none fits, sourcing_policies.per_km_cost counts';
	COMMENT ON COLUMN shipping_rates.id IS 'Key, oms.uuid7() unless the INSERT gives one';
	COMMENT ON COLUMN shipping_rates.method IS 'How the goods go; NULL: in any way';
	COMMENT ON COLUMN shipping_rates.location IS 'From where; NULL: from anywhere';
	COMMENT ON COLUMN shipping_rates.origin_zone IS 'Zone of the location''s address; NULL: any and none';
	COMMENT ON COLUMN shipping_rates.destination_zone IS 'Zone of the address that the goods go to; NULL: any and none';
	COMMENT ON COLUMN shipping_rates.fixed IS 'Money a shipment, besides locations.fixed_cost';
	COMMENT ON COLUMN shipping_rates.per_unit IS 'Money a unit, besides locations.pick_cost';
	COMMENT ON COLUMN shipping_rates.per_kg IS 'Money a kilogram, by skus.weight_grams';
	COMMENT ON COLUMN shipping_rates.transit_days IS 'Days from leaving to arriving; NULL: unknown';

	CREATE TABLE sourcing_rules (
		id uuid PRIMARY KEY,
		channel text COLLATE "C" REFERENCES channels,
		sku text COLLATE "C" REFERENCES skus,
		tag text COLLATE "C" CHECK (tag <> ''),
		method text COLLATE "C" REFERENCES methods,
		destination_zone text COLLATE "C" REFERENCES zones,
		location text COLLATE "C" REFERENCES locations,
		effect text COLLATE "C" NOT NULL CHECK (effect IN ('allow', 'deny', 'prefer')),
		cost numeric(19,4) CHECK (cost BETWEEN 0 AND 100000000000),
		valid_from timestamp with time zone,
		valid_until timestamp with time zone,
		CONSTRAINT sourcing_rules_names_something CHECK (num_nonnulls(channel, sku, tag, method, destination_zone, location) > 0),
		CONSTRAINT sourcing_rules_cost CHECK ((effect = 'prefer') = (cost IS NOT NULL)),
		CONSTRAINT sourcing_rules_location CHECK (effect = 'deny' OR location IS NOT NULL),
		CONSTRAINT sourcing_rules_validity CHECK (valid_from < valid_until),
		CONSTRAINT sourcing_rules_twice UNIQUE NULLS NOT DISTINCT (channel, sku, tag, method, destination_zone, location, effect, valid_from, valid_until)
	);
	CREATE INDEX ON sourcing_rules (sku);
	CREATE INDEX ON sourcing_rules (method);
	CREATE INDEX ON sourcing_rules (destination_zone);
	CREATE INDEX ON sourcing_rules (location);
	COMMENT ON TABLE sourcing_rules IS 'Which location may serve what, and what is served elsewhere rather; people write it, in force at the next statement. A row concerns what fits all that it names, while it is valid. What was taken before stays';
	COMMENT ON COLUMN sourcing_rules.id IS 'Key, oms.uuid7() unless the INSERT gives one';
	COMMENT ON COLUMN sourcing_rules.channel IS 'The channel of the orders that it concerns; NULL: all';
	COMMENT ON COLUMN sourcing_rules.sku IS 'The SKU that it concerns; NULL: all';
	COMMENT ON COLUMN sourcing_rules.tag IS 'It concerns SKUs that have this among their tags; NULL: all';
	COMMENT ON COLUMN sourcing_rules.method IS 'How the goods go that it concerns; NULL: in any way';
	COMMENT ON COLUMN sourcing_rules.destination_zone IS 'Zone of the address that they go to; NULL: any and none';
	COMMENT ON COLUMN sourcing_rules.location IS 'From where; NULL, which deny alone can be: from anywhere';
	COMMENT ON COLUMN sourcing_rules.effect IS 'deny: the location does not serve it. allow: of the locations, those of the allow rows that concern the same goods alone serve them. prefer: cost is added to each unit from the location, so that others are preferred. deny beats allow; the costs of all prefer rows that fit add up';
	COMMENT ON COLUMN sourcing_rules.cost IS 'Money a unit that prefer adds, not paid to anybody; NULL for allow and deny';
	COMMENT ON COLUMN sourcing_rules.valid_from IS 'The rule counts from then on; NULL: since ever';
	COMMENT ON COLUMN sourcing_rules.valid_until IS 'And before this; NULL: for good';

	CREATE TABLE sourcing_policies (
		id uuid PRIMARY KEY,
		channel text COLLATE "C" REFERENCES channels,
		objective text COLLATE "C" NOT NULL DEFAULT 'cost' CHECK (objective IN ('cost', 'shipments')),
		max_shipments integer CHECK (max_shipments > 0),
		node_limit integer NOT NULL DEFAULT 5000 CHECK (node_limit BETWEEN 1 AND 1000000),
		unfilled_penalty numeric(19,4) CHECK (unfilled_penalty BETWEEN 0 AND 100000000000),
		per_km_cost numeric(19,6) NOT NULL DEFAULT 0 CHECK (per_km_cost BETWEEN 0 AND 1000000),
		CONSTRAINT sourcing_policies_channel UNIQUE NULLS NOT DISTINCT (channel)
	);
	COMMENT ON TABLE sourcing_policies IS 'What a good plan is for the orders of a channel; people write it, in force at the next statement. Without a row: what the columns say that a row leaves out';
	COMMENT ON COLUMN sourcing_policies.id IS 'Key, oms.uuid7() unless the INSERT gives one';
	COMMENT ON COLUMN sourcing_policies.channel IS 'The channel that it is for; NULL: all that have no row of their own';
	COMMENT ON COLUMN sourcing_policies.objective IS 'cost: the cheapest plan; shipments: the fewest shipments, and of those the cheapest';
	COMMENT ON COLUMN sourcing_policies.max_shipments IS 'The most locations that may serve what goes to one address in one way; NULL: no limit';
	COMMENT ON COLUMN sourcing_policies.node_limit IS 'Steps of the search for a plan after which the best so far is taken';
	COMMENT ON COLUMN sourcing_policies.unfilled_penalty IS 'Money that a unit may cost at most before it is rather left unfilled; NULL: whatever it takes';
	COMMENT ON COLUMN sourcing_policies.per_km_cost IS 'Money a kilometer of a shipment that no row of shipping_rates fits, as the crow flies between latitude and longitude of location and address; where either lacks them, nothing';
END
$layout$;
COMMENT ON FUNCTION oms.layout_sourcing() IS 'Creates the tables of what a shipment costs and who may serve what in the first schema of search_path; called by oms.create_store';

CREATE FUNCTION oms.layout_sourcing_triggers(OUT relation text, OUT name text, OUT fires text, OUT does text, OUT comment text)
RETURNS SETOF record
LANGUAGE sql IMMUTABLE
AS $layout$
SELECT t.relation, 'oms_invalidate', 'AFTER INSERT OR DELETE OR UPDATE', $$FOR EACH ROW EXECUTE FUNCTION oms.invalidate()$$,
	'Has every session read what a shipment costs and who may serve what anew, replicas'' too'
FROM (VALUES ('zones'), ('shipping_rates'), ('sourcing_rules'), ('sourcing_policies'), ('locations')) AS t(relation)
UNION ALL VALUES
	('zones', 'oms_fixed', 'BEFORE UPDATE', $$FOR EACH ROW WHEN (OLD.code <> NEW.code) EXECUTE FUNCTION oms.refuse('key', 'code')$$,
		'Refuses another code (OM006)'),
	('locations', 'oms_recheck', 'AFTER INSERT OR UPDATE', $$FOR EACH ROW EXECUTE FUNCTION oms.recheck('location')$$,
		'Refuses methods that do not exist (23503) and a time zone that is none (22023)'),
	('methods', 'oms_recheck', 'AFTER DELETE', $$FOR EACH ROW EXECUTE FUNCTION oms.recheck('method')$$,
		'Refuses to remove a method that a location offers (23503)')
$layout$;
COMMENT ON FUNCTION oms.layout_sourcing_triggers() IS 'The triggers of what a shipment costs and who may serve what; see oms.layout_triggers';

CREATE FUNCTION oms.explain_source(store text, sku text, location text, method text DEFAULT NULL, channel text DEFAULT NULL,
	country text DEFAULT NULL, region text DEFAULT NULL, postal_code text DEFAULT NULL, at timestamp with time zone DEFAULT now(),
	latitude double precision DEFAULT NULL, longitude double precision DEFAULT NULL,
	OUT allowed boolean, OUT why text, OUT zone text, OUT fixed numeric, OUT per_unit numeric, OUT transit_days integer)
RETURNS record
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'oms_explain_source';
COMMENT ON FUNCTION oms.explain_source(text, text, text, text, text, text, text, text, timestamp with time zone, double precision, double precision) IS 'Whether a location may serve a SKU for an order of a channel, sent by a method to an address, at a time, and if not why; the zone of the address; what a shipment costs before the first unit, and each unit more, prefer costs included where it may; days on the way, NULL unknown. It asks rules alone, not stock. Without a method: the SKU''s, else the channel''s. Degrees north and east of the address are for a cost by distance. Errors: 22023 an unknown sku, location, method or channel, or degrees that are none; 22003 a cost that is too large; OM010 no such store';
