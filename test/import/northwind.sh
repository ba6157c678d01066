#!/bin/sh
# Two years of a food wholesaler's orders become history
#
# sh test/import/northwind.sh DATADIR: imports DATADIR/northwind into the store
# "northwind" of the database that PGDATABASE and the like name, which must not
# exist yet.  docs/import.md tells the rules.

set -eu
[ $# -eq 1 ] || { echo "usage: sh $0 DATADIR" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)

export PGOPTIONS="${PGOPTIONS-} -c client_min_messages=warning"

run() {
	psql -X -q -v ON_ERROR_STOP=1 "$@"
}

run -f "$here/northwind_tables.sql" >/dev/null
for table in customers shippers products orders order_details; do
	run -c "COPY northwind_import.$table FROM STDIN (FORMAT csv, HEADER, ENCODING 'UTF8')" <"$1/northwind/$table.csv"
done
run -c "COPY northwind_import.cities FROM STDIN (FORMAT csv, HEADER, ENCODING 'UTF8')" <"$1/geo/northwind_ship_city_coords.csv"
run -f "$here/northwind.sql" >/dev/null

violations=$(run -At -c "SELECT rule, violations FROM oms.verify_store('northwind') WHERE violations > 0")
if [ -n "$violations" ]; then
	echo "$violations" >&2
	exit 1
fi
run -P pager=off -c "SELECT status, fulfillment_status, count(*) AS orders, sum(total) AS total FROM northwind.order_summary GROUP BY 1, 2 ORDER BY 3 DESC"
echo "Every rule of oms.verify_store holds."
