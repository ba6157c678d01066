# A store's stock with something in every table that tells of it: holds, what is
# on its way, rules, rates, days, policies, bundles, feeds, repairs, packages; and what must go on with
# them wherever the store has been taken to.

package Shelves;

use strict;
use warnings;

use Session;

sub quoted { my ($name) = @_; return '"' . $name =~ s/"/""/gr . '"' }
sub literal { my ($name) = @_; return "'" . $name =~ s/'/''/gr . "'" }

# document($channel, $ref, @lines): those of JSON
sub document
{
	my ($channel, $fields, @lines) = @_;
	return qq('{"channel": "$channel", "currency": "EUR", $fields, "lines": [) . join(', ', @lines) . q(]}');
}

# fill($session, $store, $channel): as the owner, in SKUs and locations of its own
sub fill
{
	my ($session, $store, $channel) = @_;
	my ($s, $name) = (quoted($store), literal($store));
	$session->run($_) for split /;\n/, <<END;
INSERT INTO $s.locations (code, name, kind, priority) VALUES ('dock', 'Dock', 'warehouse', 90), ('annex', 'Annex', 'store', 91), ('partner', 'Partner', 'third_party', 92);
INSERT INTO $s.skus (code, name, kind) VALUES ('LAMP', 'Lamp', 'physical'), ('BULB', 'Bulb', 'physical'), ('VASE', 'Vase', 'physical'), ('SET', 'Set', 'bundle'), ('CARE', 'Care', 'warranty');
INSERT INTO $s.bundle_items (bundle, sku, quantity, price_share) VALUES ('SET', 'LAMP', 1, 3), ('SET', 'BULB', 2, 1);
INSERT INTO $s.channel_stock_rules (channel, location, effect) VALUES ('$channel', 'annex', 'deny');
INSERT INTO $s.zones (code, country) VALUES ('home', 'DE');
INSERT INTO $s.shipping_rates (location, destination_zone, fixed, transit_days) VALUES ('dock', NULL, 1, 2), ('dock', 'home', 0.5, 1);
INSERT INTO $s.sourcing_rules (sku, location, effect) VALUES ('VASE', 'annex', 'deny');
INSERT INTO $s.sourcing_policies (per_km_cost) VALUES (0.01);
UPDATE $s.locations SET daily_capacity = 1000 WHERE code = 'dock';
INSERT INTO $s.backorder_policies (sku, policy, limit_units, expected_at) VALUES ('LAMP', 'backorder', 100, now() + interval '14 days');
INSERT INTO $s.stock_movements (sku, location, kind, quantity) VALUES ('LAMP', 'dock', 'receipt', 6), ('BULB', 'dock', 'receipt', 30), ('VASE', 'dock', 'receipt', 2);
INSERT INTO $s.inbound (ref, sku, location, quantity, expected_at) VALUES ('PO-1', 'LAMP', 'dock', 10, now() + interval '14 days');
INSERT INTO $s.inbound (ref, sku, location, from_location, quantity, status) VALUES ('T-1', 'BULB', 'annex', 'dock', 4, 'in_transit');
SELECT oms.hold_stock($name, 'cart', '[{"sku": "LAMP", "quantity": 1}]', '1 day');
SELECT oms.set_stock($name, '{"ref": "feed 2", "location": "partner", "sequence": 2, "basis": "sellable", "items": [{"sku": "BULB", "quantity": 7}]}');
ALTER TABLE $s.stock DISABLE TRIGGER USER;
UPDATE $s.stock SET on_hand = on_hand + 1 WHERE sku = 'BULB' AND location = 'dock';
ALTER TABLE $s.stock ENABLE TRIGGER USER;
SELECT oms.repair_store($name);
END
	my $sets = document($channel, '"external_ref": "sets"', '{"sku": "SET", "quantity": 3, "unit_price": 40}',
		'{"line": 2, "sku": "LAMP", "quantity": 1, "unit_price": 30}', '{"sku": "CARE", "quantity": 1, "unit_price": 5, "parent": 2}');
	$session->run("SELECT oms.place_order($name, $sets)");
	$session->run("SELECT oms.cancel_lines($name, id, '[{\"line\": 1, \"quantity\": 1}]') FROM $s.orders WHERE external_ref = 'sets'");
	$session->run("SELECT oms.place_order($name, " . document($channel, '"external_ref": "waits"', '{"sku": "LAMP", "quantity": 9, "unit_price": 30}') . ')');
	$session->run("SELECT oms.place_order($name, " . document($channel, '"external_ref": "parcel"', '{"sku": "VASE", "quantity": 2, "unit_price": 20}') . ')');
	$session->run($_) for split /;\n/, <<END;
INSERT INTO $s.packages (fulfillment_id, carrier, tracking_number) SELECT f.id, 'post', 'P1' FROM $s.fulfillments f JOIN $s.orders o ON o.id = f.order_id WHERE o.external_ref = 'parcel';
INSERT INTO $s.package_lines SELECT p.id, l.order_line_id, l.quantity FROM $s.packages p JOIN $s.fulfillment_lines l ON l.fulfillment_id = p.fulfillment_id WHERE p.tracking_number = 'P1';
UPDATE $s.fulfillments f SET status = 'shipped' FROM $s.packages p WHERE p.fulfillment_id = f.id AND p.tracking_number = 'P1';
INSERT INTO $s.carrier_events (carrier, tracking_number, code, at, external_ref) VALUES ('post', 'P1', 'in_transit', '2026-01-01', 'p1');
END
}

# goes_on($session, $store, $channel): what does not, after all that was taken
# along with the store; '' is as it should be
sub goes_on
{
	my ($session, $store, $channel) = @_;
	my ($s, $name) = (quoted($store), literal($store));
	my @faults;
	my $expect = sub {
		my ($what, $wanted, $sql) = @_;
		my $result = $session->try($sql);
		my $got = $result->{state} // join ' ', map { $_ // '-' } map { @$_ } @{ $result->{rows} };
		push @faults, "$what: $got, not $wanted" . ($result->{message} ? " ($result->{message})" : '') if $got ne $wanted;
	};
	my $feed = sub {
		my ($sequence, $quantity) = @_;
		return "SELECT applied, ignored, repeated FROM oms.set_stock($name, '{\"ref\": \"feed $sequence\", \"location\": \"partner\","
		  . " \"sequence\": $sequence, \"basis\": \"sellable\", \"items\": [{\"sku\": \"BULB\", \"quantity\": $quantity}]}')";
	};

	$expect->('stock is told', '6 6 1 0 93', "SELECT on_hand, reserved, held, available, backorderable"
		  . " FROM oms.availability($name, '{LAMP}', '$channel')");
	$expect->('a channel keeps to its rule', 'OM003', "SELECT oms.place_order($name, "
		  . document($channel, '"external_ref": "far"', '{"sku": "BULB", "quantity": 1, "unit_price": 1, "location": "annex"}') . ')');
	$expect->('a hold is kept for its order', 'confirmed 0 0', "SELECT status, short, backordered FROM oms.place_order($name, "
		  . document($channel, '"external_ref": "cart", "stock_hold": "cart"', '{"sku": "LAMP", "quantity": 1, "unit_price": 30}') . ')');
	$expect->('and is used up', '0', "SELECT count(*) FROM $s.stock_holds");
	$expect->('another can be made', '2 f', "SELECT units, repeated FROM oms.hold_stock($name, 'cart', '[{\"sku\": \"BULB\", \"quantity\": 2}]')");
	$expect->('and ended', '2', "SELECT oms.release_hold($name, 'cart')");
	$expect->('units wait', '7', "SELECT quantity FROM $s.backorders");
	$expect->('what was on its way arrives', 'received 10', "UPDATE $s.inbound SET status = 'received' WHERE ref = 'PO-1' RETURNING status, quantity");
	$expect->('and fills who waits', '9 0', "SELECT units_allocated, units_backordered FROM $s.orders WHERE external_ref = 'waits'");
	$expect->('a transfer arrives', '4', "SELECT oms.receive_inbound($name, id) FROM $s.inbound WHERE ref = 'T-1'");
	$expect->('a feed is known', '1 0 t', $feed->(2, 7));
	$expect->('an older one ignored', '0 1 f', $feed->(1, 99));
	$expect->('a newer one not', '1 0 f', $feed->(3, 8));
	$expect->('a carrier is known, and followed', '1 1 1', "SELECT recorded, repeated, moved FROM oms.record_carrier_events($name, '{\"carrier\": \"post\", \"events\":"
		  . " [{\"tracking_number\": \"P1\", \"code\": \"in_transit\", \"at\": \"2026-01-01\", \"external_ref\": \"p1\"},"
		  . " {\"tracking_number\": \"P1\", \"code\": \"delivered\", \"at\": \"2026-01-02\", \"external_ref\": \"p2\"}]}')");
	$expect->('what has left takes nothing more', 'OM002', "INSERT INTO $s.package_lines SELECT p.id, l.id, 1 FROM $s.packages p, $s.order_lines l WHERE l.sku = 'BULB' AND p.tracking_number = 'P1' LIMIT 1");
	$expect->('kits are canceled by the kit', '3', "SELECT oms.cancel_lines($name, id, '[{\"line\": 1, \"quantity\": 1}]') FROM $s.orders WHERE external_ref = 'sets'");
	$expect->('a bundle does not hold itself', '23514', "INSERT INTO $s.bundle_items (bundle, sku, quantity) VALUES ('SET', 'SET', 1)");
	$expect->('nor are engine columns written', 'OM005', "UPDATE $s.backorder_policies SET backordered = 1");
	$expect->('nor holds', 'OM005', "INSERT INTO $s.stock_holds (ref, sku, location, quantity, expires_at, items_hash) VALUES ('x', 'LAMP', 'dock', 1, now(), '')");
	$expect->('nor closed rows on their way', 'OM001', "UPDATE $s.inbound SET status = 'expected' WHERE ref = 'PO-1'");
	$session->run($_) for "ALTER TABLE $s.stock DISABLE TRIGGER USER", "UPDATE $s.stock SET on_hand = on_hand + 1 WHERE sku = 'BULB' AND location = 'dock'",
	  "ALTER TABLE $s.stock ENABLE TRIGGER USER";
	$expect->('counters are repaired', 'BULB at dock on_hand', "SELECT key, column_name FROM oms.repair_store($name)");
	$expect->('and that is kept', '2', "SELECT count(*) FROM $s.repairs WHERE key = 'BULB at dock'");
	push @faults, Session::violations($session, $store =~ s/'/''/gr);
	return join '; ', grep { $_ ne '' } @faults;
}

1;
