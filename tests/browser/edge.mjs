// Owns: a stand-in for Cloudflare Access: signs people in, says who they are, serves its keys. Never: the server. Used by: access.test.
import crypto from 'node:crypto';
import http from 'node:http';

const AUDIENCE = 'the-audience-of-the-tests';
const { privateKey, publicKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
const visitOf = ({ headers }) => /edge=([\w-]+)/.exec(headers.cookie)?.[1];
const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Listens; stands in front of `origin` once that is set. `people` are who is signed in there, by their cookie. */
export async function startEdge() {
	const edge = { people: new Map(), next: 'ann@example.org', uploads: 0, stop: () => server.close(), AUDIENCE };
	const assertion = (email) => {
		const now = Math.floor(Date.now() / 1000);
		const claims = { iss: edge.base, aud: [AUDIENCE], type: 'app', sub: `person-${email}`, email, iat: now, nbf: now, exp: now + 600 };
		const signed = `${part({ alg: 'RS256', kid: 'one', typ: 'JWT' })}.${part(claims)}`;
		return `${signed}.${crypto.sign('sha256', Buffer.from(signed), privateKey).toString('base64url')}`;
	};
	const server = http.createServer((request, response) => {
		const { pathname, searchParams } = new URL(request.url, edge.base);
		if (pathname === '/cdn-cgi/access/certs') {
			response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'RS256', use: 'sig' }] }));
		} else if (pathname === '/cdn-cgi/access/login') {
			const visit = crypto.randomUUID();
			edge.people.set(visit, edge.next);
			response.writeHead(302, { location: searchParams.get('to'), 'set-cookie': `edge=${visit}; Path=/; HttpOnly` }).end();
		} else if (pathname === '/cdn-cgi/access/logout') {
			edge.people.delete(visitOf(request));
			response.end('You are signed out of Access.');
		} else pass(request, response);
	});
	function pass(request, response) {
		const email = edge.people.get(visitOf(request));
		if (!email) {
			// What Access does: a script is told, a person is led away.
			if (request.headers['sec-fetch-mode'] !== 'navigate') response.writeHead(request.headers['x-requested-with'] === 'XMLHttpRequest' ? 401 : 403).end();
			else response.writeHead(302, { location: `/cdn-cgi/access/login?to=${encodeURIComponent(request.url)}` }).end();
			request.resume();
			return;
		}
		if (request.method === 'POST' && request.url === '/upload') edge.uploads += 1;
		const headers = { ...request.headers, 'cf-access-jwt-assertion': assertion(email), 'x-forwarded-for': '192.0.2.1', 'x-forwarded-proto': 'http' };
		const { hostname, port } = new URL(edge.origin);
		const onward = http.request({ hostname, port, method: request.method, path: request.url, headers }, (answer) => {
			response.writeHead(answer.statusCode, answer.headers);
			answer.pipe(response);
		});
		onward.on('error', () => response.destroy());
		request.on('close', () => request.complete || onward.destroy());
		request.pipe(onward);
	}
	await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
	edge.base = `http://127.0.0.1:${server.address().port}`;
	return edge;
}
