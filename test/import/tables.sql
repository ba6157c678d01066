-- The import's own tables, in a schema beside the store: the file as it is, what
-- its lines mean, and what became of them.  What became of them is kept from
-- run to run; the rest is filled anew.

CREATE EXTENSION IF NOT EXISTS oms;
CREATE SCHEMA IF NOT EXISTS retail_import;
SET search_path = retail_import;

-- The file, column by column; a header that names others is refused.
CREATE TABLE IF NOT EXISTS raw (
	line bigserial PRIMARY KEY,
	"InvoiceNo" text NOT NULL,
	"StockCode" text COLLATE "C" NOT NULL,
	"Description" text,
	"Quantity" bigint NOT NULL,
	"InvoiceDate" timestamp NOT NULL,
	"UnitPrice" numeric NOT NULL,
	"CustomerID" text,
	"Country" text NOT NULL
);

-- ISO codes of the countries that the file spells in its own way.
CREATE TABLE IF NOT EXISTS countries (
	source_country text PRIMARY KEY,
	iso2 text,
	lines bigint,
	capital text,
	lat double precision,
	lon double precision
);

CREATE TABLE IF NOT EXISTS lines (
	invoice text NOT NULL,
	line_no integer NOT NULL,
	code text COLLATE "C" NOT NULL,
	charge text,	-- NULL: goods
	description text,
	quantity bigint NOT NULL,
	unit_price numeric NOT NULL,
	PRIMARY KEY (invoice, line_no)
);

-- In the order in which they happened.
CREATE TABLE IF NOT EXISTS invoices (
	seq bigint PRIMARY KEY,
	invoice text NOT NULL UNIQUE,
	kind text NOT NULL CHECK (kind IN ('sale', 'cancellation', 'stock', 'bad debt')),
	at timestamptz NOT NULL,
	customer text,
	country text NOT NULL,
	channel text NOT NULL
);

CREATE TABLE IF NOT EXISTS outcomes (
	invoice text PRIMARY KEY,
	kind text NOT NULL,
	outcome text NOT NULL CHECK (outcome IN ('placed', 'refused', 'faulty', 'canceled', 'moved', 'reported')),
	order_id uuid,
	message text,
	detail text
);

-- Where the units of "C" lines went: rows of a line add up to its quantity.
CREATE TABLE IF NOT EXISTS cancellations (
	invoice text NOT NULL,
	line_no integer NOT NULL,
	code text COLLATE "C" NOT NULL,
	quantity bigint NOT NULL,
	unit_price numeric NOT NULL,
	outcome text NOT NULL CHECK (outcome IN ('matched', 'no goods', 'no customer', 'no earlier purchase')),
	order_id uuid,
	order_line integer,
	CHECK ((outcome = 'matched') = (order_id IS NOT NULL AND order_line IS NOT NULL))
);

TRUNCATE raw, countries, lines, invoices RESTART IDENTITY;
