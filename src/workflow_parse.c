/*
 * workflow_parse.c
 *	  From the text of a workflow to its rules, and so to its compiled form.
 *
 * Reached through the input functions of type oms.workflow (workflow.c):
 * whatever a user can type or send comes here first.  So nothing in the parser
 * trusts its input, recurses, or takes much more than linear time.
 *
 * Reading turns each source of each arrow into a rule.  Only at the end of the
 * text is it known what "*" stands for, so workflow_build.c makes the moves.
 * Whether guards and actions exist, and whether the machine makes sense, is
 * lint's to say.
 */
#ifndef OMS_STANDALONE
#include "postgres.h"
#endif

#include "workflow_parse.h"

#define NAME_HINT \
	"A name is a lower-case letter and up to 62 more letters, digits and " \
	"underscores; initial, final, when, do and auto are keywords."
#define CHAIN_HINT \
	"A chain of moves takes no guards, no actions and no auto: write its " \
	"moves one by one."

static void start(Parser *p, const char *text, size_t length);
static bool read_text(Parser *p);
static bool read_statement(Parser *p);
static bool read_initial(Parser *p);
static bool read_finals(Parser *p);
static bool read_moves(Parser *p);
static bool read_sources(Parser *p);
static bool read_target(Parser *p, int first, Token *name);
static bool read_chain(Parser *p, Token source);
static bool read_suffix(Parser *p, int first);
static bool read_names(Parser *p, const char *expected, int *count, size_t *size);
static bool end_statement(Parser *p, const char *expected);
static bool add_rule(Parser *p, int from, Token token);
static bool take_state(Parser *p, int *state);
static bool refuse_name(Parser *p, const char *expected);
static bool refuse(Parser *p, const char *expected);

/*
 * oms_workflow_parse compiles a text, which need not end in NUL.  It returns
 * NULL and fills in the error where the text is no workflow.
 */
Workflow *
oms_workflow_parse(const char *text, size_t length, WorkflowError *error)
{
	Workflow   *workflow = NULL;
	Parser	   *p;

	memset(error, 0, sizeof(WorkflowError));
	if (length > WORKFLOW_MAX_TEXT)
	{
		oms_workflow_fail_limit(error, 1, 1, "the text is longer than %d bytes",
								WORKFLOW_MAX_TEXT);
		return NULL;
	}

	p = palloc0(sizeof(Parser));
	p->error = error;
	start(p, text, length);
	if (read_text(p))
		workflow = oms_workflow_build(p);

	pfree(p->symbols);
	pfree(p->references);
	pfree(p->buckets);
	pfree(p);
	return workflow;
}

/* start makes room for as many names as a text of this length can hold. */
static void
start(Parser *p, const char *text, size_t length)
{
	size_t		most = length / 2 + 1;

	p->symbols = palloc(most * sizeof(Symbol));
	p->references = palloc(most * sizeof(int));
	oms_workflow_make_buckets(p, 256);
	p->initial = -1;

	p->scanner.at = p->scanner.line_start = text;
	p->scanner.end = text + length;
	p->scanner.line = 1;
	oms_workflow_scan(&p->scanner);
}

/* read_text reads statements until the text ends. */
static bool
read_text(Parser *p)
{
	const Token *token = &p->scanner.token;

	do
	{
		if (!read_statement(p))
			return false;
		if (token->kind == TOKEN_SEMICOLON)
			oms_workflow_scan(&p->scanner);
	} while (token->kind != TOKEN_END);

	if (p->initial < 0)
		return refuse(p, "an \"initial\" statement");
	return true;
}

/* read_statement reads one, up to its semicolon or the end of the text. */
static bool
read_statement(Parser *p)
{
	switch (p->scanner.token.kind)
	{
		case TOKEN_INITIAL:
			return read_initial(p);
		case TOKEN_FINAL:
			return read_finals(p);
		case TOKEN_NAME:
		case TOKEN_STAR:
			return read_moves(p);
		default:
			return refuse_name(p, "\"initial\", \"final\", a state name or \"*\"");
	}
}

