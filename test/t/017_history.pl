# A wholesaler's past comes in as it was: Northwind's orders by
# oms.begin_import, compared with the files; and life goes on with them.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Test::More;

my $data = $ENV{OMS_DATA} || "$FindBin::Bin/../../../shared/data";
plan skip_all => "no data: cannot read $data/northwind (set OMS_DATA)" if !-r "$data/northwind/orders.csv";

my $node = PostgreSQL::Test::Cluster->new('history');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', "fsync = off\n");
$node->start;
my $admin = Session->new($node);
$admin->run($_) for 'CREATE ROLE keeper LOGIN', 'CREATE DATABASE wholesale OWNER keeper';
my $keeper = Session->new($node, 'wholesale', 'keeper');
$keeper->run('CREATE EXTENSION oms');

{
	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port, PGDATABASE => 'wholesale', PGUSER => 'keeper', PGTZ => 'Asia/Tokyo');
	my ($out, $err);
	my $ok = IPC::Run::run([ 'sh', "$FindBin::Bin/../import/northwind.sh", $data ], '>', \$out, '2>', \$err);
	ok($ok, 'the import of the owner, no superuser') or BAIL_OUT("$out$err");
	is($err, '', 'without a warning');
	like($out, qr/Every rule of oms.verify_store holds/, 'verify_store is clean');
}

