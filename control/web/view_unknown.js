// Unknown names: what clients asked for and did not get, the newest first.
import {get} from "./api.js";
import {debounced, field, h, text} from "./dom.js";
import {ago, count, number, time} from "./format.js";
import {live} from "./live.js";
import {every, loader} from "./loading.js";
import {heading, link, pager, pill, table} from "./parts.js";

const PAGE = 50;
const REASONS = {
	unknown_name: "unknown name",
	no_name: "no name",
	not_served: "not served on this listener",
	unhealthy: "nothing healthy",
	connect_failed: "no router host answered",
	malformed: "malformed",
	too_large: "head too large",
	timeout: "too slow",
};
const OURS = new Set(["unhealthy", "connect_failed", "not_served"]);

function nameCell(entry) {
	if (entry.name === null || entry.name === undefined) return h("span", {class: "muted"}, "(no name)");
	return h("a", {href: link(["explain"], {host: entry.name, listener: entry.listener}), class: "name"}, entry.name);
}

export function unknownView(context) {
	let offset = 0;
	const search = h("input", {
		type: "search",
		value: context.query.get("search") || "",
		autocomplete: "off",
		spellcheck: "false",
		data: {testid: "unknown-search"},
	});
	const rows = table(
		"Refused names",
		[
			{head: "Name", class: "wide", cell: nameCell},
			{
				head: "Reason",
				cell: (entry) => pill(REASONS[entry.reason] || entry.reason, OURS.has(entry.reason) ? "bad" : ""),
			},
			{head: "Listener", cell: (entry) => entry.listener || "–"},
			{head: "Times", class: "n", cell: (entry) => number(entry.count)},
			{head: "First", cell: (entry) => time(entry.first_at)},
			{head: "Last", cell: (entry) => ago(entry.last_at)},
			{head: "Last client", cell: (entry) => entry.last_client || "–"},
		],
		{testid: "unknown", empty: "No name has been refused."},
	);
	const leftOut = h("p", {class: "muted"});
	const pages = pager(PAGE, (to) => {
		offset = to;
		reading.load();
	});
	const reading = loader(
		(signal) => get("/unknown", {search: search.value.trim(), limit: PAGE, offset}, signal),
		(answer) => {
			rows.patch(answer.names);
			pages.set(answer.offset, answer.total, answer.names.length);
			text(
				leftOut,
				answer.left_out > 0
					? `${count(answer.left_out, "more refusal")} were counted but not kept: the table is bounded.`
					: "",
			);
		},
	);
	const soon = debounced(() => {
		offset = 0;
		context.setQuery({search: search.value.trim()});
		reading.load();
	}, 250);
	search.addEventListener("input", soon);
	const element = h(
		"div",
		{},
		heading("Unknown names"),
		h("p", {class: "muted"}, "Connections that got no router host, by name, reason and listener."),
		h("div", {class: "filters", role: "search"}, field("Search", search)),
		reading.place,
		rows.element,
		pages.element,
		leftOut,
	);
	reading.load();
	const stop = every(5000, () => live.connected && reading.load());
	return {
		title: "Unknown names",
		element,
		hello: reading.load,
		destroy: () => {
			stop();
			soon.cancel();
			reading.stop();
		},
	};
}
