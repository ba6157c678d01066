-- An invoice at price 0 with negative quantities is no sale: somebody wrote stock
-- off.  Its description, often a sigh, becomes the movement's reason.

SET search_path = retail_import;

CREATE OR REPLACE FUNCTION movement_kind(description text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE
	WHEN description ~* ('damag|dagamed|breakage|broken|smash|crack|crush|faulty|\mwet\M|water|mould|rust|smudge'
		|| '|thrown? ?away|unsaleable|destroyed') THEN 'damage'
	ELSE 'adjustment'
END;

-- Returns what became of it.  The store knows a movement by its external_ref:
-- the same again has no effect.
CREATE OR REPLACE FUNCTION import_movement(i invoices) RETURNS text
LANGUAGE plpgsql
SET search_path = retail_import, pg_temp
AS $$
DECLARE
	result outcomes;
BEGIN
	IF EXISTS (SELECT FROM outcomes o WHERE o.invoice = i.invoice AND o.outcome <> 'moved') THEN
		RETURN 'left alone';
	END IF;
	result.invoice := i.invoice;
	result.kind := i.kind;
	BEGIN
		INSERT INTO retail.stock_movements (at, sku, location, kind, quantity, reason, external_ref)
		SELECT i.at, l.code, 'main', movement_kind(l.description),
			-- damage counts what is lost, an adjustment has a sign
			sum(CASE movement_kind(l.description) WHEN 'damage' THEN -l.quantity ELSE l.quantity END),
			coalesce(string_agg(DISTINCT l.description, '; '), 'no reason given'), i.invoice
		FROM lines l
		WHERE l.invoice = i.invoice AND l.charge IS NULL
		GROUP BY l.code, movement_kind(l.description);
		IF NOT FOUND THEN
			RETURN 'repeated';
		END IF;
		result.outcome := 'moved';
	EXCEPTION WHEN SQLSTATE 'OM003' THEN	-- more than there ever was
		result.outcome := 'refused';
		GET STACKED DIAGNOSTICS result.message = MESSAGE_TEXT, result.detail = PG_EXCEPTION_DETAIL;
	END;
	INSERT INTO outcomes VALUES (result.*);
	RETURN result.outcome;
END
$$;
