/*
 * workflow_report.c
 *	  The list of findings that lint makes, and the writing of its messages.
 *
 * Pure, as workflow_lint.c is, so texts grow by hand here.
 */
#ifndef OMS_STANDALONE
#include "postgres.h"
#endif

#include "workflow_lint.h"

#define MAX_PIECE 512			/* of a message: some words and two names */

static char *grow(char *old, size_t used, size_t size);
static void append(char **text, const char *piece);

/* oms_lint_report makes an empty report. */
LintReport *
oms_lint_report(void)
{
	return palloc0(sizeof(LintReport));
}

/* oms_lint_free lets go of a report. */
void
oms_lint_free(LintReport *report)
{
	for (int i = 0; i < report->count; i++)
	{
		pfree(report->findings[i].subject);
		pfree(report->findings[i].message);
	}
	if (report->findings != NULL)
		pfree(report->findings);
	pfree(report);
}

/* oms_lint_find begins a finding; what is said next is about it. */
void
oms_lint_find(LintReport *report, bool is_error, const char *code)
{
	LintFinding *finding;

	if (report->count == report->capacity)
	{
		report->capacity = report->capacity == 0 ? 8 : 2 * report->capacity;
		report->findings = (LintFinding *) grow((char *) report->findings, report->count * sizeof(LintFinding),
												report->capacity * sizeof(LintFinding));
	}
	finding = &report->findings[report->count++];
	finding->code = code;
	finding->is_error = is_error;
	finding->subject = palloc0(1);
	finding->message = palloc0(1);
}

/* oms_lint_subject says what the last finding is about. */
void
oms_lint_subject(LintReport *report, const char *format,...)
{
	char		piece[MAX_PIECE];
	va_list		args;

	va_start(args, format);
	vsnprintf(piece, sizeof(piece), format, args);
	va_end(args);
	append(&report->findings[report->count - 1].subject, piece);
}

/* oms_lint_say adds words to the message of the last finding. */
void
oms_lint_say(LintReport *report, const char *format,...)
{
	char		piece[MAX_PIECE];
	va_list		args;

	va_start(args, format);
	vsnprintf(piece, sizeof(piece), format, args);
	va_end(args);
	append(&report->findings[report->count - 1].message, piece);
}

/* append adds to a text, whose room is the power of two that it needs. */
static void
append(char **text, const char *piece)
{
	size_t		used = strlen(*text);
	size_t		added = strlen(piece);
	size_t		room = 1;

	while (room <= used)
		room *= 2;
	if (used + added >= room)
	{
		while (room <= used + added)
			room *= 2;
		*text = grow(*text, used, room);
	}
	memcpy(*text + used, piece, added + 1);
}

/* grow moves bytes to a larger place. */
static char *
grow(char *old, size_t used, size_t size)
{
	char	   *larger = palloc(size);

	if (old != NULL)
	{
		memcpy(larger, old, used);
		pfree(old);
	}
	return larger;
}
