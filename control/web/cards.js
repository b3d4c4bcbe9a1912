// Cards of clusters and router hosts: made once, then kept up with the ticks.
import {clusterActions, hostActions} from "./actions.js";
import {lineChart} from "./charts.js";
import {details} from "./details.js";
import {h, morph, refill, text} from "./dom.js";
import {ago, brief, duration, number} from "./format.js";
import {live, serverNow} from "./live.js";
import {
	adminPill,
	clusterColour,
	clusterName,
	clusterPill,
	healthPill,
	healthWord,
	hostLink,
	link,
	pill,
	STALE_WORDS,
} from "./parts.js";
import {me} from "./roles.js";

/* Fills a place again only when what it shows has changed. */
function keep(element, put = morph) {
	let last;
	return (key, make) => {
		const now = JSON.stringify(key);
		if (now !== last) {
			last = now;
			put(element, make());
		}
	};
}

/** "draining for 5 min by anna, closes what is left in 25 min", "drained 3 min ago by anna: no connection is left" */
export function drainWords(drain) {
	if (!drain) return null;
	const by = drain.by ? ` by ${drain.by}` : "",
		reason = drain.reason ? ` (${drain.reason})` : "";
	if (drain.drained_at)
		return h("span", {}, "drained ", ago(drain.drained_at), `${by}: no connection is left${reason}`);
	const left = drain.deadline ? (Date.parse(drain.deadline) - serverNow()) / 1000 : null;
	return h(
		"span",
		{},
		`draining for ${duration((serverNow() - Date.parse(drain.since)) / 1000)}${by}`,
		left === null ? "" : left > 0 ? `, closes what is left in ${duration(left)}` : ", closing what is left",
		reason,
	);
}

/** What of a cluster needs attention, as pills. */
export function clusterFlags(cluster, detail) {
	return [
		cluster.stale ? pill("stale", "warn", STALE_WORDS) : null,
		cluster.held > 0 ? h("a", {href: "#/held"}, pill(`${number(cluster.held)} held`, "warn")) : null,
		detail?.insecure ? pill("API certificate not checked", "warn") : null,
	];
}

function stat(label, testid) {
	const value = h("b", {class: "figure", data: testid ? {testid} : {}}, "–");
	return {value, element: h("div", {class: "stat"}, h("span", {class: "label"}, label), value)};
}

/** The card of a cluster; `update(cluster)` takes its part of a tick. */
export function clusterCard(cluster) {
	const pills = h("span", {class: "pills"}),
		line = h("p", {class: "muted line"}),
		actions = h("div", {class: "actions"});
	const active = stat("Active", `cluster-active-${cluster.name}`),
		fresh = stat("New/s", `cluster-new-${cluster.name}`);
	const hosts = stat("Hosts"),
		routes = stat("Routes");
	const chart = lineChart([{key: "active", label: "Active", colour: clusterColour(cluster.name)}], {
		small: true,
		legend: false,
	});
	const setPills = keep(pills),
		setLine = keep(line),
		setActions = keep(actions, refill);
	const element = h(
		"article",
		{class: "card cluster", data: {testid: `cluster-${cluster.name}`}},
		h("header", {}, h("h3", {}, h("a", {href: link(["cluster", cluster.name])}, cluster.name)), pills),
		h("div", {class: "stats"}, active.element, fresh.element, hosts.element, routes.element),
		line,
		chart.element,
		actions,
	);
	const update = (now) => {
		const detail = details.clusters.get(now.name);
		element.classList.toggle("stale", Boolean(now.stale));
		text(active.value, brief(now.active));
		text(fresh.value, brief(now.new));
		text(hosts.value, `${number(now.healthy_hosts)} / ${number(now.hosts)}`);
		hosts.value.className = now.healthy_hosts < now.hosts ? "figure text-bad" : "figure";
		text(routes.value, brief(now.routes));
		setPills([now.state, now.drain, now.stale, now.held, detail?.insecure], () => [
			clusterPill(now.state, now.drain),
			clusterFlags(now, detail),
		]);
		setLine([now.source, now.default_weight, now.drain && live.at], () => [
			drainWords(now.drain) || `${now.source} · default weight ${now.default_weight}`,
		]);
		setActions([now.state, me.role], () => clusterActions(now));
		chart.update(live.times, live.clusters[now.name] || {});
	};
	return {element, update, destroy: () => chart.destroy()};
}

