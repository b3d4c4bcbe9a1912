// One router host: health and its history, load of the last 120 seconds, and what an operator can do with it.
import {hostActions} from "./actions.js";
import {get, part} from "./api.js";
import {drainWords, HOST_SERIES} from "./cards.js";
import {lineChart} from "./charts.js";
import {details, refreshHost} from "./details.js";
import {h, morph, refill, show, text} from "./dom.js";
import {ago, number, time} from "./format.js";
import {extend, live} from "./live.js";
import {every, loader} from "./loading.js";
import {adminPill, clusterName, facts, healthPill, heading, link, notice, panel, pill, table} from "./parts.js";
import {me} from "./roles.js";

function find(hosts, cluster, key) {
	const ours = hosts.filter((host) => host.cluster === cluster);
	return (
		ours.find((host) => host.id === `${cluster}/${key}`) ||
		ours.find((host) => host.name === key) ||
		ours.find((host) => host.address === key)
	);
}

function summary(host, detail) {
	return facts([
		["Cluster", clusterName(host.cluster)],
		["Address", host.address, detail ? ` · HTTP ${detail.http_port}, TLS ${detail.https_port}` : ""],
		[
			"Health",
			healthPill(host.health),
			" ",
			host.reason || "",
			detail?.health?.stale ? [" ", pill("stale", "warn")] : null,
		],
		detail?.health ? ["Last check", ago(detail.health.checked_at)] : null,
		["Gets new connections", host.elected ? "yes" : "no"],
		["Router pods report", host.state, detail?.why ? `: ${detail.why}` : ""],
		[
			"Taken out of service",
			adminPill(host.admin, detail?.drain) || "no",
			" ",
			host.admin === "enabled" ? null : drainWords(detail?.drain),
		],
		detail?.held ? ["Deletion held", detail.held.reason, ", ", ago(detail.held.since)] : null,
		[
			"Active connections",
			h(
				"a",
				{href: link(["connections"], {cluster: host.cluster, host: host.name || host.address})},
				number(host.active),
			),
		],
		["Total since start", h("span", {data: {testid: "host-total"}}, number(host.total))],
		detail ? ["Refused since start", number(detail.refused)] : null,
	]);
}

export function hostView(context) {
	const [, cluster = "", key = ""] = context.path;
	const chart = lineChart(HOST_SERIES, {title: "Connections", testid: "host-load"});
	const total = lineChart([{key: "total", label: "Total since start", colour: "--c-active", fill: 0}], {
		title: "Total",
		testid: "host-totals",
		axis: number,
		zero: false,
	});
	const gone = h("div"),
		factsPlace = h("div", {data: {testid: "host-facts"}}),
		actions = h("div", {class: "actions"}),
		pills = h("span", {class: "pills"});
	const history = table(
		"Health changes, newest first",
		[
			{head: "Time", cell: (one) => time(one.at)},
			{head: "Health", cell: (one) => healthPill(one.state)},
			{head: "Reason", class: "wide", cell: (one) => one.reason || "–"},
		],
		{testid: "health-history", empty: "Its health has not changed yet."},
	);
	const title = heading(key, pills);
	const totals = {total: []};
	let totalsAt = 0,
		shape = "";
	const reading = loader(
		(signal) => get(`/stats/hosts/${part(cluster)}/${part(key)}`, {}, signal),
		(answer) => {
			totals.total = answer.total || [];
			totalsAt = answer.times[answer.times.length - 1];
			update();
		},
	);
	const rest = h(
		"div",
		{},
		reading.place,
		panel("Summary", factsPlace, actions),
		h("div", {class: "charts two"}, chart.element, total.element),
		panel("Health history", history.element),
	);
	const element = h(
		"div",
		{},
		h("p", {class: "crumbs"}, h("a", {href: link(["cluster", cluster])}, cluster)),
		title,
		gone,
		rest,
	);
	/* The history comes once with the statistics, then a point with every tick. */
	const follow = (host) => {
		if (totalsAt === 0 || live.at <= totalsAt) return;
		extend(totals, {total: host.total}, Math.max(0, Math.min(120, Math.round((live.at - totalsAt) / 1000) - 1)));
		totalsAt = live.at;
	};
	const update = () => {
		const host = find(live.tick?.hosts || [], cluster, key);
		show(rest, Boolean(host) || !live.tick);
		morph(gone, host || !live.tick ? null : notice("warn", "There is no such router host (any more)."));
		if (!host) return;
		const detail = details.hosts.get(host.id);
		text(title.firstChild, host.name || host.address);
		morph(pills, healthPill(host.health), adminPill(host.admin, detail?.drain));
		morph(factsPlace, summary(host, detail));
		if (shape !== host.admin + me.role) {
			shape = host.admin + me.role;
			refill(actions, hostActions(host));
		}
		const pushed = live.hosts[host.id] || {};
		chart.update(live.times, pushed);
		follow(host);
		total.update(live.times, totals);
		history.patch(detail?.history || []);
	};
	details.addEventListener("change", update);
	const look = () => live.connected && find(live.tick?.hosts || [], cluster, key) && refreshHost(cluster, key);
	const stop = every(2000, look); // checks come every few seconds
	look();
	reading.load();
	update();
	return {
		title: key,
		element,
		update,
		hello: reading.load,
		destroy: () => {
			stop();
			details.removeEventListener("change", update);
			reading.stop();
			chart.destroy();
			total.destroy();
		},
	};
}
