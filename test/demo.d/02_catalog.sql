-- Three channels, four places, six things to sell, and the first delivery
\i test/demo.d/style

INSERT INTO shop.channels (code, name, kind, default_method) VALUES
	('web', 'Web shop', 'web', 'ship'),
	('market', 'Marketplace', 'marketplace', 'ship'),
	('till', 'Till in the old town', 'pos', 'counter');

INSERT INTO shop.locations (code, name, kind, tracked, priority) VALUES
	('warehouse', 'Warehouse', 'warehouse', true, 10),
	('oldtown', 'Shop in the old town', 'store', true, 20),
	('harbor', 'Shop at the harbor', 'store', true, 30),
	('strings', 'Strings Ltd, our supplier', 'supplier', false, 40);

INSERT INTO shop.skus (code, name, kind, default_method) VALUES
	('TSHIRT', 'T-shirt with a treble clef', 'physical', NULL),
	('MUG', 'Mug with the same clef', 'physical', NULL),
	('PIANO', 'Upright piano', 'physical', 'pickup'),
	('CELLO', 'Cello, sent by the supplier', 'physical', 'dropship'),
	('GIFTCARD', 'Gift card by mail', 'digital', 'digital'),
	('TUNING', 'Piano tuning at home', 'service', 'service');

INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES
	('TSHIRT', 'warehouse', 'receipt', 20), ('TSHIRT', 'harbor', 'receipt', 5),
	('MUG', 'warehouse', 'receipt', 10), ('MUG', 'oldtown', 'receipt', 6),
	('PIANO', 'oldtown', 'receipt', 1);

SELECT sku, location, on_hand, reserved, available FROM shop.stock_position ORDER BY sku, location DESC;

\set ECHO none
DO $$ BEGIN
	ASSERT (SELECT sum(available) FROM shop.stock) = 42, 'the delivery is not in stock';
END $$;
