// Held deletions: what clusters no longer list but pointsman keeps until someone confirms that it is meant.
import {get, part} from "./api.js";
import {openAction} from "./dialog.js";
import {h, refill} from "./dom.js";
import {ago, count, number} from "./format.js";
import {every, loader} from "./loading.js";
import {clusterName, heading, notice, pager, panel, routeLink, table} from "./parts.js";
import {live} from "./live.js";
import {may} from "./roles.js";

const PAGE = 100;

export function heldView() {
	let offset = 0;
	const rows = table(
		"Held deletions",
		[
			{
				head: "Name",
				class: "wide",
				cell: (entry) => (entry.kind === "route" ? routeLink(entry.name) : entry.name),
			},
			{head: "Kind", cell: (entry) => (entry.kind === "host" ? "router host" : entry.kind)},
			{head: "Cluster", cell: (entry) => clusterName(entry.cluster)},
			{head: "Reason", class: "wide", cell: (entry) => entry.reason},
			{head: "Since", cell: (entry) => ago(entry.since)},
			{
				head: "Goes by itself",
				cell: (entry) => (entry.goes_by_itself ? "yes" : "no, only when confirmed"),
			},
		],
		{testid: "held", empty: "Nothing is held."},
	);
	const summary = h("div", {class: "cards held"});
	const pages = pager(PAGE, (to) => {
		offset = to;
		reading.load();
	});
	const card = (cluster) =>
		panel(
			cluster.name,
			h(
				"p",
				{},
				cluster.held === 1
					? "1 deletion is waiting; this entry still serves."
					: `${number(cluster.held)} deletions are waiting; these entries still serve.`,
			),
			cluster.stale
				? notice("warn", "This cluster is stale: wait until its API has been listed before you confirm.")
				: null,
			may("operator")
				? h(
						"div",
						{class: "actions"},
						h(
							"button",
							{
								type: "button",
								class: "danger",
								data: {testid: `confirm-${cluster.name}`},
								on: {
									click: () =>
										openAction({
											title: `Confirm the held deletions of ${cluster.name}`,
											label: "Confirm",
											tone: "bad",
											typed: cluster.name,
											force: false,
											path: `/clusters/${part(cluster.name)}/held/confirm`,
											words: `What ${cluster.name} no longer lists (${number(cluster.held)}) will be gone at once.`,
											explain: (data) =>
												data.confirmed === undefined
													? null
													: notice(
															"info",
															`${count(data.confirmed, "entry", "entries")} would go.`,
														),
											done: () => reading.load(),
										}),
								},
							},
							"Confirm deletions…",
						),
					)
				: null,
		);
	let shape = "";
	const update = () => {
		const holding = (live.tick?.clusters || []).filter((cluster) => cluster.held > 0);
		const now = JSON.stringify(holding.map(({name, held, stale}) => [name, held, stale]));
		if (now === shape) return;
		if (shape !== "") reading.load();
		shape = now;
		refill(summary, holding.map(card));
	};
	const reading = loader(
		(signal) => get("/held", {limit: PAGE, offset}, signal),
		(answer) => {
			rows.patch(answer.held);
			pages.set(answer.offset, answer.total, answer.held.length);
		},
	);
	const element = h(
		"div",
		{},
		heading("Held deletions"),
		h(
			"p",
			{class: "muted"},
			"When a cluster suddenly lists far less, what would be gone is held: it still serves until someone confirms.",
		),
		summary,
		reading.place,
		rows.element,
		pages.element,
	);
	reading.load();
	const stop = every(10000, () => live.connected && reading.load());
	update();
	return {
		title: "Held deletions",
		element,
		update,
		hello: reading.load,
		destroy: () => {
			stop();
			reading.stop();
		},
	};
}
