/*
 * workflow_build.c
 *	  From the rules of a workflow to its compiled form.
 *
 * Called by workflow_parse.c when the whole text is read.  Expanding makes the
 * moves, in order of first appearance: the order that an UPDATE tries them in
 * and that people see.  Building lays everything out as workflow.h promises.
 */
#ifndef OMS_STANDALONE
#include "postgres.h"
#endif

#include "workflow_parse.h"

typedef struct Builder
{
	Parser	   *parser;
	Rule		moves[WORKFLOW_MAX_MOVES];
	int			nmoves;
	int			nreferences;
	size_t		text_size;		/* of the canonical text so far */
	char		seen[WORKFLOW_MAX_STATES][WORKFLOW_MAX_STATES];

	int			order[WORKFLOW_MAX_STATES]; /* canonical number to state */
	int			number[WORKFLOW_MAX_STATES];	/* and back, -1: none yet */
	int			nordered;
	int			pool_size;
} Builder;

static bool expand(Builder *b);
static bool expand_every(Builder *b, const Rule *rule);
static bool add_move(Builder *b, const Rule *rule, int from);
static bool measure_finals(Builder *b);
static void order_states(Builder *b);
static void order_state(Builder *b, int state);
static void place_names(Builder *b);
static void place_name(Builder *b, Symbol *symbol);
static Workflow *allocate(Builder *b);
static void lay_out(Builder *b, Workflow *workflow);
static Symbol *state_symbol(Builder *b, int state);

/* oms_workflow_build returns the compiled form, or NULL with the parser's error filled in. */
Workflow *
oms_workflow_build(Parser *parser)
{
	Workflow   *workflow = NULL;
	Builder    *b = palloc0(sizeof(Builder));

	b->parser = parser;
	if (expand(b))
	{
		order_states(b);
		place_names(b);
		workflow = allocate(b);
		lay_out(b, workflow);
	}
	pfree(b);
	return workflow;
}

/* expand turns rules into moves. */
static bool
expand(Builder *b)
{
	const Parser *p = b->parser;

	b->text_size = strlen("initial ;") + state_symbol(b, p->initial)->length;
	for (const Rule *rule = p->rules; rule < p->rules + p->nrules; rule++)
	{
		if (rule->from == EVERY ? !expand_every(b, rule) : !add_move(b, rule, rule->from))
			return false;
	}
	return measure_finals(b);
}

/*
 * expand_every makes the moves of a "*": from the initial state first, so
 * that it does not matter where the text says which one that is.
 */
static bool
expand_every(Builder *b, const Rule *rule)
{
	const Parser *p = b->parser;
	int			before = b->nmoves;

	for (int i = -1; i < p->nstates; i++)
	{
		int			from = i < 0 ? p->initial : i;

		if (i == p->initial || from == rule->to || p->final[from])
			continue;
		if (!add_move(b, rule, from))
			return false;
	}
	if (b->nmoves == before)
		return oms_workflow_fail(p->error, rule->line, rule->column,
								 "\"*\" stands for no state here: every state but the target is final");
	return true;
}

/* add_move adds one from this state, unless the pair has its like already. */
static bool
add_move(Builder *b, const Rule *rule, int from)
{
	WorkflowError *error = b->parser->error;
	const Symbol *source = state_symbol(b, from);
	const Symbol *target = state_symbol(b, rule->to);
	char		kind = rule->automatic ? 2 : 1;

	if ((b->seen[from][rule->to] & kind) != 0)
		return oms_workflow_fail(error, rule->line, rule->column,
								 "a second %s move from \"%.*s\" to \"%.*s\"",
								 rule->automatic ? "automatic" : "manual",
								 source->length, source->name, target->length, target->name);
	if (b->nmoves == WORKFLOW_MAX_MOVES)
		return oms_workflow_fail_limit(error, rule->line, rule->column,
									   "more than %d moves", WORKFLOW_MAX_MOVES);
	b->text_size += strlen("\n -> ;") + source->length + target->length + rule->suffix;
	if (b->text_size > WORKFLOW_MAX_TEXT)
		return oms_workflow_fail_limit(error, rule->line, rule->column,
									   "the workflow, written out move by move, is longer than %d bytes",
									   WORKFLOW_MAX_TEXT);

	b->seen[from][rule->to] |= kind;
	b->nreferences += rule->nguards + rule->nactions;
	b->moves[b->nmoves] = *rule;
	b->moves[b->nmoves++].from = from;
	return true;
}

