#!/bin/sh
# Eight o'clock. A record goes on sale: 200 copies, 64 clients, 400 attempts to buy one
set -eu

# sql [psql options]: quietly, stops at the first error
sql() {
	psql -X -q -v ON_ERROR_STOP=1 -P pager=off "$@"
}

scripts=$(mktemp -d)
trap 'rm -rf "$scripts"' EXIT
chmod 755 "$scripts"

# race FILE: 64 clients at once run a file 400 times in all, 16 of them seven
# times and 48 of them six times
race() {
	pgbench -n -j 1 -c 16 -t 7 -f "$1" >"$scripts/log.1" 2>&1 &
	first=$!
	ok=yes
	pgbench -n -j 1 -c 48 -t 6 -f "$1" >"$scripts/log.2" 2>&1 || ok=no
	wait $first || ok=no
	if [ $ok = no ]; then
		cat "$scripts/log.1" "$scripts/log.2"
		exit 1
	fi
}

echo 'First in plain tables, the way applications usually do it: look, then act.'
echo
sql <<-SQL
	CREATE SCHEMA plain;
	CREATE TABLE plain.stock (sku text PRIMARY KEY, available int NOT NULL);
	CREATE TABLE plain.orders (id bigserial PRIMARY KEY, sku text NOT NULL REFERENCES plain.stock);
	CREATE TABLE plain.refused (id bigserial PRIMARY KEY);
	INSERT INTO plain.stock VALUES ('RECORD', 200);
SQL
cat >"$scripts/plain.sql" <<-'SQL'
	BEGIN;
	SELECT available FROM plain.stock WHERE sku = 'RECORD' \gset
	\if :available > 0
	UPDATE plain.stock SET available = available - 1 WHERE sku = 'RECORD';
	INSERT INTO plain.orders (sku) VALUES ('RECORD');
	\else
	INSERT INTO plain.refused DEFAULT VALUES;
	\endif
	COMMIT;
SQL
sed 's/^/    /' "$scripts/plain.sql"
race "$scripts/plain.sql"
sql -A -t <<-'SQL'
	SELECT count(*) AS sold FROM plain.orders \gset
	SELECT count(*) AS refused FROM plain.refused \gset
	\echo
	\echo 200 copies, :sold sold, :refused refused
	CREATE FUNCTION pg_temp.fail(text) RETURNS void LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''%'', $1; END';
	SELECT pg_temp.fail('not 400 attempts') WHERE :sold + :refused <> 400;
	SELECT pg_temp.fail('check-then-act did not oversell this time') WHERE :sold <= 200;
SQL

echo
echo 'Then the same in the store. Each attempt is one call:'
echo
sql <<-'SQL'
	INSERT INTO shop.skus (code, name) VALUES ('RECORD', 'The record');
	INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('RECORD', 'warehouse', 'receipt', 200);
	CREATE TABLE plain.attempts (id bigserial PRIMARY KEY, sold boolean NOT NULL);
	-- pgbench would stop a client at the first refusal
	CREATE FUNCTION plain.attempt() RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM shop.place_order('{"channel": "web", "currency": "EUR",
			"lines": [{"sku": "RECORD", "quantity": 1, "unit_price": 30}]}');
		INSERT INTO plain.attempts (sold) VALUES (true);
	EXCEPTION WHEN SQLSTATE 'OM003' THEN
		INSERT INTO plain.attempts (sold) VALUES (false);
	END $$;
SQL
cat <<'SQL'
    SELECT shop.place_order('{"channel": "web", "currency": "EUR",
        "lines": [{"sku": "RECORD", "quantity": 1, "unit_price": 30}]}');
SQL
echo 'SELECT plain.attempt();' >"$scripts/store.sql"
race "$scripts/store.sql"

# Sold: order lines that hold a copy.  Drift: by how much the counters of stock
# differ from what ledger, fulfillments and orders make when they are recounted.
sql -A -t <<-'SQL'
	SELECT count(*) AS sold FROM shop.order_lines WHERE sku = 'RECORD' AND allocated = 1 \gset
	SELECT count(*) FILTER (WHERE NOT sold) AS refused, count(*) AS attempts FROM plain.attempts \gset
	SELECT abs(s.on_hand - (SELECT sum(on_hand_change) FROM shop.stock_movements WHERE sku = 'RECORD'))
		+ abs(s.reserved - (SELECT sum(l.quantity) FROM shop.fulfillment_lines l JOIN shop.fulfillments f
			ON f.id = l.fulfillment_id WHERE l.sku = 'RECORD' AND f.stock_state = 'reserved'))
		+ abs(s.reserved - (SELECT sum(allocated) FROM shop.order_lines WHERE sku = 'RECORD')) AS drift FROM shop.stock s WHERE s.sku = 'RECORD' \gset
	SELECT count(*) - 200 AS oversold FROM plain.orders \gset
	\echo
	\echo '    plain tables   ' oversold :oversold
	\echo '    a store        ' :sold of 200 sold, :refused refused, :drift drift
	CREATE FUNCTION pg_temp.fail(text) RETURNS void LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''%'', $1; END';
	SELECT pg_temp.fail('that is not what a store promises')
		WHERE (:attempts, :sold, :refused, :drift) <> (400, 200, 200, 0);
SQL
