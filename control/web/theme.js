// Dark or light: what the switch stored, else what the system prefers. Not a module, so that it runs ahead of the first
// paint. Fires "themechange" on the document.
"use strict";

window.pointsmanTheme = (function () {
	const KEY = "pointsman-theme";
	const root = document.documentElement;
	const system = matchMedia("(prefers-color-scheme: dark)");

	function stored() {
		try {
			return localStorage.getItem(KEY);
		} catch {
			return null; // no storage: the system's choice stands
		}
	}

	function put() {
		const choice = stored() || root.dataset.chosen;
		root.dataset.theme = choice === "dark" || choice === "light" ? choice : system.matches ? "dark" : "light";
		document.dispatchEvent(new Event("themechange"));
	}

	system.addEventListener("change", put);
	put();
	return {
		other: () => (root.dataset.theme === "dark" ? "light" : "dark"),
		choose: (theme) => {
			root.dataset.chosen = theme; // also holds without storage
			try {
				localStorage.setItem(KEY, theme);
			} catch {
				// It holds for this page alone.
			}
			put();
		},
	};
})();
