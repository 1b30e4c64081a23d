// Owns: HTTP with the server; every failure becomes an ApiError. Never: what to do about it. Used by: session, target, watch, upload.

/** A failed request; `code` is the server's word or 'network', `wait` is Retry-After in seconds. */
export class ApiError extends Error {
	constructor(facts) {
		super(facts.message);
		Object.assign(this, { status: 0, code: 'network' }, facts);
	}
}
/** Headers of every request. */
export const HEADERS = { 'X-Requested-With': 'XMLHttpRequest', Accept: 'application/json' };

let heard = () => {};
/** The one listener told about each answer: null when the server answered, else the error. */
export const onAnswer = (listener) => { heard = listener; };

/** An ApiError from a status, a body and a header reader. */
export function errorFrom(status, text, header) {
	let body = {};
	try { body = JSON.parse(text); } catch { /* a proxy's page */ }
	const usual = { 0: 'unauthenticated', 401: 'unauthenticated', 404: 'not_found', 413: 'too_large' }[status];
	return new ApiError({
		status: status || 401, code: body.code || usual || (status < 500 ? 'unknown' : 'internal'), message: body.detail || body.error || '',
		reference: body.request_id, wait: Number.parseInt(header('Retry-After'), 10) || null,
	});
}

const tags = new Map(); // path → ETag of its last answer
/** Makes the next `fresh` answer of a path a whole one. */
export const forget = (path) => tags.delete(path);
/** Sends one request; returns the body, null without one, undefined when nothing is new (`fresh` only). */
export async function send(method, path, { fresh, keepalive } = {}) {
	const headers = { ...HEADERS };
	if (fresh && tags.has(path)) headers['If-None-Match'] = tags.get(path);
	let answer;
	let text;
	try {
		answer = await fetch(`/api/v1${path}`, { method, headers, keepalive, redirect: 'manual', cache: 'no-store', signal: AbortSignal.timeout(20000) });
		text = await answer.text();
	} catch {
		text = null;
	}
	// An opaque redirect has status 0: it leads to a sign-in page.
	const fine = text != null && (answer.ok || answer.status === 304);
	const error = fine ? null : text == null ? new ApiError({}) : errorFrom(answer.status, text, (name) => answer.headers.get(name));
	heard(error);
	if (error) throw error;
	if (answer.status === 304) return undefined;
	if (fresh) tags.set(path, answer.headers.get('ETag') || '');
	return text ? JSON.parse(text) : null;
}
