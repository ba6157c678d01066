/*
 * workflow_form.c
 *	  What can be asked of a compiled workflow: its canonical text, its states
 *	  and moves by name, and whether its bytes hold together.
 *
 * Pure, as the parser is: the engine, lint and the type's functions all come
 * here with a Workflow in hand.
 */
#ifndef OMS_STANDALONE
#include "postgres.h"
#endif

#include "workflow.h"

/* Where canonical text goes; without a target it is only measured. */
typedef struct Writer
{
	char	   *target;
	size_t		length;
} Writer;

static void write_text(Writer *writer, const Workflow *w);
static void write_move(Writer *writer, const Workflow *w, const WorkflowMove *move);
static void write_finals(Writer *writer, const Workflow *w);
static void put(Writer *writer, const char *string);
static size_t pool_size(const Workflow *w, size_t size);
static bool valid_moves(const Workflow *w);

/*
 * oms_workflow_print returns the canonical text, NUL-terminated: one statement
 * a line, initial, each move, final.  Read again, it gives the same workflow.
 */
char *
oms_workflow_print(const Workflow *w, size_t *length)
{
	Writer		writer = {NULL, 0};

	write_text(&writer, w);
	writer.target = palloc(writer.length + 1);
	writer.length = 0;
	write_text(&writer, w);
	writer.target[writer.length] = '\0';
	if (length != NULL)
		*length = writer.length;
	return writer.target;
}

/* write_text writes all of it. */
static void
write_text(Writer *writer, const Workflow *w)
{
	put(writer, "initial ");
	put(writer, oms_workflow_state_name(w, w->initial));
	put(writer, ";");
	for (int i = 0; i < w->nmoves; i++)
		write_move(writer, w, oms_workflow_move(w, i));
	write_finals(writer, w);
}

/* write_move writes a move on a line of its own. */
static void
write_move(Writer *writer, const Workflow *w, const WorkflowMove *move)
{
	put(writer, "\n");
	put(writer, oms_workflow_state_name(w, move->from));
	put(writer, " -> ");
	put(writer, oms_workflow_state_name(w, move->to));
	for (int i = 0; i < move->nguards; i++)
	{
		put(writer, i == 0 ? " when " : ", ");
		put(writer, oms_workflow_guard(w, move, i));
	}
	for (int i = 0; i < move->nactions; i++)
	{
		put(writer, i == 0 ? " do " : ", ");
		put(writer, oms_workflow_action(w, move, i));
	}
	if (move->automatic)
		put(writer, " auto");
	put(writer, ";");
}

/* write_finals writes the final states, where there are any. */
static void
write_finals(Writer *writer, const Workflow *w)
{
	bool		any = false;

	for (int state = 0; state < w->nstates; state++)
	{
		if (!oms_workflow_is_final(w, state))
			continue;
		put(writer, any ? ", " : "\nfinal ");
		put(writer, oms_workflow_state_name(w, state));
		any = true;
	}
	if (any)
		put(writer, ";");
}

/* put writes a string, or measures it. */
static void
put(Writer *writer, const char *string)
{
	size_t		length = strlen(string);

	if (writer->target != NULL)
		memcpy(writer->target + writer->length, string, length);
	writer->length += length;
}

/* oms_workflow_state returns the number of the state of that name, or -1. */
int
oms_workflow_state(const Workflow *w, const char *name, size_t length)
{
	for (int state = 0; state < w->nstates; state++)
	{
		const char *known = oms_workflow_state_name(w, state);

		if (strlen(known) == length && memcmp(known, name, length) == 0)
			return state;
	}
	return -1;
}

/*
 * oms_workflow_find_move returns the first move between two states that comes
 * behind the move "after" (-1: the first of all), or -1.  There are two at
 * most, in the order in which an UPDATE tries them.
 */
int
oms_workflow_find_move(const Workflow *w, int from, int to, int after)
{
	for (int i = after + 1; i < w->nmoves; i++)
		if (w->moves[i].from == from && w->moves[i].to == to)
			return i;
	return -1;
}

/*
 * oms_workflow_valid tells whether these bytes are safe to use as a workflow.
 * It does not prove that they are canonical; only the parser makes those.
 */
bool
oms_workflow_valid(const Workflow *w, size_t size)
{
	size_t		pool;

	if (size < offsetof(Workflow, moves) ||
		w->format != WORKFLOW_FORMAT || w->reserved != 0 ||
		w->nstates < 1 || w->nstates > WORKFLOW_MAX_STATES ||
		w->initial >= w->nstates || w->nmoves > WORKFLOW_MAX_MOVES)
		return false;
	for (int state = w->nstates; state < WORKFLOW_MAX_STATES; state++)
		if (oms_workflow_is_final(w, state))
			return false;

	pool = pool_size(w, size);
	if (pool == 0 || ((const char *) w)[size - 1] != '\0')
		return false;
	for (int i = 0; i < w->nstates + w->nreferences; i++)
		if (oms_workflow_offsets(w)[i] >= pool)
			return false;
	return valid_moves(w);
}

/* pool_size returns how many bytes of a workflow are left for its names. */
static size_t
pool_size(const Workflow *w, size_t size)
{
	size_t		used;

	used = offsetof(Workflow, moves) + w->nmoves * sizeof(WorkflowMove) +
		(w->nstates + w->nreferences) * sizeof(uint16);
	return size > used ? size - used : 0;
}

/* valid_moves tells whether moves stay within the workflow. */
static bool
valid_moves(const Workflow *w)
{
	for (int i = 0; i < w->nmoves; i++)
	{
		const WorkflowMove *move = oms_workflow_move(w, i);

		if (move->from >= w->nstates || move->to >= w->nstates ||
			move->from == move->to || move->automatic > 1 || move->reserved != 0 ||
			move->first + move->nguards + move->nactions > w->nreferences)
			return false;
	}
	return true;
}
