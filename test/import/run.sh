#!/bin/sh
# A year of a gift shop's invoices becomes orders
#
# sh test/import/run.sh DATADIR [FILE]: imports DATADIR/FILE, which is
# online_retail/online_retail_one_fifth.csv unless given and may be .xz, into the
# store "retail" of the database that PGDATABASE and the like name.  The same
# again changes nothing.  docs/import.md tells the rules.

set -eu
[ $# -ge 1 ] || { echo "usage: sh $0 DATADIR [FILE]" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
file=$1/${2:-online_retail/online_retail_one_fifth.csv}
countries=$1/geo/online_retail_country_iso.csv
for needed in "$file" "$countries"; do
	[ -r "$needed" ] || { echo "$0: cannot read $needed" >&2; exit 1; }
done

# what exists already is not worth a word
export PGOPTIONS="${PGOPTIONS-} -c client_min_messages=warning"

run() {
	psql -X -q -v ON_ERROR_STOP=1 "$@"
}

# a file that is cut off must not pass for a shorter one
uncompressed() {
	case $1 in
		*.xz) xz -dc "$1" ;;
		*) cat "$1" ;;
	esac
}
case $file in *.xz) xz -t "$file" ;; esac

# on a terminal, progress stays on one line
rewind=
[ ! -t 1 ] || rewind=$(printf '\033[1A\033[2K')

began=$(date +%s)
run -f "$here/tables.sql"
run -c "COPY retail_import.countries FROM STDIN (FORMAT csv, HEADER match, ENCODING 'UTF8')" <"$countries"
uncompressed "$file" | run -c "COPY retail_import.raw (\"InvoiceNo\", \"StockCode\", \"Description\", \"Quantity\",
	\"InvoiceDate\", \"UnitPrice\", \"CustomerID\", \"Country\") FROM STDIN (FORMAT csv, HEADER match, ENCODING 'UTF8')"
for step in meaning store sales cancellations movements; do
	run -f "$here/$step.sql" >/dev/null
done
run -At -v rewind="$rewind" -f "$here/batch.sql"
run -P pager=off -f "$here/report.sql"

violations=$(run -At -c "SELECT rule, violations FROM oms.verify_store('retail') WHERE violations > 0")
if [ -n "$violations" ]; then
	echo "$violations" >&2
	exit 1
fi
echo "All of it took $(($(date +%s) - began)) s; every rule of oms.verify_store holds."
