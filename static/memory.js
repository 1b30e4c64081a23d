// Owns: what this browser remembers (keys am.*). Never: names of files, keys, tokens. Used by: session, store, target.

/** The remembered value, or `otherwise`. */
export function recall(key, otherwise) {
	try {
		return JSON.parse(localStorage[`am.${key}`]) ?? otherwise;
	} catch {
		return otherwise;
	}
}
export function remember(key, value) {
	try {
		localStorage[`am.${key}`] = JSON.stringify(value);
	} catch { /* a private window */ }
}
export function forgetAll() {
	try {
		Object.keys(localStorage).filter((key) => key.startsWith('am.')).forEach((key) => localStorage.removeItem(key));
	} catch { /* a private window */ }
}
