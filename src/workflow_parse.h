/*
 * workflow_parse.h
 *	  What the three steps of the workflow parser hand to each other.
 *
 * workflow_scan.c cuts a text into tokens, workflow_parse.c reads them into
 * rules, workflow_build.c expands rules into moves and lays these out.  Only
 * those three include this; everybody else wants workflow.h.
 */
#ifndef OMS_WORKFLOW_PARSE_H
#define OMS_WORKFLOW_PARSE_H

#include "workflow.h"

typedef enum TokenKind
{
	TOKEN_NAME,
	TOKEN_INITIAL,
	TOKEN_FINAL,
	TOKEN_WHEN,
	TOKEN_DO,
	TOKEN_AUTO,
	TOKEN_BAD_WORD,				/* letters and digits, but no name */
	TOKEN_ARROW,
	TOKEN_COMMA,
	TOKEN_SEMICOLON,
	TOKEN_STAR,
	TOKEN_OTHER,
	TOKEN_END
} TokenKind;

typedef struct Token
{
	TokenKind	kind;
	const char *start;
	int			length;
	int			line;
	int			column;
} Token;

typedef struct Scanner
{
	const char *at;				/* what is not yet scanned */
	const char *end;
	const char *line_start;
	int			line;
	Token		token;			/* the one to look at */
} Scanner;

/* A name, once, whatever it names: states, guards and actions may share it. */
typedef struct Symbol
{
	const char *name;			/* in the text */
	int			length;
	uint32		hash;
	int			state;			/* -1: names none */
	int			list;			/* the last list it was seen in */
	int			offset;			/* in the pool, -1: not there yet */
} Symbol;

#define EVERY (-1)				/* as the source of a rule: "*" */

/* One source of one arrow. */
typedef struct Rule
{
	int			from;			/* state, or EVERY */
	int			to;				/* state */
	bool		automatic;
	int			first;			/* its first guard among the references */
	int			nguards;
	int			nactions;
	size_t		suffix;			/* length of the canonical text after "a -> b" */
	int			line;
	int			column;
} Rule;

/* What a text says, its states numbered as it names them. */
typedef struct Parser
{
	Scanner		scanner;
	WorkflowError *error;

	Symbol	   *symbols;
	int			nsymbols;
	int		   *buckets;		/* open hash of symbols, at most half full;
								 * -1: empty */
	uint32		mask;
	int		   *references;		/* symbols: guards and actions of all rules */
	int			nreferences;
	int			nlists;

	int			states[WORKFLOW_MAX_STATES];	/* symbols */
	int			nstates;
	int			initial;		/* state, -1: not said yet */
	bool		final[WORKFLOW_MAX_STATES];
	int			nrules;
	Rule		rules[WORKFLOW_MAX_MOVES];	/* each makes at least one move */
} Parser;

/* workflow_scan.c */
extern void oms_workflow_scan(Scanner *scanner);
extern void oms_workflow_make_buckets(Parser *parser, uint32 size);
extern int	oms_workflow_intern(Parser *parser, Token token);
extern bool oms_workflow_fail(WorkflowError *error, int line, int column,
							  const char *format,...) pg_attribute_printf(4, 5);
extern bool oms_workflow_fail_limit(WorkflowError *error, int line, int column,
									const char *format,...) pg_attribute_printf(4, 5);

/* workflow_build.c */
extern Workflow *oms_workflow_build(Parser *parser);

#endif							/* OMS_WORKFLOW_PARSE_H */
