-- One round of releases.sql's moves.  Variable round.
\set ON_ERROR_STOP 1
\set QUIET 1

SELECT cpu AS a FROM bench.used() \gset
UPDATE shop.fulfillments SET status = 'picking' WHERE method = 'by hand';
SELECT cpu AS b FROM bench.used() \gset
UPDATE shop.fulfillments SET status = 'packed' WHERE method = 'by hand';
SELECT cpu AS c FROM bench.used() \gset
WITH moved AS (
	UPDATE bench.fulfillments SET status = 'packed', revision = revision + 1 WHERE method = 'by hand' RETURNING *
)
INSERT INTO bench.order_events (order_id, entity, entity_id, event, from_status, to_status, actor)
SELECT order_id, 'fulfillment', id, 'moved', 'picking', status, oms.actor() FROM moved;
SELECT cpu AS d FROM bench.used() \gset
INSERT INTO bench.releases VALUES ('unguarded', :round, :b - :a), ('guarded', :round, :c - :b), ('plain', :round, :d - :c);

UPDATE shop.fulfillments SET status = 'released' WHERE method = 'by hand';
VACUUM shop.fulfillments, shop.orders, bench.fulfillments;
