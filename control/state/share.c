/* Shares of clusters: see the header. */
#include "control/state/share.h"

#include "control/state/state.h"
#include "control/feed/table.h"

void share_split(const uint32_t *weights, unsigned count, uint32_t whole, uint32_t *parts)
{
	uint64_t sum = 0, left = whole, rests[CLUSTERS_MAX];
	for (unsigned i = 0; i < count; i++)
		sum += weights[i];
	for (unsigned i = 0; i < count; i++) {
		uint64_t exact = (uint64_t)weights[i] * whole;
		parts[i] = sum > 0 ? (uint32_t)(exact / sum) : 0;
		rests[i] = sum > 0 ? exact % sum : 0;
		left -= parts[i];
	}
	while (sum > 0 && left > 0) {
		unsigned best = 0;
		for (unsigned i = 1; i < count; i++)
			if (rests[i] > rests[best])
				best = i;
		rests[best] = 0;
		parts[best]++;
		left--;
	}
}

void share_view_make(struct share_view *view, const struct state *state)
{
	*view = (struct share_view){.state = state};
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		const struct cluster *cluster = state->clusters[i];
		for (size_t j = 0; cluster && j < cluster->spec->host_count; j++) {
			if (!table_elects(cluster, j))
				continue;
			view->hosts[i].http += cluster->spec->hosts[j].http_port != 0;
			view->hosts[i].https += cluster->spec->hosts[j].https_port != 0;
		}
	}
}

/* By what a share is asked for. */
enum { PLANNED, EFFECTIVE, HTTP, HTTPS, BASES };

struct bases {
	uint32_t weights[BASES][CLUSTERS_MAX];
};

static void add_pair(const struct share_view *view, const struct pair *pair, unsigned i, struct bases *bases,
                     struct shares *shares)
{
	const struct share_hosts *hosts = &view->hosts[pair->cluster];
	struct weight weight = weight_of(view->state->clusters[pair->cluster]->spec, pair);
	unsigned http_hosts = pair->http ? hosts->http : 0, https_hosts = pair->https ? hosts->https : 0;
	uint32_t http = http_hosts > 0 ? weight.value : 0, https = https_hosts > 0 ? weight.value : 0;
	bases->weights[PLANNED][i] = weight.value;
	bases->weights[EFFECTIVE][i] = http > 0 ? http : https;
	bases->weights[HTTP][i] = http;
	bases->weights[HTTPS][i] = https;
	shares->pair[i].weight = weight;
	shares->pair[i].hosts = (uint16_t)(http_hosts > https_hosts ? http_hosts : https_hosts);
	shares->serves_http |= weight.value > 0 && pair->http;
	shares->serves_https |= weight.value > 0 && pair->https;
	shares->differ |= http != https;
	shares->unserved &= http == 0 && https == 0;
}

void share_of(const struct share_view *view, const struct name *name, struct shares *shares)
{
	struct bases bases = {0};
	uint32_t parts[BASES][CLUSTERS_MAX];
	*shares = (struct shares){.unserved = true};
	for (unsigned i = 0; i < name->pair_count; i++)
		if (name->pairs[i].present)
			add_pair(view, &name->pairs[i], i, &bases, shares);
	shares->differ &= shares->serves_http && shares->serves_https;
	for (unsigned base = 0; base < BASES; base++)
		share_split(bases.weights[base], name->pair_count, HUNDREDTHS_ALL, parts[base]);
	for (unsigned i = 0; i < name->pair_count; i++) {
		shares->pair[i].planned = (uint16_t)parts[PLANNED][i];
		shares->pair[i].effective = (uint16_t)parts[EFFECTIVE][i];
		shares->pair[i].http = (uint16_t)parts[HTTP][i];
		shares->pair[i].https = (uint16_t)parts[HTTPS][i];
	}
}
