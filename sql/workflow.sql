-- The type oms.workflow: a state machine that people read and edit as text
-- (src/workflow.c, workflow_draw.c; the grammar is in docs/reference.md).

CREATE TYPE oms.workflow;

-- input and output

CREATE FUNCTION oms.workflow_in(cstring) RETURNS oms.workflow
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'oms_workflow_in';
COMMENT ON FUNCTION oms.workflow_in(cstring) IS
'Reads a workflow''s text, for the type''s input. A text that is no workflow is an error (22P02) that says line, column and what was expected; one over 64 KiB, 64 states or 1024 moves is too (54000)';

CREATE FUNCTION oms.workflow_out(oms.workflow) RETURNS cstring
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'oms_workflow_out';
COMMENT ON FUNCTION oms.workflow_out(oms.workflow) IS
'Writes a workflow''s canonical text, for the type''s output: one statement a line, initial, then each move by itself in order of first appearance, then final. Read again it gives the same workflow';

CREATE FUNCTION oms.workflow_recv(internal) RETURNS oms.workflow
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'oms_workflow_recv';
COMMENT ON FUNCTION oms.workflow_recv(internal) IS
'Reads the binary form that workflow_send writes. An unknown version is an error (22P03), and the text in it is checked as any other (22P02, 54000)';

CREATE FUNCTION oms.workflow_send(oms.workflow) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'oms_workflow_send';
COMMENT ON FUNCTION oms.workflow_send(oms.workflow) IS
'Writes a workflow''s binary form: the byte 1, then its canonical text in ASCII';

CREATE TYPE oms.workflow (
	INPUT = oms.workflow_in,
	OUTPUT = oms.workflow_out,
	RECEIVE = oms.workflow_recv,
	SEND = oms.workflow_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = int4,
	STORAGE = extended
);
COMMENT ON TYPE oms.workflow IS
'A state machine, compiled: states, one of them initial, some final, and moves with guards, actions and whether the engine makes them by itself. Written as text, e.g. initial open; open -> closed when paid do notify auto; final closed';

-- casts

CREATE CAST (text AS oms.workflow) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (text AS oms.workflow) IS
'Compiles a workflow''s text; errors as for the type''s input (22P02, 54000)';

CREATE CAST (varchar AS oms.workflow) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (varchar AS oms.workflow) IS
'Compiles a workflow''s text; errors as for the type''s input (22P02, 54000)';

CREATE CAST (oms.workflow AS text) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (oms.workflow AS text) IS
'The canonical text of a workflow; never fails';

-- operators

CREATE FUNCTION oms.workflow_eq(oms.workflow, oms.workflow) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'oms_workflow_eq';
COMMENT ON FUNCTION oms.workflow_eq(oms.workflow, oms.workflow) IS
'Whether two workflows are one machine, however they were written: whether their canonical texts are the same';

CREATE FUNCTION oms.workflow_ne(oms.workflow, oms.workflow) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'oms_workflow_ne';
COMMENT ON FUNCTION oms.workflow_ne(oms.workflow, oms.workflow) IS
'Whether the canonical texts of two workflows differ';

CREATE FUNCTION oms.workflow_lt(oms.workflow, oms.workflow) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'oms_workflow_lt';
COMMENT ON FUNCTION oms.workflow_lt(oms.workflow, oms.workflow) IS
'Whether the first canonical text sorts before the second, COLLATE "C"';

CREATE FUNCTION oms.workflow_le(oms.workflow, oms.workflow) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'oms_workflow_le';
COMMENT ON FUNCTION oms.workflow_le(oms.workflow, oms.workflow) IS
'Whether the first canonical text sorts before the second, COLLATE "C", or is the same';

CREATE FUNCTION oms.workflow_ge(oms.workflow, oms.workflow) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'oms_workflow_ge';
COMMENT ON FUNCTION oms.workflow_ge(oms.workflow, oms.workflow) IS
'Whether the first canonical text sorts after the second, COLLATE "C", or is the same';

CREATE FUNCTION oms.workflow_gt(oms.workflow, oms.workflow) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'oms_workflow_gt';
COMMENT ON FUNCTION oms.workflow_gt(oms.workflow, oms.workflow) IS
'Whether the first canonical text sorts after the second, COLLATE "C"';

CREATE OPERATOR oms.= (
	FUNCTION = oms.workflow_eq,
	LEFTARG = oms.workflow, RIGHTARG = oms.workflow,
	COMMUTATOR = OPERATOR(oms.=), NEGATOR = OPERATOR(oms.<>),
	RESTRICT = eqsel, JOIN = eqjoinsel,
	HASHES, MERGES
);
COMMENT ON OPERATOR oms.= (oms.workflow, oms.workflow) IS
'Both are one machine, however they were written';

