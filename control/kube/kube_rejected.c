/* Routes that serve nothing: see the header. */
#include "control/kube/kube_rejected.h"

#include <stdlib.h>
#include <string.h>

static char *copy(const char *text)
{
	char *result = strdup(text);
	if (!result)
		abort();
	return result;
}

static uint64_t hash_of(const char *uid)
{
	uint64_t hash = 0xcbf29ce484222325;
	for (; *uid != '\0'; uid++)
		hash = (hash ^ (unsigned char)*uid) * 0x100000001b3;
	return hash;
}

static struct kube_rejection *find(const struct kube_rejected *rejected, unsigned group, const char *uid)
{
	uint64_t hash = hash_of(uid);
	for (size_t i = 0; i < rejected->count; i++) {
		struct kube_rejection *rejection = &rejected->list[i];
		if (rejection->uid_hash == hash && rejection->group == group && strcmp(rejection->uid, uid) == 0)
			return rejection;
	}
	return NULL;
}

/* Room for one more; NULL: there is none. */
static struct kube_rejection *add(struct kube_rejected *rejected)
{
	if (rejected->count == KUBE_REJECTED_MAX)
		return NULL;
	if (rejected->count == rejected->room) {
		rejected->room = rejected->room > 0 ? 2 * rejected->room : 16;
		rejected->list = reallocarray(rejected->list, rejected->room, sizeof(*rejected->list));
		if (!rejected->list)
			abort();
	}
	return &rejected->list[rejected->count++];
}

void kube_rejected_set(struct kube_rejected *rejected, unsigned group, const char *uid, uint64_t name_id,
                       const char *text)
{
	struct kube_rejection *rejection = find(rejected, group, uid);
	if (rejection) {
		free(rejection->text);
	} else {
		rejection = add(rejected);
		if (!rejection)
			return;
		*rejection = (struct kube_rejection){.uid = copy(uid), .uid_hash = hash_of(uid), .group = group};
	}
	rejection->text = copy(text);
	rejection->name_id = name_id;
	rejection->stale = false;
}

static void take_out(struct kube_rejected *rejected, size_t i)
{
	free(rejected->list[i].uid);
	free(rejected->list[i].text);
	rejected->list[i] = rejected->list[--rejected->count];
}

void kube_rejected_drop(struct kube_rejected *rejected, unsigned group, const char *uid)
{
	struct kube_rejection *rejection = find(rejected, group, uid);
	if (rejection)
		take_out(rejected, (size_t)(rejection - rejected->list));
}

void kube_rejected_list_begin(struct kube_rejected *rejected, unsigned group)
{
	for (size_t i = 0; i < rejected->count; i++)
		rejected->list[i].stale |= rejected->list[i].group == group;
}

void kube_rejected_list_end(struct kube_rejected *rejected, unsigned group)
{
	for (size_t i = rejected->count; i-- > 0;)
		if (rejected->list[i].group == group && rejected->list[i].stale)
			take_out(rejected, i);
}

const char *kube_rejected_why(const struct kube_rejected *rejected, uint64_t name_id)
{
	for (size_t i = 0; i < rejected->count; i++)
		if (rejected->list[i].name_id == name_id)
			return rejected->list[i].text;
	return NULL;
}

void kube_rejected_free(struct kube_rejected *rejected)
{
	while (rejected->count > 0)
		take_out(rejected, rejected->count - 1);
	free(rejected->list);
	*rejected = (struct kube_rejected){0};
}