/* measure_finals adds the last statement to the size of the canonical text. */
static bool
measure_finals(Builder *b)
{
	const Parser *p = b->parser;
	const Token *end = &p->scanner.token;
	int			nfinals = 0;

	for (int state = 0; state < p->nstates; state++)
		if (p->final[state])
			b->text_size += state_symbol(b, state)->length +
				(nfinals++ > 0 ? strlen(", ") : strlen("\nfinal ;"));
	if (b->text_size > WORKFLOW_MAX_TEXT)
		return oms_workflow_fail_limit(p->error, end->line, end->column,
									   "the workflow, written out move by move, is longer than %d bytes",
									   WORKFLOW_MAX_TEXT);
	return true;
}

/* order_states numbers the states as the canonical text names them. */
static void
order_states(Builder *b)
{
	const Parser *p = b->parser;

	memset(b->number, -1, sizeof(b->number));
	order_state(b, p->initial);
	for (int i = 0; i < b->nmoves; i++)
	{
		order_state(b, b->moves[i].from);
		order_state(b, b->moves[i].to);
	}
	for (int state = 0; state < p->nstates; state++)
		if (p->final[state])
			order_state(b, state);
	/* every "*" has made a move, so no state was named in vain */
	Assert(b->nordered == p->nstates);
}

/* order_state gives a state its number, the first time. */
static void
order_state(Builder *b, int state)
{
	if (b->number[state] >= 0)
		return;
	b->number[state] = b->nordered;
	b->order[b->nordered++] = state;
}

/* place_names gives each name its place in the pool. */
static void
place_names(Builder *b)
{
	const Parser *p = b->parser;

	for (int i = 0; i < b->nordered; i++)
		place_name(b, state_symbol(b, b->order[i]));
	for (const Rule *move = b->moves; move < b->moves + b->nmoves; move++)
		for (int i = 0; i < move->nguards + move->nactions; i++)
			place_name(b, &p->symbols[p->references[move->first + i]]);
}

/* place_name gives a name its place, the first time. */
static void
place_name(Builder *b, Symbol *symbol)
{
	if (symbol->offset >= 0)
		return;
	symbol->offset = b->pool_size;
	b->pool_size += symbol->length + 1;
}

/* allocate makes the structure and fills in its head. */
static Workflow *
allocate(Builder *b)
{
	Workflow   *workflow;
	size_t		size;

	size = offsetof(Workflow, moves) + b->nmoves * sizeof(WorkflowMove) +
		(b->nordered + b->nreferences) * sizeof(uint16) + b->pool_size;
	workflow = palloc0(size);
	SET_VARSIZE(workflow, size);
	workflow->format = WORKFLOW_FORMAT;
	workflow->nstates = b->nordered;
	workflow->initial = b->number[b->parser->initial];
	workflow->nmoves = b->nmoves;
	workflow->nreferences = b->nreferences;
	return workflow;
}

/* lay_out fills in states, moves, references and names. */
static void
lay_out(Builder *b, Workflow *workflow)
{
	const Parser *p = b->parser;
	WorkflowMove *to = workflow->moves;
	uint16	   *offset = (uint16 *) (workflow->moves + b->nmoves);
	char	   *pool = (char *) (offset + b->nordered + b->nreferences);
	int			nreferences = 0;

	for (int i = 0; i < b->nordered; i++)
	{
		*offset++ = state_symbol(b, b->order[i])->offset;
		if (p->final[b->order[i]])
			workflow->finals[i >> 5] |= (uint32) 1 << (i & 31);
	}

	for (const Rule *from = b->moves; from < b->moves + b->nmoves; from++, to++)
	{
		to->from = b->number[from->from];
		to->to = b->number[from->to];
		to->automatic = from->automatic;
		to->nguards = from->nguards;
		to->nactions = from->nactions;
		to->first = nreferences;
		nreferences += from->nguards + from->nactions;
		for (int i = 0; i < from->nguards + from->nactions; i++)
			*offset++ = p->symbols[p->references[from->first + i]].offset;
	}

	for (const Symbol *symbol = p->symbols; symbol < p->symbols + p->nsymbols; symbol++)
		memcpy(pool + symbol->offset, symbol->name, symbol->length);
}

/* state_symbol returns the name of a state. */
static Symbol *
state_symbol(Builder *b, int state)
{
	return &b->parser->symbols[b->parser->states[state]];
}
