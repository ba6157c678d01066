# A real shop's year comes in through the public interface: test/import on the
# retail data.  What came out is compared with the file, by SQL over the file's
# lines as they are, and with a model that plays the year through without any
# database (test/import/Model.pm).  docs/import.md has the rules.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../import";
use IPC::Run;
use Model;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $data = $ENV{OMS_DATA} || "$FindBin::Bin/../../../shared/data";
my $file = "$data/online_retail/online_retail_one_fifth.csv";

plan skip_all => "no retail data: cannot read $file (set OMS_DATA)" if !-r $file;

# the import needs no superuser
my $node = PostgreSQL::Test::Cluster->new('import');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->start;
$node->safe_psql('postgres', 'CREATE ROLE shopkeeper LOGIN; CREATE DATABASE import OWNER shopkeeper');

sub import_file
{
	local %ENV = (
		%ENV, PGHOST => $node->host, PGPORT => $node->port, PGDATABASE => 'import', PGUSER => 'shopkeeper',
		# the same year wherever it is imported
		PGTZ => $_[0]);
	my ($out, $err);
	my $ok = IPC::Run::run([ 'sh', "$FindBin::Bin/../import/run.sh", $data ], '>', \$out, '2>', \$err);

	note $out;
	return ($ok, $out, $err);
}

sub query
{
	my ($sql) = @_;
	return $node->safe_psql('import', $sql);
}

# numbers(name, sql of the file, sql of the store): the same, and not nothing
sub numbers
{
	my ($name, $of_file, $of_store) = @_;
	my ($expected, $got) = map { query($_) } $of_file, $of_store;

	ok($expected ne '' && $expected !~ /^0(\.0+)?$/ && $got eq $expected, "$name: $expected")
	  or diag("file: $expected, store: $got");
	return;
}

# rows(name, sql, rows): the query's rows are these, in any order
sub rows
{
	my ($name, $sql, @expected) = @_;
	my %count;
	my @wrong;

	$count{$_}++ for @expected;
	$count{$_}-- for split /\n/, query($sql);
	@wrong = sort grep { $count{$_} != 0 } keys %count;
	ok(@expected > 0 && !@wrong, "$name: " . @expected . ' rows')
	  or diag(map { ($count{$_} > 0 ? 'missing: ' : 'unexpected: ') . "$_\n" } splice(@wrong, 0, 20));
	return;
}

# Every row of the store, and where it lies: an update without effect shows too.
sub fingerprint
{
	my @tables = split /\n/, query("SELECT tablename FROM pg_tables WHERE schemaname = 'retail' ORDER BY 1");

	return join "\n",
	  map { query("SELECT '$_ ' || count(*) || ' ' || coalesce(sum(hashtextextended(t.ctid || t::text, 0)), 0) FROM retail.$_ t") }
	  @tables;
}

# ---- once, with a break on the way

$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', 'import', '-U', 'shopkeeper',
		'-f', "$FindBin::Bin/../import/tables.sql" ], 'the import\'s tables are made');
query(q{ALTER TABLE retail_import.outcomes ADD CONSTRAINT a_break CHECK (invoice <> '545460')});
my ($ok, $out, $err) = import_file('UTC');
ok(!$ok && $err =~ /a_break/, 'an import that meets an error stops') or diag("$out$err");
is(query(q{SELECT count(*) FROM retail_import.outcomes WHERE order_id IS NOT NULL}), query('SELECT count(*) FROM retail.orders'),
	'... with whole batches done');
query('ALTER TABLE retail_import.outcomes DROP CONSTRAINT a_break');

($ok, $out, $err) = import_file('UTC');
ok($ok, '... and goes on when it is called again') or BAIL_OUT("$out$err");
is($err, '', '... without a warning');
like($out, qr/^250 of 4790 invoices, 2010-12-10: .*repeated.*^4790 of 4790 invoices, 2011-12-09: /ms, '... telling how far it is');

like(query("SELECT count(*), coalesce(string_agg(rule, ', ') FILTER (WHERE violations > 0), 'all hold') FROM oms.verify_store('retail')"),
	qr/^[1-9][0-9]+\|all hold$/, 'verify_store has no violations');

# ---- against sums over the file
#
# Goods are told by what goods look like, where the import knows what is none.

