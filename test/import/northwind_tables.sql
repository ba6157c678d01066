-- The files as they are, and the store that they come into.

CREATE SCHEMA northwind_import;
SET search_path = northwind_import;
CREATE TABLE customers (code text PRIMARY KEY, company text, contact text, title text, address text, city text, region text,
	postal_code text, country text, phone text, fax text);
CREATE TABLE shippers (id int PRIMARY KEY, name text, phone text);
CREATE TABLE products (id int PRIMARY KEY, name text, supplier int, category int, quantity_per_unit text, unit_price numeric,
	in_stock bigint, on_order bigint, reorder_level int, discontinued int);
CREATE TABLE orders (id int PRIMARY KEY, customer text, employee int, ordered date, required date, shipped date, ship_via int,
	freight numeric, name text, address text, city text, region text, postal_code text, country text);
CREATE TABLE order_details (order_id int, product int, unit_price numeric, quantity bigint, discount numeric,
	PRIMARY KEY (order_id, product));
CREATE TABLE cities (city text, region text, country text, iso character(2), orders int, geonameid int, geoname text,
	latitude double precision, longitude double precision);

SELECT oms.create_store('northwind');
INSERT INTO northwind.channels (code, name, kind, if_short) VALUES ('sales', 'Sales representatives', 'b2b', 'hold');
INSERT INTO northwind.locations (code, name) VALUES ('main', 'Warehouse');
UPDATE northwind.settings SET number_prefix = 'NW-';
