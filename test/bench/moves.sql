-- What it costs to check a million moves, by our trigger and by PL/pgSQL's
--
-- One table, one UPDATE, rolled back; only the trigger differs.  The cost of
-- the UPDATE without one is taken off.  Variable rows; move.sql makes a round.
\set ON_ERROR_STOP 1
\set QUIET 1
SET client_min_messages = warning;

CREATE UNLOGGED TABLE bench.tickets (id bigint PRIMARY KEY, status text COLLATE "C" NOT NULL) WITH (fillfactor = 40, autovacuum_enabled = off);
INSERT INTO bench.tickets SELECT i, 'open' FROM generate_series(1, :rows) AS i;
CREATE TABLE bench.allowed (from_status text COLLATE "C", to_status text COLLATE "C", PRIMARY KEY (from_status, to_status));
INSERT INTO bench.allowed VALUES ('open', 'waiting'), ('waiting', 'open'), ('open', 'closed'), ('waiting', 'closed'), ('closed', 'open');
VACUUM ANALYZE bench.tickets, bench.allowed;

CREATE FUNCTION bench.check_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.status <> OLD.status THEN
		PERFORM FROM bench.allowed WHERE from_status = OLD.status AND to_status = NEW.status;
		IF NOT FOUND THEN
			RAISE EXCEPTION 'cannot move from % to %', OLD.status, NEW.status;
		END IF;
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER theirs BEFORE UPDATE ON bench.tickets FOR EACH ROW EXECUTE FUNCTION bench.check_move();
CREATE TRIGGER ours BEFORE UPDATE ON bench.tickets FOR EACH ROW EXECUTE FUNCTION oms.enforce_workflow('status',
	'initial open; open -> waiting -> open; open, waiting -> closed; closed -> open');
ALTER TABLE bench.tickets DISABLE TRIGGER USER;

CREATE TABLE bench.moves (trigger text, round integer, cpu_ns bigint);
