// Owns: HTTP with the server; every failure becomes an ApiError. Never: what to do about it. Used by: session, target, watch, upload.

/** A failed request; `wait` is Retry-After in seconds. */
export class ApiError extends Error {
	constructor(facts) {
		super(facts.message);
		Object.assign(this, { status: 0, code: 'network' }, facts);
	}
}
export const HEADERS = { 'X-Requested-With': 'XMLHttpRequest', Accept: 'application/json' };

const TOKEN = 'X-CSRF-Token';
/** Whether an account is whose tab this is; set by the session. */
export const trust = { of: () => true };
/** Asks who is signed in and takes their token, which every change needs; fails when that is not whose tab this is. */
export const renew = () => {
	delete HEADERS[TOKEN];
	known.delete('/me');
	return send('GET', '/me');
};
/** Every answer carries a token; another one than ours may be another account's. */
async function learn(token, isMe) {
	if (token && (isMe || !HEADERS[TOKEN])) HEADERS[TOKEN] = token;
	else if (token && token !== HEADERS[TOKEN]) await renew();
}
/** Resolves once changes may be sent. */
export const ready = async () => HEADERS[TOKEN] || send('GET', '/me');

let heard;
/** The one listener told of each answer: null or the error. */
export const onAnswer = (listener) => { heard = listener; };

const USUAL = { 401: 'unauthenticated', 404: 'not_found', 413: 'too_large' };
/** Status 0 is an opaque redirect to a sign-in page. */
export function errorFrom(status, text, wait) {
	let body = {};
	try { body = JSON.parse(text); } catch { /* a proxy's page */ }
	return new ApiError({
		status: status || 401, code: body.code || USUAL[status || 401] || (status < 500 ? 'unknown' : 'internal'),
		message: body.detail || body.error, reference: body.request_id, wait: Number.parseInt(wait, 10),
	});
}

const known = new Map(); // path → [ETag, body] of its last answer
/** Makes the next answer of a path a whole one. */
export const forget = (path) => known.delete(path);
export async function send(method, path, content, isSecond) {
	if (method !== 'GET') await ready();
	let answer;
	let text;
	const [tag, body] = known.get(path) || [];
	try {
		answer = await fetch(`/api/v1${path}`, {
			method, headers: { ...HEADERS, ...(tag && { 'If-None-Match': tag }), ...(content && { 'Content-Type': 'application/json' }) }, body: content && JSON.stringify(content), keepalive: method === 'DELETE', redirect: 'manual', cache: 'no-store', signal: AbortSignal.timeout(20000),
		});
		text = await answer.text();
	} catch { /* no answer */ }
	const { status, ok, headers } = answer || {};
	const error = text == null ? new ApiError({}) : ok || status === 304 ? null : errorFrom(status, text, headers.get('Retry-After'));
	const isMe = method === 'GET' && path === '/me';
	await learn(headers?.get(TOKEN), isMe);
	if (error?.code === 'csrf_failed' && !isSecond) {
		await renew();
		return send(method, path, content, true);
	}
	heard(error);
	if (error) throw error;
	if (status === 304) return body;
	const fresh = text ? JSON.parse(text) : null;
	if (isMe && !trust.of(fresh)) throw errorFrom(401, '');
	if (method === 'GET') known.set(path, [headers.get('ETag'), fresh]);
	return fresh;
}
