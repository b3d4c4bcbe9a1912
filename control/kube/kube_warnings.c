/* Warnings of objects: see the header. */
#include "control/kube/kube_warnings.h"

#include <stdlib.h>
#include <string.h>

static char *copy(const char *text)
{
	char *result = strdup(text);
	if (!result)
		abort();
	return result;
}

/* The warning of this object, or NULL. Those without a uid are told apart by their text. */
static struct kube_warning *find(struct kube_warnings *warnings, unsigned group, const char *uid, const char *text)
{
	for (size_t i = 0; i < warnings->count; i++) {
		struct kube_warning *warning = &warnings->list[i];
		if (warning->group == group && strcmp(warning->uid, uid) == 0 &&
		    (uid[0] != '\0' || strcmp(warning->text, text) == 0))
			return warning;
	}
	return NULL;
}

bool kube_warnings_set(struct kube_warnings *warnings, unsigned group, const char *uid, const char *text)
{
	struct kube_warning *warning = find(warnings, group, uid, text);
	if (warning) {
		warning->stale = false;
		if (strcmp(warning->text, text) == 0)
			return false;
		free(warning->text);
		warning->text = copy(text);
		return true;
	}
	if (warnings->count == KUBE_WARNINGS_MAX) {
		warnings->more[group]++;
		return false;
	}
	warnings->list[warnings->count++] = (struct kube_warning){copy(uid), copy(text), group, false};
	return true;
}

static void take_out(struct kube_warnings *warnings, size_t i)
{
	free(warnings->list[i].uid);
	free(warnings->list[i].text);
	warnings->count--;
	memmove(&warnings->list[i], &warnings->list[i + 1], (warnings->count - i) * sizeof(*warnings->list));
}

void kube_warnings_drop(struct kube_warnings *warnings, unsigned group, const char *uid)
{
	for (size_t i = warnings->count; i-- > 0;)
		if (warnings->list[i].group == group && strcmp(warnings->list[i].uid, uid) == 0)
			take_out(warnings, i);
}

void kube_warnings_list_begin(struct kube_warnings *warnings, unsigned group)
{
	warnings->more[group] = 0;
	for (size_t i = 0; i < warnings->count; i++)
		warnings->list[i].stale |= warnings->list[i].group == group;
}

void kube_warnings_list_end(struct kube_warnings *warnings, unsigned group)
{
	for (size_t i = warnings->count; i-- > 0;)
		if (warnings->list[i].group == group && warnings->list[i].stale)
			take_out(warnings, i);
}

size_t kube_warnings_more(const struct kube_warnings *warnings)
{
	size_t more = 0;
	for (unsigned i = 0; i < KUBE_NAMESPACES_MAX + 1; i++)
		more += warnings->more[i];
	return more;
}

void kube_warnings_free(struct kube_warnings *warnings)
{
	while (warnings->count > 0)
		take_out(warnings, warnings->count - 1);
}
