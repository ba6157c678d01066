-- An order for more than there is, from somebody who is willing to wait
\i test/demo.d/style

\echo 'A hotel wants twelve mugs, some of them later if need be. What is there is reserved now.'
SELECT number, status, short FROM shop.place_order('{"channel": "market", "external_ref": "M-78", "currency": "EUR",
	"if_short": "hold", "lines": [{"sku": "MUG", "quantity": 12, "unit_price": 10}]}');

\set ECHO none
SELECT number AS "order" FROM shop.orders WHERE external_ref = 'M-78' \gset
\set ECHO queries
\echo 'Then a truck comes. Nobody has to remember who is waiting.'
INSERT INTO shop.stock_movements (sku, location, kind, quantity, external_ref) VALUES
	('MUG', 'warehouse', 'receipt', 10, 'delivery 4711');
SELECT number, location, status, units FROM shop.fulfillment_facts WHERE order_number = :'order' ORDER BY number;
SELECT number, status, units_short, open_holds FROM shop.orders WHERE number = :'order';

\set ECHO none
DO $$ BEGIN
	ASSERT (SELECT status = 'confirmed' AND units_short = 0 AND units_allocated = 12 FROM shop.orders WHERE external_ref = 'M-78'),
		'the delivery did not fill the order';
END $$;
