// One cluster: state, load, router hosts, how its API is followed, and what an operator can do with it.
import {clusterActions} from "./actions.js";
import {cardList, clusterFlags, drainWords, hostCard, inOrder} from "./cards.js";
import {lineChart} from "./charts.js";
import {details, refresh} from "./details.js";
import {h, morph, refill, show} from "./dom.js";
import {ago, number, time} from "./format.js";
import {live} from "./live.js";
import {every} from "./loading.js";
import {clusterColour, clusterPill, facts, heading, hostsWords, link, notice, panel, pill, table} from "./parts.js";
import {probePanel} from "./probe.js";
import {may, me} from "./roles.js";

function summary(cluster, detail) {
	return facts([
		["State", clusterPill(cluster.state, cluster.drain), " ", drainWords(cluster.drain)],
		["Source", cluster.source],
		["Router hosts", hostsWords(cluster.healthy_hosts, cluster.hosts)],
		["Routes", h("a", {href: link(["routes"], {cluster: cluster.name})}, number(cluster.routes))],
		["Default weight", cluster.default_weight],
		detail?.new_routes
			? ["New routes", detail.new_routes === "parked" ? "parked until shifted" : detail.new_routes]
			: null,
		["Active connections", h("a", {href: link(["connections"], {cluster: cluster.name})}, number(cluster.active))],
		["New per second", number(cluster.new)],
		detail ? ["Total since start", number(detail.total)] : null,
		detail?.pushed_at ? ["Last push", ago(detail.pushed_at)] : null,
	]);
}

function watchTable() {
	return table(
		"How its API is followed",
		[
			{head: "What", cell: (one) => one.what},
			{
				head: "State",
				cell: (one) =>
					pill(one.state, one.failing ? "bad" : one.state === "watching" ? "good" : "warn", one.detail),
			},
			{
				head: "Current as of",
				cell: (one) => (one.confirmed_at ? ago(one.confirmed_at) : "never"),
			},
			{head: "Objects", class: "n", cell: (one) => number(one.objects)},
			{head: "Listed", cell: (one) => time(one.listed_at)},
			{head: "Events", class: "n", cell: (one) => number(one.events)},
			{head: "Errors", class: "n", cell: (one) => number(one.errors)},
			{
				head: "Last error",
				class: "wide",
				cell: (one) => (one.error ? [one.error, " ", ago(one.error_at)] : "–"),
			},
		],
		{testid: "watches"},
	);
}

export function clusterView(context) {
	const name = context.path[1] || "";
	const chart = lineChart([{key: "active", label: "Active", colour: clusterColour(name)}], {
		title: "Active connections",
	});
	const rate = lineChart([{key: "new", label: "New/s", colour: clusterColour(name)}], {
		title: "New connections per second",
	});
	const gone = h("div"),
		flags = h("span", {class: "pills"}),
		actions = h("div", {class: "actions"}),
		factsPlace = h("div"),
		warnings = h("div");
	const watches = watchTable(),
		watchPanel = panel(
			"Watches",
			h("p", {class: "muted"}, "How pointsman follows the API of this cluster."),
			watches.element,
		),
		hostCards = h("div", {class: "cards"});
	const hosts = cardList(hostCards, "id", hostCard);
	const rest = h(
		"div",
		{},
		panel("Summary", factsPlace, actions),
		h("div", {class: "charts two"}, chart.element, rate.element),
		h("section", {}, h("h2", {}, "Router hosts"), hostCards),
		warnings,
		watchPanel,
		may("operator") ? probePanel(name) : null,
	);
	const element = h(
		"div",
		{},
		h("p", {class: "crumbs"}, h("a", {href: "#/overview"}, "Overview")),
		heading(name, flags, h("a", {class: "button", href: link(["diff"], {from: name})}, "Diff")),
		gone,
		rest,
	);
	let shape = "";
	const update = () => {
		const cluster = live.tick?.clusters.find((one) => one.name === name);
		show(rest, Boolean(cluster) || !live.tick);
		morph(gone, cluster || !live.tick ? null : notice("warn", "There is no cluster of this name (any more)."));
		if (!cluster) return;
		const detail = details.clusters.get(name);
		morph(flags, clusterPill(cluster.state, cluster.drain), clusterFlags(cluster, detail));
		morph(factsPlace, summary(cluster, detail));
		if (shape !== cluster.state + me.role) {
			shape = cluster.state + me.role;
			refill(actions, clusterActions(cluster));
		}
		chart.update(live.times, live.clusters[name] || {});
		rate.update(live.times, live.clusters[name] || {});
		hosts.sync(inOrder(live.tick.hosts.filter((host) => host.cluster === name)));
		watches.patch(detail?.watches || []);
		show(watchPanel, Boolean(detail?.watches));
		morph(
			warnings,
			detail?.warnings?.length
				? panel(
						"Warnings",
						h(
							"ul",
							{class: "notes"},
							detail.warnings.map((line) => h("li", {}, line)),
							detail.more_warnings
								? h("li", {class: "muted"}, `and ${number(detail.more_warnings)} more`)
								: null,
						),
					)
				: null,
		);
	};
	details.addEventListener("change", update);
	const stop = every(10000, () => live.connected && refresh());
	update();
	return {
		title: name,
		element,
		update,
		destroy: () => {
			stop();
			details.removeEventListener("change", update);
			chart.destroy();
			rate.destroy();
			hosts.destroy();
		},
	};
}
