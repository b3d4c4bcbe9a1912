// Who is looking, and what that allows. The server decides; this only hides what it would refuse.

const LEVELS = {viewer: 1, operator: 2, admin: 3};

export const me = {name: "", role: "", by: ""};

/** Whether the present role is at least this one. */
export function may(role) {
	return (LEVELS[me.role] || 0) >= LEVELS[role];
}
