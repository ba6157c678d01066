-- One UPDATE of moves.sql's table.  Variables trigger, round.
\set QUIET 1
SELECT format('ALTER TABLE bench.tickets %s TRIGGER %I', CASE tgname WHEN :'trigger' THEN 'ENABLE' ELSE 'DISABLE' END, tgname)
FROM pg_trigger WHERE tgrelid = 'bench.tickets'::regclass \gexec
SELECT cpu AS before FROM bench.used() \gset
BEGIN;
UPDATE bench.tickets SET status = 'closed';
ROLLBACK;
INSERT INTO bench.moves SELECT :'trigger', :round, cpu - :before FROM bench.used();
VACUUM bench.tickets;