/* read_initial reads "initial s". */
static bool
read_initial(Parser *p)
{
	const Token *token = &p->scanner.token;

	if (p->initial >= 0)
		return oms_workflow_fail(p->error, token->line, token->column,
								 "a second \"initial\" statement, but a workflow has one initial state");
	oms_workflow_scan(&p->scanner);
	return take_state(p, &p->initial) && end_statement(p, "\";\"");
}

/* read_finals reads "final s, ...". */
static bool
read_finals(Parser *p)
{
	do
	{
		Token		name;
		int			state;

		oms_workflow_scan(&p->scanner);
		name = p->scanner.token;
		if (!take_state(p, &state))
			return false;
		if (p->final[state])
			return oms_workflow_fail(p->error, name.line, name.column,
									 "state \"%.*s\" is final twice", name.length, name.start);
		p->final[state] = true;
	} while (p->scanner.token.kind == TOKEN_COMMA);

	return end_statement(p, "\",\" or \";\"");
}

/*
 * read_moves reads "a, b -> c" with its suffix, or a chain, which has none.
 * A chain may begin as any move may, with a list or with "*".
 */
static bool
read_moves(Parser *p)
{
	int			first = p->nrules;
	Token		target;

	if (!read_sources(p) || !read_target(p, first, &target))
		return false;
	if (p->scanner.token.kind == TOKEN_ARROW)
		return read_chain(p, target);
	return read_suffix(p, first);
}

/* read_sources reads "a, b" or "*", up to the arrow; each begins a rule. */
static bool
read_sources(Parser *p)
{
	const Token *token = &p->scanner.token;

	if (token->kind == TOKEN_STAR)
	{
		if (!add_rule(p, EVERY, *token))
			return false;
		oms_workflow_scan(&p->scanner);
		return token->kind == TOKEN_ARROW || refuse(p, "\"->\"");
	}

	for (;;)
	{
		Token		name = *token;
		int			state;

		if (!take_state(p, &state) || !add_rule(p, state, name))
			return false;
		if (token->kind == TOKEN_ARROW)
			return true;
		if (token->kind != TOKEN_COMMA)
			return refuse(p, "\",\" or \"->\"");
		oms_workflow_scan(&p->scanner);
	}
}

/* read_target reads "-> c" for the rules from the first one on. */
static bool
read_target(Parser *p, int first, Token *name)
{
	int			state;

	oms_workflow_scan(&p->scanner);
	*name = p->scanner.token;
	if (!take_state(p, &state))
		return false;
	for (int i = first; i < p->nrules; i++)
	{
		if (p->rules[i].from == state)
			return oms_workflow_fail(p->error, name->line, name->column,
									 "a move from \"%.*s\" to itself", name->length, name->start);
		p->rules[i].to = state;
	}
	return true;
}

/* read_chain reads "-> d -> e" after a first move, each from where the last one led. */
static bool
read_chain(Parser *p, Token source)
{
	const Token *token = &p->scanner.token;

	while (token->kind == TOKEN_ARROW)
	{
		int			link = p->nrules;

		if (!add_rule(p, p->rules[link - 1].to, source) || !read_target(p, link, &source))
			return false;
	}
	if (token->kind == TOKEN_WHEN || token->kind == TOKEN_DO || token->kind == TOKEN_AUTO)
		p->error->hint = CHAIN_HINT;
	return end_statement(p, "\"->\" or \";\"");
}

/* read_suffix reads "when g, ... do a, ... auto" for the rules from the first one on. */
static bool
read_suffix(Parser *p, int first)
{
	const Token *token = &p->scanner.token;
	const char *expected = "\"->\", \"when\", \"do\", \"auto\" or \";\"";
	Rule		read = {.first = p->nreferences};

	if (token->kind == TOKEN_WHEN)
	{
		if (!read_names(p, "the name of a guard", &read.nguards, &read.suffix))
			return false;
		read.suffix += strlen(" when ");
		expected = "\",\", \"do\", \"auto\" or \";\"";
	}
	if (token->kind == TOKEN_DO)
	{
		if (!read_names(p, "the name of an action", &read.nactions, &read.suffix))
			return false;
		read.suffix += strlen(" do ");
		expected = "\",\", \"auto\" or \";\"";
	}
	if (token->kind == TOKEN_AUTO)
	{
		oms_workflow_scan(&p->scanner);
		read.automatic = true;
		read.suffix += strlen(" auto");
		expected = "\";\"";
	}

	for (Rule *rule = &p->rules[first]; rule < &p->rules[p->nrules]; rule++)
	{
		rule->first = read.first;
		rule->nguards = read.nguards;
		rule->nactions = read.nactions;
		rule->suffix = read.suffix;
		rule->automatic = read.automatic;
	}
	return end_statement(p, expected);
}

