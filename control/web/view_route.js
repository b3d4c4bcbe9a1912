// One route: its planned, effective and real shares, the last 120 seconds of each cluster, and what can be changed.
import {get, part} from "./api.js";
import {lineChart} from "./charts.js";
import {openAction} from "./dialog.js";
import {explainPanel} from "./view_explain.js";
import {fill, h, morph, refill, show} from "./dom.js";
import {ago, decimal, number, share} from "./format.js";
import {extend, live, subscribe, unsubscribe} from "./live.js";
import {loader} from "./loading.js";
import {clusterColour, clusterName, heading, link, notice, panel, pill, shareBar, table} from "./parts.js";
import {may} from "./roles.js";
import {shiftPanel} from "./shift.js";

const KINDS = [
	["planned_share", "Planned", "by the weights"],
	["effective_share", "Effective", "of clusters with a usable router host"],
	["real_share", "Real", "of the connections of the last 120 s"],
];

function shareRows(route) {
	return KINDS.map(([key, name, words]) => {
		const list = route.clusters.map((one) => ({cluster: one.cluster, share: one[key]}));
		const known = list.some((one) => one.share !== null && one.share !== undefined);
		const figures = route.clusters.map((one) =>
			h(
				"span",
				{class: "cluster-figure"},
				clusterName(one.cluster),
				" ",
				h("b", {class: "figure", data: {testid: `${key}-${one.cluster}`}}, share(one[key])),
			),
		);
		return h(
			"div",
			{class: "share-row"},
			h("div", {class: "share-name"}, h("b", {}, name), h("span", {class: "muted"}, ` ${words}`)),
			known
				? shareBar(list, {label: name, testid: key})
				: h("div", {class: "bar none"}, "no connection in the last 120 s"),
			h("div", {class: "figures"}, figures),
		);
	});
}

function clusterNotes(one) {
	return [
		one.why
			? h(
					"p",
					{class: "note"},
					one.why,
					one.weight_given !== undefined ? ` (it would have ${decimal(one.weight_given)})` : "",
				)
			: null,
		one.weight_of_cluster !== undefined
			? h("p", {class: "note"}, `the cluster itself says ${decimal(one.weight_of_cluster)}`)
			: null,
		one.warning ? h("p", {class: "note text-warn"}, one.warning) : null,
		one.held
			? h("p", {class: "note text-warn"}, "deletion held: ", one.held.reason, ", ", ago(one.held.since))
			: null,
		one.healthy_hosts === 0 ? h("p", {class: "note text-bad"}, "no healthy router host") : null,
	];
}

function weightCell(host, one) {
	return h(
		"div",
		{},
		h("b", {class: "figure", data: {testid: `weight-${one.cluster}`}}, decimal(one.weight)),
		" ",
		h("span", {class: "muted", data: {testid: `origin-${one.cluster}`}}, one.weight_origin),
	);
}

function weightButtons(host, one) {
	const path = `/routes/${part(host)}/clusters/${part(one.cluster)}/weight`;
	const input = h("input", {
		type: "number",
		min: 0,
		max: 100,
		step: "0.01",
		value: one.weight,
		"aria-label": `Weight on ${one.cluster}`,
		class: "short",
		data: {testid: `weight-input-${one.cluster}`},
	});
	const set = h(
		"button",
		{
			type: "button",
			class: "small",
			"aria-label": `Set the weight on ${one.cluster}`,
			data: {testid: `weight-set-${one.cluster}`},
			on: {
				click: () => {
					if (input.reportValidity() && input.value !== "")
						openAction({
							title: `Weight of ${host} on ${one.cluster}`,
							words: `The weight becomes ${input.value} until it is set back to the default.`,
							label: "Set",
							method: "PUT",
							path,
							body: {weight: Number(input.value)},
						});
				},
			},
		},
		"Set…",
	);
	const reset =
		one.weight_origin !== "override"
			? null
			: h(
					"button",
					{
						type: "button",
						class: "small",
						"aria-label": `Default weight on ${one.cluster}`,
						data: {testid: `weight-default-${one.cluster}`},
						on: {
							click: () =>
								openAction({
									title: `Weight of ${host} on ${one.cluster} back to its own`,
									words: "The override goes; what the cluster says counts again.",
									label: "Back to default",
									method: "DELETE",
									path,
									force: false,
								}),
						},
					},
					"Default…",
				);
	return h("div", {class: "actions"}, input, set, reset);
}

function serves(one) {
	return [one.http ? "HTTP" : null, one.https ? "TLS" : null].filter(Boolean).join(" + ") || "nothing";
}

function clusterTable(host) {
	return table(
		"Clusters of this route",
		[
			{head: "Cluster", cell: (one) => clusterName(one.cluster)},
			{head: "Weight", cell: (one) => weightCell(host, one)},
			{head: "Serves", cell: serves},
			{head: "Healthy hosts", class: "n", cell: (one) => number(one.healthy_hosts)},
			{head: "In 120 s", class: "n", cell: (one) => number(one.recent)},
			{head: "Active", class: "n", cell: (one) => number(one.active)},
			{head: "Total", class: "n", cell: (one) => number(one.total)},
			{
				head: "Namespace",
				cell: (one) => [one.namespace || "–", one.system ? [" ", pill("system", "info")] : null],
			},
			{head: "Notes", class: "wide", cell: clusterNotes},
		],
		{testid: "route-clusters", empty: "No cluster has this route."},
	);
}

