// The parts that views are made of: pills, tables, paging, bars of shares, notices, toasts.
import {fill, h, morph, select, text, unique} from "./dom.js";
import {count, number, share} from "./format.js";
import {seriesColour} from "./charts.js";
import {live} from "./live.js";

/** A word in a coloured pill; `tone`: good, warn, bad, info, or none. */
export function pill(word, tone = "", title) {
	return h("span", {class: `pill ${tone}`, title}, word);
}

const CLUSTER_TONES = {active: "good", staged: "info", draining: "warn", offline: "bad"};

/* What has been draining is drained at the end of that. */
function modeWord(mode, drain) {
	return mode === "draining" && drain?.drained_at ? "drained" : mode;
}

/** The state of a cluster as a pill. */
export function clusterPill(state, drain) {
	return pill(modeWord(state, drain), CLUSTER_TONES[state]);
}

const HEALTH_WORDS = {up: ["healthy", "good"], down: ["unhealthy", "bad"], unknown: ["not checked yet", "warn"]};

/** The health of a router host in a word. */
export function healthWord(state) {
	return (HEALTH_WORDS[state] || [state])[0];
}

/** The same as a pill. */
export function healthPill(state) {
	return pill(...(HEALTH_WORDS[state] || [state, "warn"]));
}

/** Whether an operator has taken it out of service: a pill, or null. */
export function adminPill(admin, drain) {
	return admin && admin !== "enabled" ? pill(modeWord(admin, drain), "warn") : null;
}

/** A sentence that matters; `tone` as of pills. */
export function notice(tone, ...words) {
	return h("div", {class: `notice ${tone}`, role: tone === "bad" ? "alert" : null}, words);
}

/** What failed, in the server's words. */
export function failure(error) {
	return notice("bad", error.words || error.message);
}

/** Says for a few seconds that something is done. */
export function toast(words, tone = "good") {
	const element = h("p", {class: `toast ${tone}`, data: {testid: "toast"}}, words);
	document.getElementById("toasts").append(element);
	setTimeout(() => element.remove(), tone === "bad" ? 20000 : 6000);
}

/** A table. `columns`: [{head, class, cell(row)}]; the first column heads its row. On a phone each row becomes a card.
 *  `set` replaces its rows, `patch` changes what differs (for rows without listeners). */
export function table(caption, columns, {testid, empty = "Nothing here."} = {}) {
	const head = h(
		"thead",
		{},
		h(
			"tr",
			{},
			columns.map((column) => h("th", {scope: "col", class: column.class}, column.head)),
		),
	);
	const body = h("tbody");
	const nothing = h("p", {class: "empty"}, empty);
	const element = h(
		"div",
		{class: "table", data: testid ? {testid} : {}},
		h("table", {}, h("caption", {class: "unseen"}, caption), head, body),
		nothing,
	);
	const row = (item) => {
		const cells = columns.map((column, index) =>
			h(
				index === 0 ? "th" : "td",
				{
					class: column.class,
					scope: index === 0 ? "row" : null,
					data: {label: typeof column.head === "string" ? column.head : ""},
				},
				column.cell(item),
			),
		);
		return h("tr", {}, cells);
	};
	const put = (change, items) => {
		change(body, items.map(row));
		nothing.hidden = items.length > 0;
		element.firstChild.hidden = items.length === 0;
		element.hidden = false;
	};
	element.hidden = true; // until something has been read
	return {element, set: (items) => put(fill, items), patch: (items) => put(morph, items)};
}

/** Newer and older, page by page. `go(offset)` is called; `set` says what is shown. */
export function pager(size, go) {
	let offset = 0,
		total = 0;
	const words = h("span", {class: "muted", data: {testid: "pager"}});
	const back = h(
		"button",
		{type: "button", class: "small", on: {click: () => go(Math.max(0, offset - size))}},
		"Previous",
	);
	const on = h("button", {type: "button", class: "small", on: {click: () => go(offset + size)}}, "Next");
	const element = h("div", {class: "pager", hidden: true}, back, on, words);
	const set = (newOffset, newTotal, shown) => {
		/* Past the end: there are fewer now. */
		if (shown === 0 && newOffset > 0 && newTotal > 0) {
			go(0);
			return;
		}
		offset = newOffset;
		total = newTotal;
		element.hidden = total === 0; // the table says that there is nothing
		back.hidden = on.hidden = offset === 0 && shown >= total;
		back.disabled = offset === 0;
		on.disabled = offset + shown >= total;
		text(words, `${number(offset + 1)} to ${number(offset + shown)} of ${number(total)}`);
	};
	return {element, set};
}