query(q{
	CREATE TABLE file AS
	SELECT line, "InvoiceNo" AS invoice, "StockCode" AS code, "StockCode" ~ '^([0-9]{5}|DCGS)' AS is_goods,
		"Description" AS description, "Quantity" AS quantity, "UnitPrice" AS price, "Quantity" * "UnitPrice" AS value,
		"InvoiceDate" AS at, "CustomerID" AS customer,
		"InvoiceNo" ~ '^[0-9]' AND "Quantity" > 0 AS is_sale, "InvoiceNo" ~ '^C' AS is_cancellation,
		"InvoiceNo" ~ '^[0-9]' AND "Quantity" < 0 AS is_stock
	FROM retail_import.raw;
	CREATE TABLE refused AS
	SELECT f.* FROM file f JOIN retail_import.outcomes o USING (invoice) WHERE f.is_sale AND o.outcome = 'refused';
	ANALYZE file, refused;
});

is(query('SELECT count(*) FROM file'), 99098, 'lines of the file');
is(query(q{SELECT count(*) FROM retail_import.outcomes WHERE outcome = 'faulty' OR kind = 'stock' AND outcome = 'refused'}),
	0, 'no invoice is at fault');
numbers('sales invoices are placed or refused', 'SELECT count(DISTINCT invoice) FROM file WHERE is_sale',
	'SELECT (SELECT count(*) FROM retail.orders) + (SELECT count(DISTINCT invoice) FROM refused)');
is(query('SELECT count(*) FROM retail.orders WHERE external_ref IN (SELECT invoice FROM refused)'), 0,
	'what was refused left no order');
numbers('some were refused', 'SELECT count(*) FROM retail_import.outcomes WHERE outcome = \'refused\' AND message LIKE \'not enough stock: sku %\' AND detail LIKE \'[{"line":%\'',
	'SELECT count(DISTINCT invoice) FROM refused');
numbers('lines of goods', 'SELECT count(*) FROM file WHERE is_sale AND is_goods',
	'SELECT (SELECT count(*) FROM retail.order_lines) + (SELECT count(*) FROM refused WHERE is_goods)');
numbers('units', 'SELECT sum(quantity) FROM file WHERE is_sale AND is_goods',
	'SELECT (SELECT sum(units) FROM retail.orders) + (SELECT sum(quantity) FROM refused WHERE is_goods)');
numbers('money', 'SELECT sum(value)::numeric(19,4) FROM file WHERE is_sale',
	'SELECT (SELECT sum(total) FROM retail.orders) + (SELECT sum(value) FROM refused)');
