// Owns: the standing with the server (signed out, away, full) and its banner. Never: rows. Used by: row, watch, upload, main.
import { onAnswer, renew, trust } from './api.js';
import { $, put, set } from './dom.js';
import { ask, banner } from './layer.js';
import { forgetAll, recall, remember } from './memory.js';
import { safeName } from './names.js';
import { account as who, act, banner as words } from './words.js';

const ICONS = { plan: 'clock', full: 'clock', away: 'off', offline: 'off', disk: 'disk', signin: 'lock', other: 'lock' }; // by rank, lowest first
const RANK = Object.keys(ICONS);
const PAUSES = [1, 2, 4, 8, 15, 30];
const listeners = [];
let held = null; // {why, until in ms, said}; past it is being tried, and the banner stays a little
let fails = 0;
let owner; // whose files these are
let guest = {}; // who is signed in now

export const onHold = (listener) => listeners.push(listener);
/** How many files wait; set by the upload line. */
export const waiting = { count: () => 0 };
/** Why nothing may be sent now, or false. */
export const blocked = () => held?.until > Date.now() && held.why;

/** Pauses sending until it is released or `seconds` are over; a reason of higher rank stays. */
function hold(why, seconds = Infinity, said = '') {
	if (blocked() && why !== 'signin' && RANK.indexOf(held.why) > RANK.indexOf(why)) return;
	held = { why, until: Date.now() + seconds * 1000, said };
	changed();
}
export function release(...whys) {
	if (!whys.includes(held?.why)) return;
	held = null;
	changed();
}
function tryNow() {
	if (held && held.why !== 'offline') held.until = 0;
	tick();
}
function tick() {
	const over = Date.now() - held?.until;
	if (over > 0 && !held.tried) {
		held.tried = held.until = Date.now();
		changed();
	} else if (over > 2500 && held.why !== 'away') release(held.why);
	else draw();
}
function changed() {
	draw();
	for (const listener of listeners) listener(blocked());
}
function draw() {
	const { why: key, until, said } = held || {};
	const login = { signin: '/login/done', other: guest.method === 'access' ? '/cdn-cgi/access/logout' : '/login?next=/login/done' }[key];
	const action = key === 'other' ? act.as(owner) : login ? act.signin : key === 'plan' ? act.usage : until < Infinity && act.now;
	const elsewhere = () => open(login) || location.reload(); // a new tab where there may be one: this one holds the files
	const onclick = key === 'signin' && guest.has_password && guest.method !== 'access' ? () => giveWord(elsewhere) : login ? elsewhere : key === 'plan' ? () => $('#account [href$=usage]').click() : tryNow;
	const silent = !key || (key === 'away' && fails < 2) || (key === 'plan' && !waiting.count());
	banner(silent ? null : { key: login ? 'signin' : key, icon: ICONS[key], text: key === 'other' ? words.other(guest.email, owner) : words[key](Math.ceil((until - Date.now()) / 1000), waiting.count(), said), action, onclick });
}

/** Pauses for 401, 402, 429, 503, 507 and silence; true when to be tried again. */
export function judge({ code, status, wait, message }) {
	if (status === 401) hold('signin');
	else if (code === 'plan_limit') hold('plan', 600, message);
	else if (status === 507) hold('disk', Math.min(wait || 30, 30));
	else if (status === 503 || status === 429) hold('full', Math.max(1, (wait || 10) * (0.8 + Math.random() * 0.4)));
	else if (code !== 'network') return false;
	else if (!navigator.onLine) hold('offline');
	else if (!blocked()) hold('away', PAUSES[Math.min(fails++, 5)]);
	return true;
}
/** Somebody has signed in in another tab: goes on if it is who this one belongs to. */
const goOn = () => renew().then(() => {
	$('#back').close();
	release('signin', 'other');
	return true;
}, () => false);
const channel = new BroadcastChannel('am'); // of this browser's tabs; nobody hears their own word
/** Asks for the password in place; `elsewhere()` is the way for who has none at hand. */
async function giveWord(elsewhere) {
	const [, form] = $('#back').children;
	const [line, email, field, fault] = form.children;
	const [word, enter] = [field.lastElementChild, $('.filled', form)];
	put(line, safeName(owner));
	form.reset();
	email.value = owner;
	put(fault, '');
	for (const button of form.querySelectorAll('[type=button]')) button.onclick = () => $('#back').close(button.value);
	form.onsubmit = async (event) => {
		event.preventDefault();
		if (enter.disabled) return;
		enter.disabled = true;
		put(fault, '');
		const body = new URLSearchParams({ email: owner, password: word.value });
		const answer = await fetch('/login', { method: 'POST', body, redirect: 'manual', signal: AbortSignal.timeout(20000) }).catch(() => ({}));
		enter.disabled = false;
		// A redirect may be a proxy's; who is in is told by the server.
		if (answer.type === 'opaqueredirect' && await goOn()) return channel.postMessage('signed in');
		put(fault, who.refused[answer.status]?.(answer.headers.get('Retry-After')) || who.failed);
		return word.select();
	};
	const way = ask('back');
	$('#back').onclick = null; // letting go of the mouse beside the field is no wish to leave
	const chosen = await way;
	form.reset();
	if (chosen === 'other') elsewhere();
}
/** Says in the header who is signed in. */
function greet({ email, role }) {
	const name = safeName(email);
	put($('#who'), name);
	put($('#me'), name.split('@')[0].split(/[._+-]/, 2).map(([first]) => first).join('').toUpperCase() || '•');
	set($('#me'), 'aria-label', who.name(name));
	for (const link of document.querySelectorAll('#account [href*=admin]')) link.hidden = role !== 'admin';
}
/** Binds this tab and what is remembered to an account, and wipes another's memory; false when it is another's tab. */
trust.of = function bind(account) {
	guest = account;
	greet(account);
	owner ||= guest.email;
	if (guest.email !== owner) {
		$('#back').close();
		hold('other');
		return false;
	}
	const hash = [...owner].reduce((sum, char) => (Math.imul(sum, 33) ^ char.codePointAt(0)) >>> 0, 5381);
	if (recall('who') !== hash) forgetAll();
	remember('who', hash);
	return true;
};
export function begin() {
	onAnswer((error) => {
		if (error?.status === 401 || error?.code === 'network') judge(error);
		else if (!error) {
			fails = 0;
			release('away', navigator.onLine && 'offline'); // an answer that was on its way
		}
	});
	addEventListener('offline', () => hold('offline'));
	addEventListener('online', () => { release('offline'); tryNow(); });
	document.addEventListener('visibilitychange', () => document.hidden || ({ away: tryNow, signin: goOn, other: goOn })[held?.why]?.());
	// Signing out: what an answer still on its way writes goes too.
	document.addEventListener('submit', ({ target }) => target.matches('[action="/logout"]') && (forgetAll(), addEventListener('pagehide', forgetAll)));
	channel.onmessage = goOn;
	setInterval(tick, 250);
}
