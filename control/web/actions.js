// What an operator can do with a cluster and with a router host: buttons that open the dialog. Nothing is made for a
// viewer.
import {part} from "./api.js";
import {h} from "./dom.js";
import {openAction} from "./dialog.js";
import {may} from "./roles.js";

const TIMEOUT = {
	name: "timeout",
	label: "Close what is left after",
	placeholder: "30m, 2h; empty: never",
	hint: "Connections end by themselves until then.",
};
const CLOSE = {name: "close", type: "check", label: "Close its connections at once"};

/* Many of them are alike: their spoken names say of what they are. */
function button(label, of, testid, open) {
	return h(
		"button",
		{type: "button", class: "small", "aria-label": `${label} ${of}`, data: {testid}, on: {click: open}},
		`${label}…`,
	);
}

const CLUSTER_ACTIONS = {
	activate: {
		label: "Activate",
		role: "admin",
		typed: false,
		words:
			"The cluster may get connections. A route that another cluster serves stays there until it is shifted, " +
			"unless this cluster brings a weight of its own for it.",
	},
	drain: {
		label: "Drain",
		role: "operator",
		typed: true,
		tone: "bad",
		fields: [TIMEOUT],
		words: "It gets no new connection; those it has stay until they end.",
	},
	offline: {
		label: "Take offline",
		role: "operator",
		typed: true,
		tone: "bad",
		fields: [CLOSE],
		words: "It gets no new connection and counts for nothing until it is enabled again.",
	},
	enable: {
		label: "Enable",
		role: "operator",
		typed: false,
		words: "It gets connections again, by the weights of its routes.",
	},
};

const CLUSTER_OFFERS = {
	staged: ["activate"],
	active: ["drain", "offline"],
	draining: ["enable", "offline"],
	offline: ["enable"],
};

function clusterAction(name, action) {
	const {label, role, typed, tone, fields, words} = CLUSTER_ACTIONS[action];
	if (!may(role)) return null;
	return button(label, name, `cluster-${action}`, () =>
		openAction({
			title: `${label} ${name}`,
			words,
			label,
			tone,
			fields,
			path: `/clusters/${part(name)}/${action}`,
			typed: typed ? name : "",
		}),
	);
}

/** The buttons for a cluster in its present state. */
export function clusterActions(cluster) {
	return (CLUSTER_OFFERS[cluster.state] || []).map((action) => clusterAction(cluster.name, action)).filter(Boolean);
}

const HOST_ACTIONS = {
	drain: {
		label: "Drain",
		fields: [TIMEOUT],
		words: "It gets no new connection; those it has stay until they end.",
	},
	disable: {
		label: "Disable",
		tone: "bad",
		fields: [CLOSE],
		words: "It gets no new connection until it is enabled again.",
	},
	enable: {label: "Enable", words: "It gets connections again, if it is healthy."},
};

const HOST_OFFERS = {enabled: ["drain", "disable"], draining: ["enable", "disable"], disabled: ["enable"]};

/** The buttons for a router host: {id, cluster, name, admin}. */
export function hostActions(host) {
	if (!may("operator")) return [];
	const key = host.id.slice(host.cluster.length + 1);
	const full = `${host.cluster}/${host.name || host.address}`;
	return (HOST_OFFERS[host.admin] || []).map((action) => {
		const {label, tone, fields, words} = HOST_ACTIONS[action];
		return button(label, full, `host-${action}`, () =>
			openAction({
				title: `${label} ${full}`,
				words,
				label,
				tone,
				fields,
				path: `/hosts/${part(host.cluster)}/${part(key)}/${action}`,
				typed: action === "disable" ? host.name || host.address : "",
			}),
		);
	});
}