numbers('charges', 'SELECT count(*) || \' \' || sum(value)::numeric(19,4) FROM file WHERE is_sale AND NOT is_goods',
	'SELECT (c.n + r.n) || \' \' || c.amount + r.amount FROM (SELECT count(*) AS n, sum(amount) AS amount FROM retail.order_charges) c,
		(SELECT count(*) AS n, sum(value) AS amount FROM refused WHERE NOT is_goods) r');
numbers('lines at price 0', 'SELECT count(*) FROM file WHERE is_sale AND is_goods AND price = 0',
	'SELECT (SELECT count(*) FROM retail.order_lines WHERE unit_price = 0) + (SELECT count(*) FROM refused WHERE is_goods AND price = 0)');
numbers('prices with three decimals', 'SELECT count(*) FROM file WHERE is_sale AND price <> round(price, 2)',
	'SELECT (SELECT count(*) FROM retail.order_charges WHERE amount <> round(amount, 2))
		+ (SELECT count(*) FROM refused WHERE price <> round(price, 2))');
numbers('guests\' orders', 'SELECT count(DISTINCT invoice) FROM file WHERE is_sale AND customer IS NULL',
	'SELECT (SELECT count(*) FROM retail.orders WHERE customer_id IS NULL)
		+ (SELECT count(DISTINCT invoice) FROM refused WHERE customer IS NULL)');
numbers('customers', 'SELECT count(DISTINCT customer) FROM file WHERE is_sale AND invoice NOT IN (SELECT invoice FROM refused)',
	q{SELECT count(*) FROM retail.customers WHERE code ~ '^[0-9]{5}$'});
numbers('a SKU repeated in an invoice',
	'SELECT count(*) FROM (SELECT FROM file WHERE is_sale AND is_goods AND invoice NOT IN (SELECT invoice FROM refused)
		GROUP BY invoice, code HAVING count(*) > 1) r',
	'SELECT count(*) FROM (SELECT FROM retail.order_lines GROUP BY order_id, sku HAVING count(*) > 1) r');
numbers('SKUs', 'SELECT count(DISTINCT code) FROM file WHERE is_goods', 'SELECT count(*) FROM retail.skus');
numbers('... that differ by case only',
	'SELECT count(*) FROM (SELECT FROM file WHERE is_goods GROUP BY upper(code) HAVING count(DISTINCT code) > 1) d',
	'SELECT count(*) FROM (SELECT FROM retail.skus GROUP BY upper(code) HAVING count(*) > 1) d');
numbers('invoices with two timestamps take the first',
	'SELECT count(*) FROM (SELECT FROM file WHERE is_sale GROUP BY invoice HAVING count(DISTINCT at) > 1) t',
	q{SELECT count(*) FROM (SELECT invoice, min(at) AS at FROM file WHERE is_sale GROUP BY invoice HAVING count(DISTINCT at) > 1) t
		LEFT JOIN retail.orders o ON o.external_ref = t.invoice
		WHERE coalesce(o.ordered_at AT TIME ZONE 'Europe/London', t.at) = t.at});

# Line by line, not only in sum.
is(query(q{
	WITH expected AS (
		SELECT invoice, row_number() OVER (PARTITION BY invoice ORDER BY line) AS line_no, code, quantity, price, description, is_goods
		FROM file WHERE is_sale AND invoice NOT IN (SELECT invoice FROM refused)
	), got AS (
		SELECT o.external_ref, l.line_no, l.sku, l.quantity, l.unit_price, l.description
		FROM retail.orders o JOIN retail.order_lines l ON l.order_id = o.id
	), wanted AS (
		SELECT invoice, line_no, code, quantity, price, description FROM expected WHERE is_goods
	)
	SELECT count(*) FROM ((TABLE wanted EXCEPT ALL TABLE got) UNION ALL (TABLE got EXCEPT ALL TABLE wanted)) d
}), 0, 'every line is its invoice\'s, with quantity, price and description');
is(query(q{
	SELECT count(*) FROM (
		SELECT invoice, min(at) AS at, min(customer)::numeric AS customer, sum(value) AS value
		FROM file WHERE is_sale AND invoice NOT IN (SELECT invoice FROM refused) GROUP BY invoice) f
	FULL JOIN (
		SELECT o.external_ref AS invoice, o.ordered_at, c.code, o.total, o.channel, o.currency
		FROM retail.orders o LEFT JOIN retail.customers c ON c.id = o.customer_id) o USING (invoice)
	WHERE (f.at, f.customer, f.value, CASE WHEN invoice::bigint % 3 = 0 THEN 'phone' ELSE 'web' END, 'GBP')
		IS DISTINCT FROM (o.ordered_at AT TIME ZONE 'Europe/London', o.code::numeric, o.total, o.channel, o.currency::text)
}), 0, 'every order has its invoice\'s time, customer and money');

# Stock that was written off.
numbers('movements', 'SELECT count(*) FROM file WHERE is_stock',
	q{SELECT count(*) FROM retail.stock_movements WHERE kind IN ('damage', 'adjustment')});
numbers('units written off', 'SELECT sum(quantity) FROM file WHERE is_stock',
	q{SELECT sum(on_hand_change) FROM retail.stock_movements WHERE kind <> 'receipt'});
is(query(q{
	SELECT count(*) FROM file f FULL JOIN (SELECT * FROM retail.stock_movements WHERE kind <> 'receipt') m ON m.external_ref = f.invoice
	WHERE (f.is_stock OR f.invoice IS NULL) AND (f.code, f.quantity, coalesce(f.description, 'no reason given'), f.at)
		IS DISTINCT FROM (m.sku, m.on_hand_change, m.reason, m.at AT TIME ZONE 'Europe/London')
}), 0, '... each of its SKU, with its reason and time');
is(query(q{SELECT count(*) FROM retail.stock_movements WHERE (kind = 'damage') <>
	(reason ~* 'dam|thrown|destroyed|crush|wet|smudge')
	AND kind <> 'receipt'}), 0, '... damage where the reason says so');
# Cancellations.
numbers('canceled units are matched or not', 'SELECT -sum(quantity) FROM file WHERE is_cancellation',
	'SELECT sum(quantity) FROM retail_import.cancellations');
numbers('their money', 'SELECT -sum(value)::numeric(19,4) FROM file WHERE is_cancellation',
	'SELECT sum(quantity * unit_price)::numeric(19,4) FROM retail_import.cancellations');
numbers('matched units are canceled in the store', q{SELECT sum(quantity) FROM retail_import.cancellations WHERE outcome = 'matched'},
	'SELECT sum(units_canceled) FROM retail.orders');
numbers('what they cost is credited', q{
	SELECT ((SELECT sum(c.quantity * f.price) FROM retail_import.cancellations c JOIN retail.orders o ON o.id = c.order_id
		JOIN (SELECT *, row_number() OVER (PARTITION BY invoice ORDER BY line) AS line_no FROM file) f
			ON f.invoice = o.external_ref AND f.line_no = c.order_line)
		+ (SELECT coalesce(sum(value), 0) FROM file WHERE NOT is_goods AND invoice IN
			(SELECT external_ref FROM retail.orders WHERE units = units_canceled AND units > 0)))::numeric(19,4)},
	'SELECT sum(credited) FROM retail.orders');
is(query(q{
	SELECT count(*) FROM retail_import.cancellations c JOIN retail.orders o ON o.id = c.order_id
		JOIN (SELECT DISTINCT invoice, at, customer FROM file WHERE is_cancellation) f ON f.invoice = c.invoice
		JOIN (SELECT invoice, min(at) AS at, min(customer) AS customer FROM file WHERE is_sale GROUP BY invoice) s ON s.invoice = o.external_ref
		JOIN retail.order_lines l ON l.order_id = o.id AND l.line_no = c.order_line
	WHERE s.customer IS DISTINCT FROM f.customer OR s.at > f.at OR l.sku <> c.code
}), 0, '... of the same customer and SKU, bought before');
numbers('units without an original are reported',
	'SELECT -sum(quantity) FROM file WHERE is_cancellation AND is_goods AND customer IS NULL',
	q{SELECT sum(quantity) FROM retail_import.cancellations WHERE outcome = 'no customer'});
numbers('bad debt is reported', q{SELECT count(DISTINCT invoice) FROM file WHERE invoice ~ '^A'},
	q{SELECT count(*) FROM retail_import.outcomes WHERE kind = 'bad debt' AND outcome = 'reported'});

# ---- against the model

my $model = Model->new($file);

rows('every invoice became what it must', 'SELECT invoice, outcome FROM retail_import.outcomes', $model->outcome_rows);
rows('orders, their status and money',
	'SELECT external_ref, status, (total * 10000)::bigint, (credited * 10000)::bigint FROM retail.orders', $model->order_rows);
rows('units of orders by SKU',
	'SELECT o.external_ref, l.sku, sum(l.quantity), sum(l.allocated), sum(l.short), sum(l.canceled)
	FROM retail.orders o JOIN retail.order_lines l ON l.order_id = o.id GROUP BY o.external_ref, l.sku', $model->sku_rows);
rows('stock', 'SELECT sku, on_hand, reserved FROM retail.stock', $model->stock_rows);
rows('cancellations',
	'SELECT c.invoice, c.line_no, c.quantity, c.outcome, o.external_ref, c.order_line
	FROM retail_import.cancellations c LEFT JOIN retail.orders o ON o.id = c.order_id', $model->match_rows);

# ---- and again

my $placed = query('SELECT count(*) FROM retail.orders');
my $before = fingerprint();
($ok, $out, $err) = import_file('Asia/Tokyo');
ok($ok, 'the same file is imported again') or diag($err);
my $repeated = 0;
$repeated += $1 while $out =~ /\b([0-9]+) repeated/g;
is($repeated, $placed + query('SELECT count(*) FROM file WHERE is_stock'),
	'every order and movement is recognized by the store');
is(fingerprint(), $before, '... and nothing has changed');

$node->stop;
done_testing();
