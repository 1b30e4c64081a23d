// Owns: the caller's account: who they are, keys, devices, usage. Never: other people's. Used by: main.
import { forget, send } from '../api.js';
import { $, el, set } from '../dom.js';
import { clock } from '../format.js';
import { copy, toast } from '../layer.js';
import * as words from './words.js';
import { attempt, button, choice, day, field, frame, item, redraw, sure, when } from './part.js';
import { safeName } from '../names.js';

export const hide = () => {};
export const show = (part = 'account', place) => frame(part, place, DRAW[part]);

function account(place, me) {
	const said = words.account;
	const form = el('form', null, ...Object.entries(said.names).map(([name, label]) => field(label, el('input', { name, value: me[name], maxlength: 100 }))), el('button.btn outline', null, said.save));
	form.onsubmit = (event) => {
		event.preventDefault();
		forget('/me');
		attempt(() => send('PATCH', '/me', Object.fromEntries(new FormData(form))), said.saved);
	};
	const secret = (name, label, autocomplete) => field(label, el('input', { name, type: 'password', autocomplete }));
	const username = el('input', { type: 'text', value: me.email, autocomplete: 'username', hidden: true });
	const password = el('form', null, username, me.has_password && secret('current', said.current, 'current-password'), secret('new', said.fresh, 'new-password'), el('p', null, said.hint), el('button.btn outline', null, said.change));
	password.onsubmit = async (event) => {
		event.preventDefault();
		if (await attempt(() => send('POST', '/me/password', Object.fromEntries(new FormData(password))), said.changed)) frame('account', place.parentNode, account);
	};
	const out = el('form', { method: 'post', action: '/logout' }, el('button.btn outline', null, said.out));
	place.append(el('section.card', null, el('p', null, said.facts(me)), out), el('section.card', null, el('h2', null, said.profile), form), el('section.card', null, el('h2', null, said.password), password));
}

async function keys(place, me) {
	const said = words.keys;
	const [fresh, list] = [el('section.card fresh', { hidden: true }), el('ul')];
	const scopes = Object.fromEntries(Object.entries(said.scopes).filter(([may]) => me.role === 'admin' || !may.includes('admin')));
	const form = el('form', null, field(said.name, el('input', { name: 'name', required: true, maxlength: 100 })), field(said.may, choice('scopes', scopes)), field(said.ends, choice('days', said.days)), el('button.btn filled', null, said.create));
	const fields = el('section.card', { hidden: true }, el('h2', null, said.make), el('p', null, said.lede), form);
	const open = button(`+ ${said.make}`, () => { unfold(true); form.elements.name.focus(); });
	const unfold = (isOpen) => { fields.hidden = !isOpen; open.hidden = isOpen; };
	form.onsubmit = async (event) => {
		event.preventDefault();
		const { name, scopes: may, days } = Object.fromEntries(new FormData(form));
		const made = await attempt(() => send('POST', '/keys', { name, scopes: may, expires_in_days: days ? Number(days) : null }));
		await redraw(list, draw); // also when no answer came: it may have been made
		if (!made) return;
		form.reset();
		unfold(false);
		const code = el('code', { tabindex: 0 }, made.key);
		const stored = button(said.stored, () => { fresh.hidden = true; fresh.replaceChildren(); $('h1').focus(); }, 'quiet');
		fresh.replaceChildren(el('p', { role: 'status' }, said.fresh(safeName(made.name))), code, el('div.keys', null, button(said.copy, () => copy(made.key, said.copied, code), 'filled'), stored));
		fresh.hidden = false;
		fresh.dataset.key = made.id;
		code.focus();
	};
	async function draw() {
		forget('/keys');
		const { keys: all } = await send('GET', '/keys');
		list.replaceChildren(...all.map((key) => {
			const over = Date.parse(key.expires_at) < Date.now();
			const ends = key.revoked_at ? said.revoked(when(key.revoked_at)) : over ? said.over(day(key.expires_at)) : said.until(key.expires_at && day(key.expires_at));
			const facts = said.facts(key.prefix, said.scopes[key.scopes.join(' ')] || key.scopes.join(', '), said.used(key.last_used_at && when(key.last_used_at), key.uses), ends);
			return item(key.name, facts, !key.revoked_at && !over && button(said.revoke, () => revoke(key), 'quiet'));
		}));
		if (!all.length) list.append(el('li', null, said.none));
		if (!all.length) unfold(true);
	}
	async function revoke({ id, name }) {
		if (!await sure(said.sure(safeName(name)), said.stops, said.revoke)) return;
		const done = await attempt(() => send('DELETE', `/keys/${id}`), said.gone(safeName(name)));
		if (done && fresh.dataset.key === id) fresh.hidden = true;
		redraw(list, draw);
	}
	place.append(el('div.keys', null, open), fresh, fields, el('section.card', null, list));
	await draw();
}

async function sessions(place) {
	const said = words.sessions;
	const list = el('ul');
	const others = button(said.others, async () => {
		if (!await sure(said.sureAll, said.again, said.endAll)) return;
		const done = await attempt(() => send('DELETE', '/sessions'));
		if (done) toast(said.ended(done.ended));
		redraw(list, draw);
	});
	async function draw() {
		forget('/sessions');
		const { sessions: all } = await send('GET', '/sessions');
		list.replaceChildren(...all.sort((a, b) => b.current - a.current).map((session) => {
			const name = words.browser(session.user_agent) || said.unknown;
			const head = session.current ? `${name} (${said.here})` : name;
			const end = button(said.end, async () => { if (await sure(said.sure(name), said.again, said.end)) await attempt(() => send('DELETE', `/sessions/${session.id}`), said.ended(1)); redraw(list, draw); }, 'quiet');
			const row = item(head, said.facts(session.address, said.by[session.origin], when(session.last_seen_at)), !session.current && end);
			set(row, 'title', session.user_agent);
			return row;
		}));
		if (!all.length) list.append(el('li', null, said.none));
		others.hidden = all.length < 2;
	}
	place.append(el('section.card', null, el('p', null, said.lede), list, el('div.keys', null, others)));
	await draw();
}

async function usage(place) {
	const said = words.usage;
	forget('/usage');
	const month = await send('GET', '/usage');
	const lines = Object.entries(said.lines).map(([name, nouns]) => {
		const { used, limit } = month[name];
		const share = limit == null ? 0 : used >= limit ? 1 : used / limit;
		const text = said.of(used, limit, nouns) + said.near(share);
		return el(`div.${share >= 0.8 ? 'warn' : 'line'}`, null, el('p', null, text), limit != null && el('progress', { max: 1, value: Math.min(1, share), 'aria-label': text }));
	});
	const list = el('ul');
	let next;
	const add = ({ entries, next_before: before }) => {
		list.append(...entries.map(({ timestamp, service, audio_duration_seconds: seconds }) => item(when(timestamp), `${said.services[service] || service} · ${clock(seconds)}`)));
		if (!list.children.length) list.append(el('li', null, said.none));
		next = before;
		older.hidden = !next;
	};
	const older = button(said.older, () => attempt(async () => add(await send('GET', `/usage?before=${next}`))));
	add(month);
	place.append(el('section.card usage', null, el('p', null, said.month(day(month.from, 'UTC'), day(month.until, 'UTC'))), ...lines), el('section.card', null, el('h2', null, said.log), list, el('div.keys', null, older)));
}

const DRAW = { account, keys, sessions, usage };
