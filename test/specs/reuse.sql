-- What takes the place of oms.create_store and DROP SCHEMA when specs run (see
-- Makefile), in a database of their own.  Making a store takes longer than all
-- that a permutation does with it.  So a store serves many permutations: what the
-- one before has added is taken away again, rows and objects, and what it has done
-- to the rows of the beginning is undone.  Where its layout has changed, there is a
-- new one; also once an index has more than one leaf, since from then on
-- serializable transactions could pass each other that meet in a new store.

CREATE SCHEMA reuse;

-- the store as it was made
CREATE TABLE reuse.store (layout text, objects oid[]);
CREATE TABLE reuse.relations (relation regclass, kind "char", columns text, rows jsonb, places text[]);

-- Everything that a schema consists of; xmin is another once it has changed.
CREATE VIEW reuse.parts AS
SELECT n.oid AS schema, 'pg_namespace'::regclass AS class, n.oid AS object, n.xmin AS written FROM pg_namespace n
UNION ALL SELECT c.relnamespace, 'pg_class'::regclass, c.oid, c.xmin FROM pg_class c
UNION ALL SELECT c.relnamespace, 'pg_attribute'::regclass, a.attrelid, a.xmin FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'
UNION ALL SELECT c.relnamespace, 'pg_attrdef'::regclass, d.oid, d.xmin FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid
UNION ALL SELECT c.relnamespace, 'pg_trigger'::regclass, t.oid, t.xmin FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
UNION ALL SELECT c.relnamespace, 'pg_rewrite'::regclass, r.oid, r.xmin FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
UNION ALL SELECT c.relnamespace, 'pg_policy'::regclass, p.oid, p.xmin FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
UNION ALL SELECT c.connamespace, 'pg_constraint'::regclass, c.oid, c.xmin FROM pg_constraint c
UNION ALL SELECT p.pronamespace, 'pg_proc'::regclass, p.oid, p.xmin FROM pg_proc p
UNION ALL SELECT t.typnamespace, 'pg_type'::regclass, t.oid, t.xmin FROM pg_type t;

CREATE FUNCTION reuse.layout(store text) RETURNS text
LANGUAGE sql
AS $$
SELECT concat_ws(' ', count(*), sum(hashtext(concat_ws(' ', p.class::oid, p.object, p.written))))
FROM reuse.parts p WHERE p.schema = to_regnamespace(store)
$$;

-- note_rows remembers what is in a table, and that it is where it is.
CREATE FUNCTION reuse.note_rows(relation regclass) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
	EXECUTE format('UPDATE reuse.relations r SET rows = t.rows, places = t.places FROM (
		SELECT coalesce(jsonb_agg(to_jsonb(t) ORDER BY t.ctid), ''[]'') AS rows,
			coalesce(array_agg(concat(t.ctid, t.xmin)), ''{}'') AS places FROM %s t) t WHERE r.relation = $1', relation)
		USING relation;
END
$$;

-- begin_again makes the store what it was; false: it could not.  Without triggers
-- of ours that refuse it, but with those that have every session read rules anew.
CREATE FUNCTION reuse.begin_again(store text) RETURNS boolean
LANGUAGE plpgsql
SET session_replication_role = replica
AS $$
DECLARE
	part record;
	n bigint;
BEGIN
	FOR part IN
		SELECT o.type, o.identity FROM reuse.parts p CROSS JOIN LATERAL pg_identify_object(p.class, p.object, 0) o
		WHERE p.schema = to_regnamespace(store) AND p.class IN ('pg_class'::regclass, 'pg_proc'::regclass)
			AND p.object <> ALL (SELECT unnest(s.objects) FROM reuse.store s)
	LOOP
		EXECUTE format('DROP %s IF EXISTS %s CASCADE', part.type, part.identity);
	END LOOP;
	IF reuse.layout(store) IS DISTINCT FROM (SELECT s.layout FROM reuse.store s)
		OR EXISTS (SELECT FROM reuse.relations r WHERE r.kind = 'i' AND pg_relation_size(r.relation) > 2 * current_setting('block_size')::integer)
	THEN
		RETURN false;
	END IF;

	FOR part IN SELECT r.* FROM reuse.relations r WHERE r.kind = 'r' AND pg_relation_size(r.relation) > 0 LOOP
		EXECUTE format('DELETE FROM %s t WHERE concat(t.ctid, t.xmin) <> ALL ($1)', part.relation) USING part.places;
		EXECUTE format('SELECT count(*) FROM %s', part.relation) INTO n;
		IF n <> cardinality(part.places) THEN
			EXECUTE format('DELETE FROM %s', part.relation);
			EXECUTE format('INSERT INTO %1$s (%2$s) SELECT %2$s FROM jsonb_populate_recordset(NULL::%1$s, $1)', part.relation, part.columns)
				USING part.rows;
			PERFORM reuse.note_rows(part.relation);
		END IF;
	END LOOP;
	PERFORM setval(r.relation, s.start_value, false)
	FROM reuse.relations r JOIN pg_sequences s ON format('%I.%I', s.schemaname, s.sequencename)::regclass = r.relation
	WHERE r.kind = 'S' AND s.last_value IS NOT NULL;
	RETURN true;
END
$$;

-- create_store is oms.create_store where there is no store to begin again.
CREATE FUNCTION reuse.create_store(store text) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
	IF reuse.begin_again(store) THEN
		RETURN;
	END IF;
	EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', store);
	PERFORM oms.create_store(store);
	-- as with a store that lives for a second, nobody comes in between
	UPDATE pg_class SET reloptions = reloptions || '{autovacuum_enabled=off}' WHERE relnamespace = store::regnamespace AND relkind = 'r';

	DELETE FROM reuse.store;
	DELETE FROM reuse.relations;
	INSERT INTO reuse.store
	SELECT reuse.layout(store), array_agg(p.object) FROM reuse.parts p WHERE p.schema = store::regnamespace;
	INSERT INTO reuse.relations
	SELECT c.oid, c.relkind, (
		SELECT string_agg(quote_ident(a.attname), ', ') FROM pg_attribute a
		WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''), '[]', '{}'
	FROM pg_class c WHERE c.relnamespace = store::regnamespace;
	PERFORM reuse.note_rows(r.relation) FROM reuse.relations r WHERE r.kind = 'r' AND pg_relation_size(r.relation) > 0;
END
$$;