# alike(what, sql of the files, sql of the store): the same, and not nothing
sub alike
{
	my ($what, @sql) = @_;
	my ($file, $store) = map { join "\n", map { join '|', map { $_ // '' } @$_ } @{ $keeper->run($_)->{rows} } } @sql;
	ok($file ne '' && $file ne '0' && $file eq $store, $what . ($file =~ /\n/ ? '' : ": $file")) or diag("file: $file\nstore: $store");
}

$keeper->run("SET TIME ZONE 'UTC'; SET search_path = northwind_import");
alike('orders, lines, units', 'SELECT count(DISTINCT order_id), count(*), sum(quantity) FROM order_details',
	'SELECT (SELECT count(*) FROM northwind.orders), count(*), sum(quantity) FROM northwind.order_lines');
alike('money of each order', 'SELECT o.id, (sum(round(d.quantity * d.unit_price * (1 - d.discount), 4)) + o.freight)::numeric(19,4) FROM orders o JOIN order_details d ON d.order_id = o.id GROUP BY o.id ORDER BY 1',
	"SELECT external_ref, total FROM northwind.orders ORDER BY external_ref::int");
alike('shipped orders are completed, at their time', 'SELECT id, shipped FROM orders WHERE shipped IS NOT NULL ORDER BY 1',
	"SELECT external_ref, closed_at::date FROM northwind.orders WHERE status = 'completed' ORDER BY external_ref::int");
alike('and their parcels have left, when, by which carrier, promised when', 'SELECT o.id, ordered, required, shipped, s.name FROM orders o JOIN shippers s ON s.id = ship_via WHERE shipped IS NOT NULL ORDER BY 1',
	"SELECT o.external_ref, f.created_at::date, f.promised_at::date, f.shipped_at::date, f.carrier FROM northwind.fulfillments f JOIN northwind.orders o ON o.id = f.order_id"
	  . " WHERE f.status = 'shipped' AND f.stock_state = 'issued' ORDER BY o.external_ref::int");
alike('late ones', 'SELECT count(*) FROM orders WHERE shipped > required', 'SELECT count(*) FROM northwind.fulfillment_facts WHERE shipped_at > promised_at');
is($keeper->value('SELECT count(*) FROM orders WHERE shipped > required'), 37, 'of which there are some');
alike('unshipped orders are open', 'SELECT count(*) FROM orders WHERE shipped IS NULL', "SELECT count(*) FROM northwind.orders WHERE status IN ('confirmed', 'placed') AND fulfillment_status = 'unfulfilled' AND closed_at IS NULL");
is($keeper->value("SELECT string_agg(DISTINCT status, ' ' ORDER BY status) FROM northwind.orders WHERE closed_at IS NULL"), 'confirmed placed', 'with and without all that they want');
alike('addresses', 'SELECT name, address, city, coalesce(region, \'\'), coalesce(postal_code, \'\') FROM orders ORDER BY id',
	"SELECT company, line1, city, coalesce(region, ''), coalesce(postal_code, '') FROM northwind.orders o JOIN northwind.addresses a ON a.id = o.ship_to_id ORDER BY external_ref::int");
is($keeper->value('SELECT count(*) FROM northwind.addresses WHERE country IS NULL OR latitude IS NULL'), 0, 'with countries and coordinates');
alike('customers', 'SELECT o.id, c.company FROM orders o JOIN customers c ON c.code = o.customer ORDER BY 1', 'SELECT external_ref, customer_name FROM northwind.order_summary ORDER BY external_ref::int');
alike('stock', 'SELECT id, in_stock FROM products ORDER BY 1', 'SELECT sku, on_hand FROM northwind.stock ORDER BY sku::int');
alike('the ledger of what left', 'SELECT product, shipped, sum(quantity) FROM order_details d JOIN orders o ON o.id = d.order_id WHERE shipped IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2',
	"SELECT sku, at::date, -sum(on_hand_change) FROM northwind.stock_movements WHERE kind = 'issue' GROUP BY 1, 2 ORDER BY sku::int, 2");
cmp_ok($keeper->value('SELECT sum(reserved) FROM northwind.stock'), '>', 100, 'some of it is reserved');
is($keeper->value("SELECT string_agg(DISTINCT entity || ' ' || event, ', ' ORDER BY entity || ' ' || event) FROM northwind.order_events"), 'fulfillment imported, order imported', 'all that the log tells is that they were imported');
is($keeper->value('SELECT count(*) FROM northwind.order_events'), $keeper->value('SELECT (SELECT count(*) FROM northwind.orders) + (SELECT count(*) FROM northwind.fulfillments)'), 'each of them once');

# ---- and life goes on

is($keeper->state("UPDATE northwind.fulfillments SET status = 'shipped' WHERE status = 'released'"), '00000', 'what was to be shipped ships');
is($keeper->value("SELECT count(*) FROM northwind.orders WHERE status = 'confirmed'"), 0, 'and completes its orders');
is($keeper->state("UPDATE northwind.orders SET status = 'canceled' WHERE id = (SELECT id FROM northwind.orders WHERE status = 'placed' ORDER BY number LIMIT 1)"), '00000', 'one that waits is canceled');
$keeper->run("INSERT INTO northwind.stock_movements (sku, location, kind, quantity) SELECT code, 'main', 'receipt', 500 FROM northwind.skus");
is($keeper->value('SELECT sum(units_short) FROM northwind.orders'), 0, 'what the others lack comes in');
$keeper->run("UPDATE northwind.order_holds SET released_at = clock_timestamp() WHERE released_at IS NULL");
is($keeper->value("SELECT string_agg(DISTINCT status, ' ') FROM northwind.fulfillments WHERE stock_state = 'reserved'"), 'released', 'so they go on when their holds end');
is($keeper->state("UPDATE northwind.fulfillments SET status = 'delivered' WHERE number = 'NW-10248-1'"), '00000', 'a parcel of 1996 arrives');
is($keeper->value(qq(SELECT number || ' ' || status FROM northwind.place_order('{"channel": "sales", "currency": "USD", "lines": [{"sku": "1", "quantity": 1, "unit_price": 18}]}'))), 'NW-11078 confirmed', 'the next order has the next number');
is(Session::violations($keeper, 'northwind'), '', 'verify_store is clean');

# ---- another session works while an import is open, by the rules

my $other = Session->new($node, 'wholesale', 'keeper');
my $past = "INSERT INTO northwind.orders (channel, currency, status, closed_at) VALUES ('sales', 'USD', 'canceled', '1996-01-01')";
$keeper->run("BEGIN; SELECT northwind.begin_import(); $past");
is($other->state($past), 'OM001', 'another session of the same owner does not import');
is($other->value(q(SELECT status FROM northwind.place_order('{"channel": "sales", "currency": "USD", "lines": [{"sku": "1", "quantity": 1, "unit_price": 18}]}'))), 'confirmed', 'and places orders meanwhile');
$other->send("BEGIN; SELECT northwind.begin_import(); $past; COMMIT");
$admin->await_waiting($other);
$keeper->run('ROLLBACK');
is($other->result->{state}, undef, 'its own import waits for the first to end');
is($keeper->value("SELECT count(*) FROM northwind.orders WHERE status = 'canceled' AND units = 0"), 1, 'of which nothing is left');
is(Session::violations($keeper, 'northwind'), '', 'verify_store is clean');

$_->close for $keeper, $admin, $other;
$node->stop;
done_testing();
