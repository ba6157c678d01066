# Stores are ordinary schemas: a dump restores them whole, also under another
# owner, and no trigger fires; dropping the extension cannot take data along;
# stores do not touch each other; and nobody needs to be a superuser.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Shelves;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('dump');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\n");
$node->start;

my $dir = PostgreSQL::Test::Utils::tempdir();
my $admin = Session->new($node);
$admin->run('CREATE ROLE keeper LOGIN; CREATE ROLE heir LOGIN');
$admin->run("CREATE DATABASE $_") for 'source', 'copy', 'inherited', 'parallel', 'trap', 'closed';
$admin->run('GRANT CREATE ON DATABASE source, trap TO keeper; GRANT CREATE ON DATABASE inherited TO heir');

my @stores = ('shop', 'Bob\'s "other" shop');

sub quoted { my ($name) = @_; return '"' . $name =~ s/"/""/gr . '"' }
sub literal { my ($name) = @_; return "'" . $name =~ s/'/''/gr . "'" }

# rows_of($session, $store, but...): every row of every table, by table
sub rows_of
{
	my ($session, $store, @except) = @_;
	my %rows;
	my $tables = $session->run("SELECT table_name, string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position)"
		  . ' FROM information_schema.columns WHERE table_schema = ' . literal($store)
		  . ' AND column_name <> ALL (' . literal('{' . join(',', @except) . '}') . ')'
		  . ' AND table_name IN (SELECT relname FROM pg_class WHERE relkind = \'r\') GROUP BY table_name')->{rows};
	for (@$tables)
	{
		my ($table, $columns) = @$_;
		$rows{$table} = [ map { $_->[0] } @{ $session->run("SELECT ROW($columns)::text FROM " . quoted($store)
				  . ".$table ORDER BY 1")->{rows} } ];
	}
	my $sequences = $session->run('SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = '
		  . literal($store))->{rows};
	$rows{"sequence $_->[0]"} = $_->[1] for @$sequences;
	return \%rows;
}

# things_of($session, $store): definitions of all that is not a row
sub things_of
{
	my ($session, $store) = @_;
	my $schema = literal(quoted($store)) . '::regnamespace';
	my $sql = <<END;
SELECT 'trigger', pg_get_triggerdef(t.oid), t.tgenabled::text FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = $schema AND NOT t.tgisinternal
UNION ALL SELECT 'view ' || c.relname, pg_get_viewdef(c.oid), c.reloptions::text FROM pg_class c WHERE c.relnamespace = $schema AND c.relkind = 'v'
UNION ALL SELECT 'constraint ' || c.conrelid::regclass, pg_get_constraintdef(c.oid), c.conname FROM pg_constraint c
WHERE c.connamespace = $schema
UNION ALL SELECT 'index', pg_get_indexdef(i.indexrelid), '' FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace = $schema
UNION ALL SELECT 'function', pg_get_functiondef(p.oid), '' FROM pg_proc p WHERE p.pronamespace = $schema
UNION ALL SELECT 'policy', p.polname::text, pg_get_expr(p.polqual, p.polrelid) FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
WHERE c.relnamespace = $schema
UNION ALL SELECT 'column ' || c.relname, a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull,
	coalesce(pg_get_expr(d.adbin, d.adrelid), '') || coalesce(col_description(c.oid, a.attnum), '')
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = $schema AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL SELECT 'comment ' || d.objoid::regclass, d.description, '' FROM pg_description d JOIN pg_class c ON c.oid = d.objoid
WHERE d.classoid = 'pg_class'::regclass AND c.relnamespace = $schema AND d.objsubid = 0
END
	# a dump writes BETWEEN out, so parentheses differ
	return [ sort map { join(' | ', map { $_ // '' } @$_) =~ s/[()]//gr } @{ $session->run($sql)->{rows} } ];
}

# a day's work in a store
sub work
{
	my ($session, $store, $reference) = @_;
	my $s = quoted($store);
	my $name = literal($store);
	my $order = sub {
		my ($fields, @lines) = @_;
		return $session->run("SELECT order_id FROM oms.place_order($name, '" . Session::document($fields, @lines) . "')")->{rows}[0][0];
	};
	my $move = sub { $session->run("UPDATE $s.fulfillments SET status = '$_' WHERE order_id = '$_[0]' AND stock_state IN ('reserved', 'issued')") for @_[1 .. $#_] };

	Session::receive($session, $s, $_, X => 20, Y => 5, Z => 3) for 'A', 'B';
	my ($draft) = $session->value("INSERT INTO $s.orders (channel, currency) VALUES ('web', 'EUR') RETURNING id");
	$session->run("INSERT INTO $s.order_lines (order_id, line_no, sku, quantity, unit_price, tax) VALUES ('$draft', 1, 'X', 2, 9.99, 1.5)");
	$order->('"holds": [{"kind": "fraud"}], "customer": {"code": "C1", "name": "Ann"}, "ship_to": {"name": "Ann", "city": "Ulm"}', X => 1);
	$move->($order->('', X => 2), 'picking', 'packed', 'shipped', 'delivered');
	$move->($order->('', X => 1, Y => 1), 'shipped', 'lost');
	$move->($order->('', X => 1), 'shipped', 'returned_to_sender');
	$session->run("UPDATE $s.orders SET status = 'canceled', status_reason = 'customer_request' WHERE id = '" . $order->('', X => 3) . "'");
	my $rejected = $order->('', X => 2);
	$session->run("UPDATE $s.fulfillments SET status = 'rejected', status_reason = 'not_found' WHERE order_id = '$rejected'");
	my $divided = $order->(qq("external_ref": "$reference"), X => 4);
	$session->run("SELECT oms.split_fulfillment($name, (SELECT id FROM $s.fulfillments WHERE order_id = '$divided'), '[{\"line\": 1, \"quantity\": 1}]')");
	$session->run("SELECT oms.cancel_lines($name, '$divided', '[{\"line\": 1, \"quantity\": 2}]', 'other')");
	my $paid = $order->('"payments": [{"method": "card", "kind": "sale", "amount": 9, "gateway_ref": "ch_1"}]', X => 1);
	$session->run("INSERT INTO $s.payment_transactions (payment_id, kind, outcome, amount, gateway_ref)"
		  . " SELECT id, 'refund', 'requested', 2, 'r_1' FROM $s.payments WHERE order_id = '$paid'");
	$order->('"if_short": "hold", "charges": [{"kind": "shipping", "amount": 5}]', Z => 50);
	$session->run("INSERT INTO $s.stock_movements (sku, location, kind, quantity, external_ref) VALUES ('X', 'A', 'damage', 4, 'd')");
	$session->run("UPDATE $s.workflows SET definition = replace(definition, 'draft -> canceled;', 'draft -> canceled; -- by hand') WHERE name = 'standard'");
}

sub is_whole
{
	my ($session, $store, $what) = @_;
	is(Session::violations($session, $store =~ s/'/''/gr), '', "$what: verify_store is clean");
	is($session->value("SELECT oms.next_states(compiled, 'draft') = '{placed,canceled}' FROM " . quoted($store)
			. ".workflows WHERE name = 'standard'"), 't', "$what: workflows are compiled");
	is($session->state('UPDATE ' . quoted($store) . ".orders SET status = 'completed' WHERE status = 'draft'"), 'OM001',
		"$what: an illegal move is refused");
	my $last = $session->value('SELECT max(substr(number, 3)::int) FROM ' . quoted($store) . '.orders');
	my $row = $session->run('SELECT * FROM oms.place_order(' . literal($store) . ", '" . Session::document('', X => 1) . "')")->{rows}[0];
	is("$row->[1] $row->[2]", 'S-' . ($last + 1) . ' confirmed', "$what: the next order works");
	my $deliver = 'INSERT INTO ' . quoted($store) . '.payment_transactions (payment_id, kind, outcome, amount, gateway_ref)'
	  . ' SELECT id, ';
	is(scalar @{ $session->run("$deliver 'sale', 'succeeded', 9, 'ch_1' FROM " . quoted($store) . '.payments RETURNING id')->{rows} }, 0,
		"$what: money that was recorded before is known");
	$session->run("$deliver 'refund', 'succeeded', 2, 'r_1' FROM " . quoted($store) . '.payments');
	is($session->value("SELECT string_agg(DISTINCT concat_ws(' ', status, open_requests, trim_scale(refunded)), ',') FROM " . quoted($store) . '.payments'),
		'partially_refunded 0 2', "$what: and a request is answered");
	$row = $session->run('SELECT * FROM ' . quoted($store) . ".place_order('" . Session::document('"external_ref": "R-1"', X => 4) . "')")->{rows}[0];
	is($row->[6], 't', "$what: an order that was placed before is known");
	is($session->state('UPDATE ' . quoted($store) . ".fulfillments SET status = 'shipped' WHERE order_id = (SELECT id FROM "
		  . quoted($store) . '.orders ORDER BY id DESC LIMIT 1)'), '00000', "$what: and it ships");
	is(Session::violations($session, $store =~ s/'/''/gr), '', "$what: and verify_store is clean");
	is(Shelves::goes_on($session, $store, 'web'), '', "$what: what was held, on its way, waited for, told or mended goes on");
}

# ---- without a superuser

my $keeper = Session->new($node, 'source', 'keeper');
is(Session->new($node, 'closed', 'keeper')->state('CREATE EXTENSION oms'), '42501',
	'CREATE EXTENSION needs CREATE on the database');
is($keeper->state('CREATE EXTENSION oms'), '00000', 'and nothing more');
is($keeper->value("SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'oms'"), 'postgres',
	'schema oms belongs to the bootstrap superuser');
is($keeper->value("SELECT count(*) FROM pg_proc WHERE pronamespace = 'oms'::regnamespace AND proowner <> 10"), 0,
	'and so do its functions');
is($keeper->state('CREATE FUNCTION oms.intruder() RETURNS int LANGUAGE sql AS \'SELECT 1\''), '42501',
	'nobody else creates anything in it');
my $trap = Session->new($node, 'trap', 'keeper');
$trap->run('CREATE SCHEMA oms');
is($trap->state('CREATE EXTENSION oms'), '42P06', 'a schema oms that somebody planted makes CREATE EXTENSION fail');
is($trap->value("SELECT count(*) FROM pg_extension WHERE extname = 'oms'"), 0, 'and nothing is installed');
$trap->close;

for my $store (@stores)
{
	my $s = quoted($store);
	$keeper->run('SELECT oms.create_store(' . literal($store) . ')');
	$keeper->run(<<END);
INSERT INTO $s.channels (code, name) VALUES ('web', 'Web');
INSERT INTO $s.locations (code, name, priority) VALUES ('A', 'A', 1), ('B', 'B', 2), ('C', 'C', 3);
INSERT INTO $s.skus (code, name) VALUES ('X', 'X'), ('Y', 'Y'), ('Z', 'Z');
END
	work($keeper, $store, 'R-1');
	Shelves::fill($keeper, $store, 'web');
}
is($keeper->value("SELECT count(*) FROM pg_class c WHERE relnamespace = 'shop'::regnamespace AND relowner <> 'keeper'::regrole"), 0,
	'a store belongs to whoever made it');
is($keeper->value("SELECT count(*) FROM pg_depend WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e' AND classid = 'pg_class'::regclass"
		. " AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'oms')"), 0, 'and no table to the extension');

# what users add is theirs
$keeper->run(<<END);
ALTER TABLE shop.orders ADD COLUMN gift_note text DEFAULT 'none';
CREATE INDEX ON shop.orders (gift_note);
CREATE VIEW shop.gifts AS SELECT number, gift_note FROM shop.orders;
CREATE POLICY everything ON shop.orders USING (true);
END

# ---- two stores

{
	my $before = rows_of($keeper, $stores[1]);
	my $things = things_of($keeper, $stores[1]);
	work($keeper, 'shop', 'R-2');
	$keeper->run("UPDATE shop.settings SET number_prefix = 'S-'; UPDATE shop.workflows SET description = 'x'");
	is_deeply(rows_of($keeper, $stores[1]), $before, 'work in one store leaves every row of the other');
	is_deeply(things_of($keeper, $stores[1]), $things, 'and all else');
	cmp_ok(scalar(keys %$before), '>=', 18, 'which is something');
	cmp_ok(scalar(@{ $before->{orders} }), '>=', 9, 'with orders');
	is(Session::violations($keeper, $stores[1] =~ s/'/''/gr), '', 'and it is whole');
}

# ---- dump and restore

my %rows = map { $_ => rows_of($keeper, $_) } @stores;
my %things = map { $_ => things_of($keeper, $_) } @stores;
is(join(' ', grep { ref $rows{shop}{$_} && !@{ $rows{shop}{$_} } } sort keys %{ $rows{shop} }), '', 'every table has rows to restore');
cmp_ok(scalar(grep { /^trigger/ } @{ $things{shop} }), '>=', 40, 'there are triggers to restore');
is(Session::violations($keeper, 'shop'), '', 'the source is whole');

my @connection = ('-h', $node->host, '-p', $node->port);
command_ok([ 'pg_dump', @connection, '-U', 'postgres', '-f', "$dir/plain.sql", 'source' ], 'pg_dump');
command_ok([ 'pg_dump', @connection, '-U', 'keeper', '--no-owner', '-f', "$dir/no_owner.sql", 'source' ], 'pg_dump --no-owner, as the owner');
command_ok([ 'pg_dump', @connection, '-U', 'postgres', '-Fc', '-f', "$dir/custom.dump", 'source' ], 'pg_dump -Fc');

my @psql = ('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', @connection);
command_ok([ @psql, '-U', 'postgres', '-d', 'copy', '-f', "$dir/plain.sql" ], 'restored');
command_ok([ @psql, '-U', 'heir', '-d', 'inherited', '-f', "$dir/no_owner.sql" ], 'restored by another owner, no superuser');
command_ok([ 'pg_restore', @connection, '-U', 'postgres', '--exit-on-error', '-j', '4', '-d', 'parallel', "$dir/custom.dump" ],
	'restored by four at once');

for my $case ([ 'copy', 'keeper' ], [ 'inherited', 'heir' ], [ 'parallel', 'keeper' ])
{
	my ($database, $owner) = @$case;
	my $session = Session->new($node, $database, $owner);
	for my $store (@stores)
	{
		my $what = "$database, $store";
		is_deeply(rows_of($session, $store), $rows{$store}, "$what: every row, revision and event is there, and no more");
		is_deeply(things_of($session, $store), $things{$store}, "$what: every trigger, view, constraint, function, comment");
		is_whole($session, $store, $what);
	}
	is($session->value("SELECT count(*) FROM pg_class WHERE relnamespace = 'shop'::regnamespace AND relowner <> '$owner'::regrole"),
		0, "$database: it belongs to $owner");
	$session->close;
}

# ---- the extension cannot take data along

is($keeper->state('DROP EXTENSION oms'), '2BP01', 'DROP EXTENSION is refused while a store exists');
is_deeply(rows_of($keeper, 'shop'), $rows{shop}, 'and changes nothing');
my %kept = map { $_ => rows_of($keeper, $_, 'compiled') } @stores;
is($keeper->state('DROP EXTENSION oms CASCADE'), '00000', 'DROP EXTENSION CASCADE');
for my $store (@stores)
{
	is_deeply(rows_of($keeper, $store), $kept{$store}, "every row of $store survives it");
	like($keeper->value('SELECT definition FROM ' . quoted($store) . ".workflows WHERE name = 'standard'"),
		qr/^initial draft;.*-- by hand.*^final/ms, "and its workflows, as people wrote them");
}

$_->close for $keeper, $admin;
$node->stop;
done_testing();
