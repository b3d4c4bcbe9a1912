// Routes: searched, filtered and paged by the server; never more than one page of them is here.
import {get} from "./api.js";
import {debounced, field, h, select} from "./dom.js";
import {number, share} from "./format.js";
import {live} from "./live.js";
import {every, loader, seldom} from "./loading.js";
import {clusterSelect, heading, pager, pill, routeLink, shareBar, table} from "./parts.js";

const PAGE = 50;
const STATES = [
	["", "Any state"],
	["override", "With an override"],
	["parked", "Parked"],
	["conflict", "In conflict"],
	["unserved", "Served by none"],
	["held", "Deletion held"],
];
const ORDERS = [
	["name", "Name"],
	["active", "Most active"],
	["recent", "Most connections in 120 s"],
];

function shares(route, key) {
	const list = route.clusters.map((one) => ({cluster: one.cluster, share: one[key]}));
	const known = list.filter((one) => one.share !== null && one.share !== undefined);
	if (known.length === 0) return h("span", {class: "muted"}, "no connection");
	const figures = known
		.filter((one) => one.share > 0)
		.map((one) => `${one.cluster} ${share(one.share)}`)
		.join(" · ");
	return h("div", {class: "plan-shares"}, shareBar(known), h("span", {class: "figures"}, figures || "none"));
}

/* What of a route needs attention, as pills. */
function routeFlags(route) {
	const flags = [];
	for (const one of route.clusters) {
		if (one.why) flags.push(pill(`${one.cluster}: ${one.why.split(/[:,]/)[0]}`, "warn", one.why));
		if (one.held) flags.push(pill(`${one.cluster}: held`, "warn", one.held.reason));
		if (one.warning) flags.push(pill(`${one.cluster}: warning`, "warn", one.warning));
	}
	if (route.clusters.some((one) => one.weight_origin === "override")) flags.push(pill("override", "info"));
	if (!route.clusters.some((one) => one.weight > 0)) flags.push(pill("served by none", "bad"));
	return flags;
}

export function routesView(context) {
	const given = context.query;
	let offset = Number(given.get("offset")) || 0;
	const search = h("input", {
		type: "search",
		value: given.get("search") || "",
		autocomplete: "off",
		spellcheck: "false",
		placeholder: "part of a name",
		data: {testid: "routes-search"},
	});
	const namespace = h("input", {
		type: "text",
		value: given.get("namespace") || "",
		autocomplete: "off",
		spellcheck: "false",
		placeholder: "exact",
	});
	const cluster = clusterSelect(given.get("cluster") || "", "Any cluster", {data: {testid: "routes-cluster"}});
	const state = select(STATES, given.get("state") || "", {data: {testid: "routes-state"}});
	const order = select(ORDERS, given.get("sort") || "name", {data: {testid: "routes-sort"}});
	const query = () => ({
		search: search.value.trim(),
		cluster: cluster.value,
		namespace: namespace.value.trim(),
		state: state.value,
		sort: order.value,
	});
	const rows = table(
		"Routes",
		[
			{head: "Route", class: "wide", cell: (route) => routeLink(route.host)},
			{head: "Planned", cell: (route) => shares(route, "planned_share")},
			{head: "Real, last 120 s", cell: (route) => shares(route, "real_share")},
			{head: "New in 120 s", class: "n", cell: (route) => number(route.recent)},
			{head: "Active", class: "n", cell: (route) => number(route.active)},
			{
				head: "Namespace",
				cell: (route) => route.clusters.find((one) => one.namespace)?.namespace || "–",
			},
			{head: "Notes", cell: routeFlags},
		],
		{testid: "routes", empty: "No route matches."},
	);
	const pages = pager(PAGE, (to) => {
		offset = to;
		load();
	});
	const reading = loader(
		(signal) => get("/routes", {...query(), limit: PAGE, offset}, signal),
		(answer) => {
			rows.patch(answer.routes);
			pages.set(answer.offset, answer.total, answer.routes.length);
		},
	);
	const load = () => {
		context.setQuery({...query(), sort: order.value === "name" ? "" : order.value, offset: offset || ""});
		reading.load();
	};
	const changed = () => {
		offset = 0;
		load();
	};
	const soon = debounced(changed, 250);
	search.addEventListener("input", soon);
	namespace.addEventListener("input", soon);
	for (const control of [cluster, state, order]) control.addEventListener("change", changed);
	const element = h(
		"div",
		{},
		heading("Routes"),
		h(
			"div",
			{class: "filters", role: "search"},
			field("Search", search),
			field("Cluster", cluster),
			field("Namespace", namespace),
			field("State", state),
			field("Order", order),
		),
		reading.place,
		rows.element,
		pages.element,
	);
	load();
	const again = seldom(reading.load, 3000);
	const stop = every(10000, () => live.connected && reading.load());
	return {
		title: "Routes",
		element,
		hello: reading.load,
		revision: again,
		destroy: () => {
			stop();
			again.cancel();
			soon.cancel();
			reading.stop();
		},
	};
}
