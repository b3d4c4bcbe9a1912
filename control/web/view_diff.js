// Diff of two clusters: which routes of the one are missing or different on the other.
import {get} from "./api.js";
import {debounced, field, h, fill} from "./dom.js";
import {number} from "./format.js";
import {loader, seldom} from "./loading.js";
import {clusterOptions, clusterSelect, heading, notice, pager, pill, routeLink, table} from "./parts.js";

const PAGE = 100;
const KINDS = {
	missing: "missing",
	not_admitted: "not admitted",
	conflict: "conflict",
	termination: "other termination",
	flags: "other flags",
	weight: "other weight",
	parked: "parked",
	no_healthy_host: "no healthy host",
	only_on_to: "only on the second",
};

function figure(value, words, tone, testid) {
	return h(
		"div",
		{class: `stat ${tone}`},
		h("span", {class: "label"}, words),
		h("b", {class: "figure", data: {testid}}, number(value)),
	);
}

export function diffView(context) {
	const given = context.query;
	let offset = 0;
	const names = clusterOptions().map(([name]) => name);
	const from = clusterSelect(given.get("from") || names[0], "", {data: {testid: "diff-from"}});
	const to = clusterSelect(given.get("to") || names.find((name) => name !== from.value), "", {
		data: {testid: "diff-to"},
	});
	const search = h("input", {
		type: "search",
		value: given.get("search") || "",
		autocomplete: "off",
		spellcheck: "false",
	});
	const namespace = h("input", {
		type: "text",
		value: given.get("namespace") || "",
		autocomplete: "off",
		spellcheck: "false",
		placeholder: "exact",
	});
	const query = () => ({
		from: from.value,
		to: to.value,
		search: search.value.trim(),
		namespace: namespace.value.trim(),
	});
	const summary = h("div", {class: "stats wide-stats", "aria-live": "polite"});
	const rows = table(
		"Differences",
		[
			{head: "Route", class: "wide", cell: (one) => routeLink(one.host)},
			{head: "Level", cell: (one) => pill(one.level, one.level === "red" ? "bad" : "warn")},
			{head: "Kind", cell: (one) => KINDS[one.kind] || one.kind},
			{head: "Detail", class: "wide", cell: (one) => one.detail},
		],
		{testid: "diff", empty: "No difference."},
	);
	const pages = pager(PAGE, (to_) => {
		offset = to_;
		reading.load();
	});
	const reading = loader(
		(signal) => get("/diff", {...query(), limit: PAGE, offset}, signal),
		(answer) => {
			fill(
				summary,
				figure(answer.red, "Red: do not move", "bad", "diff-red"),
				figure(answer.yellow, "Yellow: look first", "warn", "diff-yellow"),
				figure(answer.same, "Same", "good", "diff-same"),
			);
			rows.patch(answer.differences);
			pages.set(answer.offset, answer.total, answer.differences.length);
		},
	);
	const load = () => {
		if (from.value && to.value && from.value !== to.value) {
			reading.load();
			return;
		}
		reading.stop();
		rows.element.hidden = pages.element.hidden = true;
		fill(summary, notice("info", "Choose two different clusters."));
	};
	const changed = () => {
		offset = 0;
		context.setQuery(query());
		load();
	};
	const soon = debounced(changed, 250);
	for (const control of [from, to]) control.addEventListener("change", changed);
	for (const control of [search, namespace]) control.addEventListener("input", soon);
	const element = h(
		"div",
		{},
		heading("Diff of two clusters"),
		h(
			"p",
			{class: "muted"},
			"What the second cluster lacks or has differently. Red is what would break if traffic moved.",
		),
		h(
			"div",
			{class: "filters"},
			field("From", from),
			field("To", to),
			field("Search", search),
			field("Namespace", namespace),
		),
		reading.place,
		summary,
		rows.element,
		pages.element,
	);
	changed();
	const again = seldom(load, 15000);
	return {
		title: "Diff",
		element,
		revision: again,
		hello: load,
		destroy: () => {
			again.cancel();
			soon.cancel();
			reading.stop();
		},
	};
}
