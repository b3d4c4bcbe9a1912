/* Lines for the journal: see the header. */
#include "control/observe/tell.h"

#include <stdarg.h>
#include <stdio.h>

void tell(struct journal *journal, const struct actor *actor, struct journal_entry entry, const char *format, ...)
{
	char text[JOURNAL_TEXT_MAX];
	va_list args;
	if (!journal)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	entry.text = text;
	if (actor) {
		entry.who = actor->who;
		entry.reason = actor->reason;
	}
	journal_add(journal, &entry);
}
