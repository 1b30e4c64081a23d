// Owns: what shows outside the page: tab title, favicon, notification. Never: rows. Used by: views/convert, main.
import { $ } from './dom.js';
import { recall, remember } from './memory.js';

let title;
let timer;
let drawn = null;

/** Sets the tab's title, at most once a second. */
export function setTitle(text) {
	title = text;
	if (timer || document.title === title) return;
	document.title = title;
	timer = setTimeout(() => { timer = 0; setTitle(title); }, 1000);
}
/** The favicon: a ring for a percent, 'ready', 'failed', or null for the plain mark. */
export function setRing(state) {
	const step = typeof state === 'number' ? Math.floor(state / 5) * 5 : state;
	if (drawn === step) return;
	drawn = step;
	const link = $('link[rel=icon]');
	link.dataset.plain ??= link.href;
	const canvas = document.createElement('canvas');
	canvas.width = canvas.height = 64;
	const pen = canvas.getContext('2d');
	const css = getComputedStyle(document.documentElement);
	const line = (token, width, path) => {
		[pen.strokeStyle, pen.lineWidth, pen.lineCap] = [css.getPropertyValue(`--${token}`), width, 'round'];
		pen.stroke(new Path2D(path));
	};
	const turn = (part) => Math.PI * (2 * part - 0.5);
	if (typeof step === 'number') {
		line('wave-0', 8, 'M32 5a27 27 0 1 1-.1 0');
		pen.beginPath();
		pen.arc(32, 32, 27, turn(0), turn(step / 100));
		pen.strokeStyle = css.getPropertyValue('--accent');
		pen.stroke();
		line('accent', 6, 'M22 26v12M32 18v28M42 26v12');
	} else if (step === 'ready') {
		line('accent', 60, 'M32 32h0');
		line('on-accent', 7, 'M19 33l9 9 17-19');
	} else line('danger', 44, 'M32 32h0');
	link.href = step === null ? link.dataset.plain : canvas.toDataURL();
}

/** True while nobody has decided on notifications and the browser has them; phones have them only for a worker. */
export const mayAsk = () => isSecureContext && 'Notification' in window && !/Android|iPhone|iPad/.test(navigator.userAgent) && !recall('notify') && Notification.permission !== 'denied';
/** Asks for notifications; a refusal is remembered for good. */
export async function askToNotify() {
	const answer = await Notification.requestPermission();
	if (answer !== 'default') remember('notify', answer === 'granted' ? 'asked' : 'refused');
}
/** Says a sentence outside the page, if that was asked for and the page is out of sight. */
export function notify(text) {
	if (!document.hidden || recall('notify') !== 'asked' || Notification.permission !== 'granted') return;
	const note = new Notification(text, { tag: 'audiomill', icon: $('link[rel=icon]').href });
	note.onclick = () => { focus(); note.close(); };
}