const places = new Map();

/** The colour of a cluster: by its place among all, so that it is the same on every view; kept when others come. */
export function clusterColour(name) {
	if (!places.has(name))
		for (const known of Object.keys(live.clusters).sort()) if (!places.has(known)) places.set(known, places.size);
	return seriesColour(places.get(name) ?? places.size);
}

/** One bar, cut by shares: [{cluster, share}]. The numbers stand beside it; the bar repeats them in words. */
export function shareBar(shares, {label = "", testid} = {}) {
	const known = shares.filter((one) => one.share > 0);
	const words = known.map((one) => `${one.cluster} ${share(one.share)}`).join(", ") || "no cluster";
	const bar = h("div", {
		class: "bar",
		role: "img",
		"aria-label": label ? `${label}: ${words}` : words,
		data: testid ? {testid} : {},
	});
	for (const one of known) {
		const segment = h("span", {class: "segment", title: `${one.cluster} ${share(one.share)}`});
		segment.style.setProperty("--share", `${one.share}%`);
		segment.style.setProperty("--swatch", `var(${clusterColour(one.cluster)})`);
		bar.append(segment);
	}
	return bar;
}

/** What stands for a cluster whose API has not been listed since control's start. */
export const STALE_WORDS = "What is shown is the last good state: its API has not been listed since control's start";

/** A cluster's name with the colour that it has in charts and bars, and a mark if what is known of it is stale. */
export function clusterName(name) {
	const swatch = h("span", {class: "swatch", "aria-hidden": "true"});
	swatch.style.setProperty("--swatch", `var(${clusterColour(name)})`);
	const stale = live.tick?.clusters.some((cluster) => cluster.name === name && cluster.stale);
	return h(
		"span",
		{class: "cluster-name"},
		swatch,
		h("a", {href: `#/cluster/${encodeURIComponent(name)}`}, name),
		stale ? h("span", {class: "text-warn", title: STALE_WORDS}, " (stale)") : null,
	);
}

/** The address of a view, with its parameters. */
export function link(path, query = {}) {
	const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
	const search = new URLSearchParams(given).toString();
	return `#/${path.map(encodeURIComponent).join("/")}${search ? `?${search}` : ""}`;
}

/** A link to a route's page; its name is text whatever it says. */
export function routeLink(host) {
	return h("a", {href: link(["route", host]), class: "name"}, host);
}

/** A link to a router host's page. `host`: {id, cluster, name, address}. */
export function hostLink(host) {
	const key = host.id ? host.id.slice(host.cluster.length + 1) : host.name || host.address;
	return h("a", {href: link(["host", host.cluster, key]), class: "name"}, host.name || host.address);
}

/** The heading of a view, with what stands to its right. app.js fills the first of that while the link is lost. */
export function heading(title, ...aside) {
	const asOf = h("span", {class: "pill as-of", hidden: true, data: {testid: "as-of"}});
	return h("div", {class: "heading"}, h("h1", {tabindex: "-1"}, title), h("div", {class: "aside"}, asOf, aside));
}

/** A box with a title. */
export function panel(title, ...content) {
	const id = unique("panel");
	return h("section", {class: "panel", "aria-labelledby": id}, h("h2", {id}, title), content);
}

/** Pairs of a name and a value, as a list. */
export function facts(pairs) {
	return h(
		"dl",
		{class: "facts"},
		pairs.filter(Boolean).map(([name, ...value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
	);
}

/** Names of all clusters for a select, "" first as `any` if given. */
export function clusterOptions(any) {
	const names = Object.keys(live.clusters)
		.sort()
		.map((name) => [name, name]);
	return any ? [["", any], ...names] : names;
}

/** A select of clusters. */
export function clusterSelect(value, any, attributes) {
	const options = clusterOptions(any);
	if (value && !options.some(([key]) => key === value)) options.push([value, value]);
	return select(options, value ?? options[0]?.[0], attributes);
}

/** "3 of 4 healthy" */
export function hostsWords(healthy, all) {
	return `${number(healthy)} of ${count(all, "host")} healthy`;
}
