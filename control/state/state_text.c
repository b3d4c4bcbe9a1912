/* The saved form of the state as text: see the header. */
#include "control/state/state_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "control/state/cluster_json.h"
#include "control/state/json_text.h"
#include "control/state/state.h"
#include "control/state/state_facts.h"
#include "control/watch_file.h"

struct writer {
	struct json_text text;
	const struct state *state;
	enum state_form form;
	struct state_facts facts;
	unsigned count; /* of clusters so far */
};

/* A cluster as it will be. */
struct entry {
	uint16_t number;
	const struct cluster *before; /* NULL: it is new */
	const struct cluster_spec *spec;
	int64_t pushed_at;
	const struct drain *drain; /* NULL: none */
};

static void add_held(struct json_text *text, const struct cluster_spec *spec)
{
	json_t *object = json_object();
	state_facts_write_held(object, spec);
	json_text_member(text, "held", json_incref(json_object_get(object, "held")));
	json_decref(object);
}

static void add_watched(struct writer *writer, const struct cluster *cluster)
{
	size_t len;
	char *watched = watch_file_write(writer->state, cluster, &len);
	json_text_put(&writer->text, ",\"watched\":");
	json_text_add(&writer->text, watched, len);
	free(watched);
}

/* What hangs on the cluster and not on its spec. */
static void add_kept(struct writer *writer, const struct entry *entry)
{
	struct json_text *text = &writer->text;
	bool watches = entry->spec->source == SOURCE_WATCH;
	json_text_member(text, "host_modes", host_modes_write(&entry->before->modes));
	state_facts_write_overrides(text, &writer->facts, entry->before->index);
	/* In the state file this is the part of a watched cluster's own file. */
	if (!watches || writer->form != STATE_SAVED)
		state_facts_write_parked(text, &writer->facts, entry->before->index);
	if (watches && writer->form == STATE_DOCUMENT_WATCHED && entry->before->known)
		add_watched(writer, entry->before);
}

static void add_cluster(struct writer *writer, const struct entry *entry)
{
	struct json_text *text = &writer->text;
	json_text_format(text,
	                 "%s{\"index\":%u,\"pushed_at\":%" PRId64 ",\"cluster\":", writer->count++ > 0 ? ",\n" : "\n",
	                 entry->number, entry->pushed_at);
	cluster_write_text(text, entry->spec);
	if (entry->before && entry->before->initial)
		json_text_put(text, ",\"initial\":true");
	if (entry->drain && entry->drain->since > 0)
		json_text_member(text, "drain", drain_write(entry->drain));
	if (entry->before)
		add_kept(writer, entry);
	add_held(text, entry->spec);
	json_text_put(text, "}");
}

static void add_clusters(struct writer *writer, const struct state_change *change)
{
	const struct state *state = writer->state;
	const struct cluster *before = change ? state_cluster(state, change->name) : NULL;
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		const struct cluster *cluster = state->clusters[i];
		if (cluster && cluster != before)
			add_cluster(writer, &(struct entry){cluster->number, cluster, cluster->spec, cluster->pushed_at,
			                                    &cluster->drain});
	}
	if (!change || !change->spec)
		return;
	const struct drain *drain = change->drain;
	if (!drain && before)
		drain = &before->drain;
	add_cluster(writer,
	            &(struct entry){state_number(state, change->name), before, change->spec, change->pushed_at, drain});
}

static void add_traces(struct writer *writer, const struct state_change *change)
{
	const struct state *state = writer->state;
	struct cluster_trace traces[CLUSTERS_MAX];
	memcpy(traces, state->traces, sizeof(traces));
	if (change) {
		uint16_t number = state_number(state, change->name);
		traces[cluster_place(number)] = (struct cluster_trace){0};
		if (!change->spec)
			cluster_trace_leave(traces, change->name, number, state->revision + 1);
	}
	json_text_member(&writer->text, "removed", cluster_traces_write(traces));
}

char *state_text(const struct state *state, const struct state_change *change, enum state_form form, size_t *len)
{
	struct writer writer = {.state = state, .form = form};
	state_facts_gather(&writer.facts, &state->names);
	json_text_format(&writer.text, "{\"revision\":%" PRIu64 ",\"clusters\":[", state->revision + (change ? 1 : 0));
	add_clusters(&writer, change);
	json_text_put(&writer.text, "]");
	if (form == STATE_SAVED) {
		add_traces(&writer, change);
		rollback_write(&writer.text, &writer.facts.rollbacks);
		json_text_put(&writer.text, state->untouched ? ",\"untouched\":true" : "");
	}
	json_text_put(&writer.text, "}\n");
	state_facts_free(&writer.facts);
	return json_text_take(&writer.text, len);
}
