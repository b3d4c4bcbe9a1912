// Overview: what goes through now and went through in the last 120 seconds, every cluster and every router host.
import {cardList, clusterCard, hostCard, inOrder} from "./cards.js";
import {lineChart} from "./charts.js";
import {details} from "./details.js";
import {h, select, show, text} from "./dom.js";
import {bytes, NONE, number} from "./format.js";
import {live} from "./live.js";
import {clusterSelect, heading} from "./parts.js";

const HOSTS_SHOWN = 24;

function charts() {
	const rate = (value) => (value === null || value === undefined ? NONE : `${bytes(value)}/s`);
	return [
		lineChart([{key: "active", label: "Active", colour: "--c-active"}], {
			title: "Active connections",
			testid: "chart-active",
		}),
		lineChart(
			[
				{key: "new", label: "New/s", colour: "--c-new"},
				{key: "refused", label: "Refused/s", colour: "--c-refused", fill: 0},
			],
			{title: "Connections per second", testid: "chart-new"},
		),
		lineChart(
			[
				{key: "healthy_hosts", label: "Healthy", colour: "--c-good", stepped: true, fill: 0.25},
				{
					key: "unhealthy_hosts",
					label: "Unhealthy",
					colour: "--c-refused",
					stepped: true,
					fill: 0.5,
				},
			],
			{title: "Router hosts", testid: "chart-hosts", stacked: true},
		),
		lineChart(
			[
				{key: "bytes_in", label: "From clients", colour: "--c-in", fill: 0},
				{key: "bytes_out", label: "To clients", colour: "--c-out"},
			],
			{title: "Bytes per second", testid: "chart-bytes", format: rate, axis: bytes},
		),
	];
}

const HOST_FILTERS = {
	all: () => true,
	attention: (host) => host.health !== "up" || host.admin !== "enabled",
};

export function overviewView() {
	const totals = charts();
	const clusterCards = h("div", {class: "cards"}),
		hostCards = h("div", {class: "cards"});
	const clusters = cardList(clusterCards, "name", clusterCard),
		hosts = cardList(hostCards, "id", hostCard);
	let shown = HOSTS_SHOWN;
	const which = select(
		[
			["all", "All router hosts"],
			["attention", "Only those that need attention"],
		],
		"all",
		{"aria-label": "Which router hosts", on: {change: () => update()}},
	);
	const ofCluster = clusterSelect("", "All clusters", {"aria-label": "Cluster", on: {change: () => update()}});
	const more = h(
		"button",
		{
			type: "button",
			on: {
				click: () => {
					shown += HOSTS_SHOWN;
					update();
				},
			},
		},
		"Show more",
	);
	const shownWords = h("span", {class: "muted", data: {testid: "hosts-shown"}});
	const noHosts = h("p", {class: "empty"}, "No router host matches.");
	const element = h(
		"div",
		{},
		heading("Overview"),
		h(
			"section",
			{class: "charts totals", "aria-label": "Totals of the last 120 seconds"},
			totals.map((chart) => chart.element),
		),
		h("section", {}, h("h2", {}, "Clusters"), clusterCards),
		h(
			"section",
			{},
			h(
				"div",
				{class: "heading"},
				h("h2", {}, "Router hosts"),
				h("div", {class: "aside"}, shownWords, ofCluster, which),
			),
			hostCards,
			noHosts,
			more,
		),
	);
	const update = () => {
		for (const chart of totals) chart.update(live.times, live.totals);
		if (!live.tick) return;
		clusters.sync(live.tick.clusters);
		const wanted = inOrder(live.tick.hosts).filter(
			(host) => HOST_FILTERS[which.value](host) && (!ofCluster.value || host.cluster === ofCluster.value),
		);
		hosts.sync(wanted.slice(0, shown));
		show(more, wanted.length > shown);
		show(noHosts, wanted.length === 0);
		text(shownWords, wanted.length > shown ? `${number(shown)} of ${number(wanted.length)} shown` : "");
	};
	details.addEventListener("change", update);
	update();
	return {
		title: "Overview",
		element,
		update,
		destroy: () => {
			details.removeEventListener("change", update);
			totals.forEach((chart) => chart.destroy());
			clusters.destroy();
			hosts.destroy();
		},
	};
}
