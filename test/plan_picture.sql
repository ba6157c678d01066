-- One order's plan as a Graphviz graph, for docs/sourcing.md: what plan_order chooses,
-- and of what it does not choose what explain_source and the stock say. For a database
-- with the extension and no store plan; test/pictures draws it.
SET client_min_messages = warning;
SELECT FROM oms.create_store('plan');
INSERT INTO plan.channels (code, name, default_method) VALUES ('web', 'Web shop', 'ship');
INSERT INTO plan.locations (code, name, priority, fixed_cost, pick_cost) VALUES ('hamburg', 'Hamburg', 1, 4.50, 0.50), ('munich', 'Munich', 2, 3.00, 0.80), ('cologne', 'Cologne', 3, 6.00, 0.40);
INSERT INTO plan.skus (code, name) VALUES ('MUG', 'Mug'), ('TOWEL', 'Towel'), ('LAMP', 'Lamp');
INSERT INTO plan.sourcing_rules (sku, location, effect) VALUES ('LAMP', 'munich', 'deny');
INSERT INTO plan.stock_movements (sku, location, kind, quantity) VALUES ('MUG', 'hamburg', 'receipt', 1), ('TOWEL', 'hamburg', 'receipt', 5), ('LAMP', 'hamburg', 'receipt', 2),
	('MUG', 'munich', 'receipt', 9), ('TOWEL', 'munich', 'receipt', 9), ('LAMP', 'munich', 'receipt', 5), ('MUG', 'cologne', 'receipt', 9), ('LAMP', 'cologne', 'receipt', 1);
INSERT INTO plan.orders (number, channel, currency) VALUES ('1042', 'web', 'EUR');
INSERT INTO plan.order_lines (order_id, line_no, sku, quantity, unit_price)
SELECT o.id, l.line_no, l.sku, l.quantity, 10 FROM plan.orders o, (VALUES (1, 'MUG', 2), (2, 'TOWEL', 3), (3, 'LAMP', 1)) AS l(line_no, sku, quantity);

WITH chosen AS MATERIALIZED (
	SELECT p.* FROM plan.orders o, oms.plan_order('plan', o.id) p
), pairs AS (
	SELECT l.line_no, loc.code, loc.priority, e.allowed, round(e.per_unit, 2) AS per_unit, least(coalesce(s.available, 0), l.quantity) AS could, coalesce(c.quantity, 0) AS takes
	FROM plan.order_lines l CROSS JOIN plan.locations loc CROSS JOIN LATERAL oms.explain_source('plan', l.sku, loc.code, 'ship', 'web') e
		LEFT JOIN plan.stock s ON s.sku = l.sku AND s.location = loc.code
		LEFT JOIN chosen c ON c.line_no = l.line_no AND c.location = loc.code AND c.disposition = 'allocate'
)
SELECT line FROM (
	SELECT 1 AS part, 0 AS n, 0 AS m, 'digraph "order 1042" { rankdir=LR; nodesep=0.4; ranksep=2.4; node [shape=box, fontname="Helvetica", fontsize=11]; edge [fontname="Helvetica", fontsize=10];' AS line
	UNION ALL
	SELECT 2, line_no, 0, format('"line %s" [label="%s %s"];', line_no, quantity, sku) FROM plan.order_lines
	UNION ALL
	SELECT 3, priority, 0, format('"%s" [label="%s\n%s a shipment", %s];', code, code, round(fixed_cost, 2),
		CASE WHEN code IN (SELECT location FROM chosen) THEN 'style=filled, fillcolor="#dbe9f6"' ELSE 'style=dashed, color="#888888", fontcolor="#888888"' END) FROM plan.locations
	UNION ALL
	SELECT 4, line_no, priority, format('"line %s" -> "%s" [label="%s", %s];', line_no, code,
		CASE WHEN takes > 0 THEN takes || ' x ' || per_unit WHEN NOT allowed THEN 'denied' WHEN could = 0 THEN 'no stock' ELSE 'has ' || could || ', ' || per_unit END,
		CASE WHEN takes > 0 THEN 'penwidth=2' WHEN NOT allowed THEN 'style=dashed, color="#b3261e", fontcolor="#b3261e"'
			WHEN could = 0 THEN 'style=dotted, color="#888888", fontcolor="#888888"' ELSE 'style=dashed, color="#888888", fontcolor="#888888"' END) FROM pairs
	UNION ALL
	SELECT 5, 0, 0, format('label="%s in all"; fontname="Helvetica"; fontsize=11; }', round((SELECT sum(quantity * unit_cost) FROM chosen)
		+ (SELECT sum(fixed_cost) FROM plan.locations WHERE code IN (SELECT location FROM chosen)), 2))
) graph ORDER BY part, n, m;