/* read_names reads a keyword's list of names into references, and measures it. */
static bool
read_names(Parser *p, const char *expected, int *count, size_t *size)
{
	const Token *token = &p->scanner.token;
	int			list = ++p->nlists;

	do
	{
		Symbol	   *symbol;

		oms_workflow_scan(&p->scanner);
		if (token->kind != TOKEN_NAME)
			return refuse_name(p, expected);
		p->references[p->nreferences] = oms_workflow_intern(p, *token);
		symbol = &p->symbols[p->references[p->nreferences++]];
		if (symbol->list == list)
			return oms_workflow_fail(p->error, token->line, token->column,
									 "\"%.*s\" is in the list twice", symbol->length, symbol->name);
		symbol->list = list;
		*size += symbol->length + (*count > 0 ? strlen(", ") : 0);
		(*count)++;
		oms_workflow_scan(&p->scanner);
	} while (token->kind == TOKEN_COMMA);
	return true;
}

/* end_statement refuses whatever else follows; it leaves the semicolon to be read. */
static bool
end_statement(Parser *p, const char *expected)
{
	TokenKind	kind = p->scanner.token.kind;

	return kind == TOKEN_SEMICOLON || kind == TOKEN_END || refuse(p, expected);
}

/* add_rule begins a rule whose target is not yet known. */
static bool
add_rule(Parser *p, int from, Token token)
{
	Rule	   *rule;

	if (p->nrules == WORKFLOW_MAX_MOVES)
		return oms_workflow_fail_limit(p->error, token.line, token.column,
									   "more than %d moves", WORKFLOW_MAX_MOVES);
	rule = &p->rules[p->nrules++];
	rule->from = from;
	rule->line = token.line;
	rule->column = token.column;
	return true;
}

/* take_state reads the name of a state, perhaps one not heard of before. */
static bool
take_state(Parser *p, int *state)
{
	Token		token = p->scanner.token;
	Symbol	   *symbol;
	int			index;

	if (token.kind != TOKEN_NAME)
		return refuse_name(p, "a state name");
	index = oms_workflow_intern(p, token);
	symbol = &p->symbols[index];
	if (symbol->state < 0)
	{
		if (p->nstates == WORKFLOW_MAX_STATES)
			return oms_workflow_fail_limit(p->error, token.line, token.column,
										   "more than %d states", WORKFLOW_MAX_STATES);
		p->states[p->nstates] = index;
		symbol->state = p->nstates++;
	}
	*state = symbol->state;
	oms_workflow_scan(&p->scanner);
	return true;
}

/* refuse_name does as refuse does where a name would have been right. */
static bool
refuse_name(Parser *p, const char *expected)
{
	if (p->scanner.token.kind <= TOKEN_BAD_WORD)
		p->error->hint = NAME_HINT;
	return refuse(p, expected);
}

/* refuse reports the token at hand, in words that fit any encoding. */
static bool
refuse(Parser *p, const char *expected)
{
	const Token *token = &p->scanner.token;
	int			shown = token->length > WORKFLOW_MAX_NAME ? WORKFLOW_MAX_NAME : token->length;

	if (token->kind == TOKEN_END)
		return oms_workflow_fail(p->error, token->line, token->column,
								 "expected %s, found the end of the text", expected);
	if (*token->start <= ' ' || *token->start > '~')
		return oms_workflow_fail(p->error, token->line, token->column,
								 "expected %s, found the byte 0x%02X",
								 expected, (unsigned char) *token->start);
	return oms_workflow_fail(p->error, token->line, token->column,
							 "expected %s, found \"%.*s%s\"", expected,
							 shown, token->start, shown < token->length ? "..." : "");
}