/* The last health changes of a router host, newest first. */
function historyStrip(host) {
	const changes = (host.history || []).slice(0, 3);
	if (changes.length === 0) return h("p", {class: "history muted"}, "no health change yet");
	return h(
		"ol",
		{class: "history", "aria-label": "Last health changes, newest first"},
		changes.map((change) =>
			h(
				"li",
				{class: change.state},
				h("span", {class: "dot", "aria-hidden": "true"}),
				`${healthWord(change.state)} `,
				ago(change.at),
				change.reason ? `: ${change.reason}` : "",
			),
		),
	);
}

/** The lines of a router host's chart. */
export const HOST_SERIES = [
	{key: "active", label: "Active", colour: "--c-active"},
	{key: "new", label: "New/s", colour: "--c-new", fill: 0},
	{key: "refused", label: "Refused/s", colour: "--c-refused", fill: 0},
];

/** The card of a router host; `update(host)` takes its part of a tick. */
export function hostCard(host) {
	const pills = h("span", {class: "pills"}),
		line = h("p", {class: "muted line"}),
		actions = h("div", {class: "actions"});
	const history = h("div"),
		total = h("b", {class: "figure", data: {testid: `host-total-${host.id}`}});
	const chart = lineChart(HOST_SERIES, {small: true, testid: `host-chart-${host.id}`});
	const setPills = keep(pills),
		setLine = keep(line),
		setActions = keep(actions, refill),
		setHistory = keep(history);
	const element = h(
		"article",
		{class: "card host", data: {testid: `host-${host.id}`}},
		h("header", {}, h("h4", {}, hostLink(host)), pills),
		line,
		chart.element,
		h("p", {class: "total"}, h("span", {class: "label"}, "Total since start "), total),
		history,
		actions,
	);
	const update = (now) => {
		const detail = details.hosts.get(now.id);
		element.dataset.health = now.health;
		text(total, number(now.total));
		setPills([now.health, now.admin, detail?.drain, now.state], () => [
			healthPill(now.health),
			adminPill(now.admin, detail?.drain),
			now.state && now.state !== "active" ? pill(now.state, "warn") : null,
		]);
		setLine(
			[
				now.address,
				now.reason,
				now.health,
				detail?.drain && live.at,
				now.admin,
				live.tick.clusters.find((one) => one.name === now.cluster)?.stale,
			],
			() => [
				clusterName(now.cluster),
				` · ${now.address}`,
				now.admin !== "enabled" && detail?.drain
					? [" · ", drainWords(detail.drain)]
					: now.health === "up"
						? ""
						: ` · ${now.reason || "no check yet"}`,
			],
		);
		setHistory([detail?.history, Math.floor(Date.now() / 10000)], () => [historyStrip(detail || {})]);
		setActions([now.admin, me.role], () => hostActions(now));
		chart.update(live.times, live.hosts[now.id] || {});
	};
	return {element, update, destroy: () => chart.destroy()};
}

const naturally = new Intl.Collator("en", {numeric: true}).compare;

/** Router hosts by cluster and name, router-2 before router-10. */
export function inOrder(hosts) {
	return [...hosts].sort(
		(a, b) => naturally(a.cluster, b.cluster) || naturally(a.name, b.name) || naturally(a.id, b.id),
	);
}

/** Keeps a container's cards in step with a list: makes, updates, removes. `key` names an item, `make` makes a card. */
export function cardList(container, key, make) {
	const cards = new Map();
	const sync = (items) => {
		const wanted = new Set(items.map((item) => item[key]));
		for (const [name, card] of cards)
			if (!wanted.has(name)) {
				card.destroy();
				card.element.remove();
				cards.delete(name);
			}
		items.forEach((item, index) => {
			if (!cards.has(item[key])) cards.set(item[key], make(item));
			const card = cards.get(item[key]);
			if (container.children[index] !== card.element)
				container.insertBefore(card.element, container.children[index] || null);
			card.update(item);
		});
	};
	return {sync, destroy: () => sync([])};
}