CREATE OPERATOR oms.<> (
	FUNCTION = oms.workflow_ne,
	LEFTARG = oms.workflow, RIGHTARG = oms.workflow,
	COMMUTATOR = OPERATOR(oms.<>), NEGATOR = OPERATOR(oms.=),
	RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR oms.<> (oms.workflow, oms.workflow) IS
'They are different machines';

CREATE OPERATOR oms.< (
	FUNCTION = oms.workflow_lt,
	LEFTARG = oms.workflow, RIGHTARG = oms.workflow,
	COMMUTATOR = OPERATOR(oms.>), NEGATOR = OPERATOR(oms.>=),
	RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR oms.< (oms.workflow, oms.workflow) IS
'Its canonical text sorts before the other''s';

CREATE OPERATOR oms.<= (
	FUNCTION = oms.workflow_le,
	LEFTARG = oms.workflow, RIGHTARG = oms.workflow,
	COMMUTATOR = OPERATOR(oms.>=), NEGATOR = OPERATOR(oms.>),
	RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR oms.<= (oms.workflow, oms.workflow) IS
'Its canonical text sorts before the other''s, or is the same';

CREATE OPERATOR oms.>= (
	FUNCTION = oms.workflow_ge,
	LEFTARG = oms.workflow, RIGHTARG = oms.workflow,
	COMMUTATOR = OPERATOR(oms.<=), NEGATOR = OPERATOR(oms.<),
	RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR oms.>= (oms.workflow, oms.workflow) IS
'Its canonical text sorts after the other''s, or is the same';

CREATE OPERATOR oms.> (
	FUNCTION = oms.workflow_gt,
	LEFTARG = oms.workflow, RIGHTARG = oms.workflow,
	COMMUTATOR = OPERATOR(oms.<), NEGATOR = OPERATOR(oms.<=),
	RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR oms.> (oms.workflow, oms.workflow) IS
'Its canonical text sorts after the other''s';

-- operator classes, so that DISTINCT, ORDER BY, joins and indexes work

CREATE FUNCTION oms.workflow_cmp(oms.workflow, oms.workflow) RETURNS integer
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'oms_workflow_cmp';
COMMENT ON FUNCTION oms.workflow_cmp(oms.workflow, oms.workflow) IS
'-1, 0 or 1: how two canonical texts sort, COLLATE "C"; for btree';

CREATE FUNCTION oms.workflow_hash(oms.workflow) RETURNS integer
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'oms_workflow_hash';
COMMENT ON FUNCTION oms.workflow_hash(oms.workflow) IS
'A hash of the canonical text, the same for equal workflows; for hash indexes and joins';

CREATE FUNCTION oms.workflow_hash_extended(oms.workflow, seed bigint) RETURNS bigint
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'oms_workflow_hash_extended';
COMMENT ON FUNCTION oms.workflow_hash_extended(oms.workflow, bigint) IS
'A hash of the canonical text in 64 bits, another one for each seed; for hash partitions';

CREATE OPERATOR FAMILY oms.workflow_ops USING btree;
COMMENT ON OPERATOR FAMILY oms.workflow_ops USING btree IS
'Orders workflows by their canonical texts, COLLATE "C"';

CREATE OPERATOR CLASS oms.workflow_ops DEFAULT FOR TYPE oms.workflow USING btree FAMILY oms.workflow_ops AS
	OPERATOR 1 oms.<,
	OPERATOR 2 oms.<=,
	OPERATOR 3 oms.=,
	OPERATOR 4 oms.>=,
	OPERATOR 5 oms.>,
	FUNCTION 1 oms.workflow_cmp(oms.workflow, oms.workflow);
COMMENT ON OPERATOR CLASS oms.workflow_ops USING btree IS
'Orders workflows by their canonical texts, COLLATE "C"; a btree index holds texts up to about 2.7 kB each';

CREATE OPERATOR FAMILY oms.workflow_ops USING hash;
COMMENT ON OPERATOR FAMILY oms.workflow_ops USING hash IS
'Finds equal workflows, of any size';

CREATE OPERATOR CLASS oms.workflow_ops DEFAULT FOR TYPE oms.workflow USING hash FAMILY oms.workflow_ops AS
	OPERATOR 1 oms.=,
	FUNCTION 1 oms.workflow_hash(oms.workflow),
	FUNCTION 2 oms.workflow_hash_extended(oms.workflow, bigint);
COMMENT ON OPERATOR CLASS oms.workflow_ops USING hash IS
'Finds equal workflows, of any size';

-- what can be asked of one

CREATE FUNCTION oms.states(workflow oms.workflow)
RETURNS TABLE (state text, is_initial boolean, is_final boolean)
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 10
AS 'MODULE_PATHNAME', 'oms_states';
COMMENT ON FUNCTION oms.states(oms.workflow) IS
'The states of a workflow, one a row, in the order in which its canonical text names them, the initial one first';

CREATE FUNCTION oms.moves(workflow oms.workflow)
RETURNS TABLE (from_state text, to_state text, guards text[], actions text[], automatic boolean)
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 20
AS 'MODULE_PATHNAME', 'oms_moves';
COMMENT ON FUNCTION oms.moves(oms.workflow) IS
'The moves of a workflow, one a row, in order of first appearance: all of guards must hold, then actions happen; automatic ones the engine makes as soon as they do. No guards or no actions is an empty array';

CREATE FUNCTION oms.allows(workflow oms.workflow, from_state text, to_state text) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'oms_allows';
COMMENT ON FUNCTION oms.allows(oms.workflow, text, text) IS
'Whether a workflow has a move, manual or automatic, from one state to another, guards aside; false for a state and itself. A state that it does not have is an error (22023)';

CREATE FUNCTION oms.next_states(workflow oms.workflow, state text) RETURNS text[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'oms_next_states';
COMMENT ON FUNCTION oms.next_states(oms.workflow, text) IS
'The states that the moves from a state lead to, automatic ones too, guards aside, in move order and each once; empty where none leads on. A state that the workflow does not have is an error (22023)';

CREATE FUNCTION oms.to_mermaid(workflow oms.workflow) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'oms_to_mermaid';
COMMENT ON FUNCTION oms.to_mermaid(oms.workflow) IS
'A Mermaid state diagram (stateDiagram-v2) of a workflow, as Markdown pages show it. Moves are labeled [guards] / actions, automatic ones begin with auto; a name that Mermaid keeps for itself gets another id';

CREATE FUNCTION oms.to_dot(workflow oms.workflow) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'oms_to_dot';
COMMENT ON FUNCTION oms.to_dot(oms.workflow) IS
'A Graphviz digraph of a workflow, for dot -Tsvg. Moves are labeled [guards] / actions, automatic ones are dashed and blue and begin with auto; final states are gray with a double border';