function rollbackButton(host, rollback) {
	return h(
		"button",
		{
			type: "button",
			data: {testid: "rollback"},
			title: rollback.reason || "",
			on: {
				click: () =>
					openAction({
						title: `Roll back ${host}`,
						label: "Roll back",
						path: `/routes/${part(host)}/rollback`,
						words: [
							"Undoes the last change: made ",
							ago(rollback.at),
							rollback.by ? ` by ${rollback.by}` : "",
							rollback.reason ? ` (${rollback.reason})` : "",
							".",
						],
					}),
			},
		},
		"Roll back…",
	);
}

export function routeView(context) {
	const host = context.path[1] || "";
	let stats = {times: [], clusters: {}},
		chartSet = [],
		chartKey = "",
		known = null,
		shape = "";
	const shares = h("div", {class: "shares", data: {testid: "shares"}}),
		chartPlace = h("div", {class: "charts two"});
	const rows = clusterTable(host),
		weights = h("div", {class: "weights"}),
		flags = h("div", {class: "aside"}),
		gone = h("div");
	const explain = explainPanel({host});
	const shift = may("operator") ? shiftPanel(host) : null;
	const rest = h(
		"div",
		{},
		panel("Shares", shares, rows.element),
		h("section", {"aria-label": "Last 120 seconds"}, chartPlace),
		shift?.element,
		may("operator")
			? panel(
					"Weights",
					h(
						"p",
						{class: "muted"},
						"An override stays until it is set back; it wins over annotations and defaults.",
					),
					weights,
				)
			: null,
		explain,
	);
	show(rest, false); // until the route is known
	const reading = loader(
		(signal) => get(`/routes/${part(host)}`, {}, signal),
		(answer) => put(answer.route),
	);
	const element = h(
		"div",
		{},
		h("p", {class: "crumbs"}, h("a", {href: "#/routes"}, "Routes")),
		heading(host, flags),
		reading.place,
		gone,
		rest,
	);

	/* Only when the clusters change: the operator may be typing into a field of theirs. */
	const putControls = (route) => {
		const now = JSON.stringify([
			route.rollback,
			route.clusters.map((one) => [one.cluster, one.weight, one.weight_origin]),
		]);
		if (now === shape) return;
		shape = now;
		refill(
			flags,
			h("a", {class: "button", href: link(["connections"], {route: host})}, "Connections"),
			may("operator") && route.rollback ? rollbackButton(host, route.rollback) : null,
		);
		refill(
			weights,
			route.clusters.map((one) =>
				h(
					"div",
					{class: "weight-row"},
					clusterName(one.cluster),
					weightCell(host, one),
					weightButtons(host, one),
				),
			),
		);
		shift?.set(route);
	};
	const put = (route) => {
		known = route;
		show(rest, Boolean(route));
		morph(gone, route ? null : notice("warn", "No cluster has this route (any more)."));
		if (!route) return;
		morph(shares, shareRows(route));
		rows.patch(route.clusters);
		putControls(route);
		makeCharts(route.clusters.map((one) => one.cluster));
	};
	const makeCharts = (names) => {
		const key = names.join("\n");
		if (key === chartKey) return;
		chartKey = key;
		chartSet.forEach(({chart}) => chart.destroy());
		chartSet = [
			["new", "New connections per second"],
			["active", "Active connections"],
		].map(([field, title]) => ({
			field,
			chart: lineChart(
				names.map((name) => ({
					key: name,
					label: name,
					colour: clusterColour(name),
					fill: 0.08,
				})),
				{title, testid: `route-${field}`, heading: "h2"},
			),
		}));
		fill(
			chartPlace,
			chartSet.map(({chart}) => chart.element),
		);
		draw();
	};
	const draw = () => {
		for (const {field, chart} of chartSet)
			chart.update(
				stats.times,
				Object.fromEntries(Object.entries(stats.clusters).map(([name, set]) => [name, set[field]])),
			);
	};
	const addPoint = (message) => {
		const last = stats.times[stats.times.length - 1] || message.at - 1000;
		const missing = Math.min(120, Math.max(0, Math.round((message.at - last) / 1000) - 1));
		for (let i = missing; i >= 0; i--) stats.times.push(message.at - i * 1000);
		stats.times.splice(0, Math.max(0, stats.times.length - 120));
		for (const [name, point] of Object.entries(message.point))
			extend((stats.clusters[name] ||= {}), point, missing);
	};
	const onRoute = ({detail: message}) => {
		if (message.host !== host) return;
		if (message.stats) stats = message.stats;
		else if (message.point) addPoint(message);
		put(message.route);
		draw();
	};
	live.addEventListener("route", onRoute);
	subscribe(host);
	reading.load();
	return {
		title: host,
		element,
		destroy: () => {
			live.removeEventListener("route", onRoute);
			unsubscribe(host);
			reading.stop();
			explain.stop();
			chartSet.forEach(({chart}) => chart.destroy());
		},
		hello: () => {
			shape = "";
			if (!known) reading.load();
		},
	};
}
