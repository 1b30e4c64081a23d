// Owns: what shows outside the page: tab title, favicon, notification. Never: rows. Used by: views/convert, main.
import { $, colour } from './dom.js';
import { recall, remember } from './memory.js';

const link = $('link[rel=icon]');
const plain = link.href;
let title;
let timer;
let drawn;

/** What the tab says before the page's name, at most once a second. */
export function setTitle(text) {
	title = text;
	const whole = text ? `${text} – audiomill` : 'audiomill';
	if (timer || document.title === whole) return;
	document.title = whole;
	timer = setTimeout(() => { timer = 0; setTitle(title); }, 1000);
}
/** The favicon: a ring for a percent, 'ready', 'failed', or null for the plain mark. */
export function setRing(state) {
	const step = Number.isFinite(state) ? Math.floor(state / 5) : state;
	if (drawn === step) return;
	drawn = step;
	const line = (token, width, path, more = '') => `<path stroke="${colour(token)}" stroke-width="${width}" d="${path}" ${more}/>`;
	const ring = 'M32 5a27 27 0 1 1-.1 0';
	const shape = {
		ready: () => line('accent', 60, 'M32 32h0') + line('on-accent', 7, 'M19 33l9 9 17-19'), failed: () => line('danger', 44, 'M32 32h0'),
	}[state] || (() => line('wave-0', 8, ring) + line('accent', 8, ring, `pathLength="20" stroke-dasharray="${step} 30"`) + line('accent', 6, 'M22 26v12M32 18v28M42 26v12'));
	link.href = state === null ? plain : `data:image/svg+xml,${encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" fill="none" stroke-linecap="round">${shape()}</svg>`)}`;
}
/** True while nobody has decided; phones have notifications only for a worker. */
export const mayAsk = () => isSecureContext && 'Notification' in window && !/Android|iPhone|iPad/.test(navigator.userAgent) && !recall('notify') && Notification.permission !== 'denied';
export async function askToNotify() {
	const answer = await Notification.requestPermission();
	if (answer !== 'default') remember('notify', answer === 'granted' ? 'asked' : 'refused');
}
/** Says a sentence outside a hidden page, if that was asked for. */
export function notify(text) {
	if (!document.hidden || recall('notify') !== 'asked' || Notification.permission !== 'granted') return;
	const note = new Notification(text, { tag: 'audiomill', icon: plain });
	note.onclick = () => { focus(); note.close(); };
}
