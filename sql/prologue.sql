\echo Use "CREATE EXTENSION oms" to load this file. \quit

-- The script makes the schema itself, so that it belongs to whoever runs the
-- script (the bootstrap superuser, the extension being trusted) and so that a
-- schema oms that somebody prepared beforehand is an error, not a trap.
CREATE SCHEMA oms;
COMMENT ON SCHEMA oms IS 'Order management: types, verbs and trigger functions. It holds no data; the data is in stores, made by oms.create_store';
GRANT USAGE ON SCHEMA oms TO PUBLIC;
