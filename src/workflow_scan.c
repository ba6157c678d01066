/*
 * workflow_scan.c
 *	  The words of a workflow's text, where they stand, and what is wrong there.
 *
 * Called by workflow_parse.c, token by token.  Works on bytes and knows no
 * encoding: all that a workflow may hold outside of comments is ASCII, and a
 * comment ends where its line does, so columns need no counting of characters.
 */
#ifndef OMS_STANDALONE
#include "postgres.h"
#endif

#include "workflow_parse.h"

typedef struct Keyword
{
	const char *word;
	TokenKind	kind;
} Keyword;

static const Keyword keywords[] = {
	{"initial", TOKEN_INITIAL},
	{"final", TOKEN_FINAL},
	{"when", TOKEN_WHEN},
	{"do", TOKEN_DO},
	{"auto", TOKEN_AUTO}
};

static void skip_blank(Scanner *s);
static int	word_length(const char *at, const char *end);
static TokenKind word_kind(const char *word, int length);
static TokenKind sign_kind(char sign);
static void say(WorkflowError *error, int line, int column,
				const char *format, va_list arguments) pg_attribute_printf(4, 0);

/* oms_workflow_scan puts the next token before the reader's eyes. */
void
oms_workflow_scan(Scanner *s)
{
	Token	   *token = &s->token;

	skip_blank(s);
	token->start = s->at;
	token->line = s->line;
	token->column = s->at - s->line_start + 1;
	token->length = word_length(s->at, s->end);
	if (token->length > 0)
		token->kind = word_kind(token->start, token->length);
	else if (s->at == s->end)
		token->kind = TOKEN_END;
	else if (s->end - s->at > 1 && memcmp(s->at, "->", 2) == 0)
	{
		token->length = 2;
		token->kind = TOKEN_ARROW;
	}
	else
	{
		token->length = 1;
		token->kind = sign_kind(*s->at);
	}
	s->at += token->length;
}

/* skip_blank passes over white space and comments, and counts lines. */
static void
skip_blank(Scanner *s)
{
	while (s->at < s->end)
	{
		char		c = *s->at;

		if (c == '\n' || c == '\r')
		{
			s->at++;
			if (c == '\r' && s->at < s->end && *s->at == '\n')
				s->at++;
			s->line++;
			s->line_start = s->at;
		}
		else if (c == ' ' || c == '\t' || c == '\f' || c == '\v')
			s->at++;
		else if (s->end - s->at > 1 && memcmp(s->at, "--", 2) == 0)
		{
			while (s->at < s->end && *s->at != '\n' && *s->at != '\r')
				s->at++;
		}
		else
			return;
	}
}

/* word_length counts the letters, digits and underscores that follow. */
static int
word_length(const char *at, const char *end)
{
	const char *start = at;

	while (at < end &&
		   ((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
			(*at >= '0' && *at <= '9') || *at == '_'))
		at++;
	return at - start;
}

/* word_kind tells names from keywords, and from words that are neither. */
static TokenKind
word_kind(const char *word, int length)
{
	for (int i = 0; i < (int) (sizeof(keywords) / sizeof(keywords[0])); i++)
		if ((int) strlen(keywords[i].word) == length &&
			memcmp(keywords[i].word, word, length) == 0)
			return keywords[i].kind;

	if (length > WORKFLOW_MAX_NAME || word[0] < 'a' || word[0] > 'z')
		return TOKEN_BAD_WORD;
	for (int i = 1; i < length; i++)
		if (word[i] >= 'A' && word[i] <= 'Z')
			return TOKEN_BAD_WORD;
	return TOKEN_NAME;
}

/* sign_kind tells the signs of one character. */
static TokenKind
sign_kind(char sign)
{
	switch (sign)
	{
		case ',':
			return TOKEN_COMMA;
		case ';':
			return TOKEN_SEMICOLON;
		case '*':
			return TOKEN_STAR;
		default:
			return TOKEN_OTHER;
	}
}

/*
 * find_bucket returns where a name's symbol is, or an empty bucket for it.
 */
static uint32
find_bucket(const Parser *p, const char *name, int length, uint32 hash)
{
	uint32		bucket;

	for (bucket = hash & p->mask; p->buckets[bucket] >= 0; bucket = (bucket + 1) & p->mask)
	{
		const Symbol *symbol = &p->symbols[p->buckets[bucket]];

		if (symbol->length == length && memcmp(symbol->name, name, length) == 0)
			break;
	}
	return bucket;
}

/*
 * oms_workflow_make_buckets makes so many, a power of two, and puts the symbols
 * that there are into them.  They grow with the names: as many as a long text
 * could have would take longer to clear than the text to read.
 */
void
oms_workflow_make_buckets(Parser *p, uint32 size)
{
	p->buckets = palloc(size * sizeof(int));
	memset(p->buckets, -1, size * sizeof(int));
	p->mask = size - 1;
	for (int i = 0; i < p->nsymbols; i++)
		p->buckets[find_bucket(p, p->symbols[i].name, p->symbols[i].length, p->symbols[i].hash)] = i;
}

/* oms_workflow_intern returns the number of a name's symbol, a new one the first time. */
int
oms_workflow_intern(Parser *p, Token token)
{
	uint32		hash = 2166136261u;
	uint32		bucket;
	Symbol	   *symbol;

	for (int i = 0; i < token.length; i++)
		hash = (hash ^ (unsigned char) token.start[i]) * 16777619u;
	hash ^= hash >> 16;
	bucket = find_bucket(p, token.start, token.length, hash);
	if (p->buckets[bucket] >= 0)
		return p->buckets[bucket];

	symbol = &p->symbols[p->nsymbols];
	symbol->name = token.start;
	symbol->length = token.length;
	symbol->hash = hash;
	symbol->state = -1;
	symbol->list = 0;
	symbol->offset = -1;
	p->buckets[bucket] = p->nsymbols++;
	if (2 * (uint32) p->nsymbols > p->mask)
	{
		int		   *old = p->buckets;

		oms_workflow_make_buckets(p, 2 * (p->mask + 1));
		pfree(old);
	}
	return p->nsymbols - 1;
}

/* oms_workflow_fail fills in the error, and returns false for its caller to return. */
bool
oms_workflow_fail(WorkflowError *error, int line, int column, const char *format,...)
{
	va_list		arguments;

	va_start(arguments, format);
	say(error, line, column, format, arguments);
	va_end(arguments);
	return false;
}

/* oms_workflow_fail_limit does so where the workflow is too large, rather than wrong. */
bool
oms_workflow_fail_limit(WorkflowError *error, int line, int column, const char *format,...)
{
	va_list		arguments;

	error->too_large = true;
	va_start(arguments, format);
	say(error, line, column, format, arguments);
	va_end(arguments);
	return false;
}

/* say writes down what is wrong and where. */
static void
say(WorkflowError *error, int line, int column, const char *format, va_list arguments)
{
	error->line = line;
	error->column = column;
	vsnprintf(error->message, sizeof(error->message), format, arguments);
}
