// Owns: which file is sent when, three at a time, and what a failed sending means. Never: drawing. Used by: views/convert.
import { alarm, announce } from '../announce.js';
import { $ } from '../dom.js';
import { Rate } from '../easing.js';
import { blocked, judge, onHold, release, waiting } from '../session.js';
import { add, adopt, change, isHere, rows } from '../store.js';
import { catalogue, fieldsOf } from '../target.js';
import { say, why as reasons } from '../words.js';
import { sendFile } from './simple.js';

const LOST_LIMIT = 8; // connections lost in a row before a row gives up
const aborts = new Map(); // row → how to abort its request
let lock;
let paused = false;

waiting.count = () => rows.filter(({ phase }) => phase === 'line').length;
onHold((why) => {
	if (/signin|other/.test(why)) alarm($('#banner p').textContent);
	else if (rows.some(isHere) && why !== paused) announce(why ? say.paused(reasons[why]) : say.on);
	paused = why;
	if (why === 'offline') for (const row of aborts.keys()) end(row, { phase: 'line' });
	pump();
});
addEventListener('beforeunload', (event) => rows.some(isHere) && event.preventDefault());

document.addEventListener('visibilitychange', keepAwake);

/** Puts files in line as one batch. */
export function enqueue(files, target) {
	add(files.map((file) => {
		const code = !file.size ? 'empty_file' : file.size > catalogue.max_upload_bytes && 'too_large';
		return { file, name: file.name, bytes: file.size, target, ...(code && { phase: 'failed', error: { code } }) };
	}));
	pump();
}
/** Puts a row back in line, from its first byte. */
export const resend = (row) => end(row, { phase: 'line', error: null, job: null, sent: 0, attempt: 0, lost: 0 });
export const cancelUpload = (row) => { end(row, { phase: 'cancelled' }); release('plan'); };

/** Ends a row's request and makes room for the next. */
function end(row, patch) {
	aborts.get(row)?.();
	aborts.delete(row);
	change(row, patch);
	pump();
}
/** Sends small files first within a batch; one place is always the newest batch's. */
function pump() {
	const ready = rows.filter(({ phase }) => phase === 'line').sort((a, b) => a.batch - b.batch || a.bytes - b.bytes);
	const isNewest = ({ batch }) => batch === ready.at(-1).batch;
	while (!blocked() && aborts.size < 3 && ready.length) {
		const [row] = ready.splice([...aborts.keys()].some(isNewest) ? 0 : ready.findIndex(isNewest), 1);
		start(row);
	}
	keepAwake();
}
function start(row) {
	const rate = new Rate();
	let storing;
	change(row, { phase: 'sending', sent: 0, rate: null, movedAt: Date.now(), startedAt: Date.now(), attempt: row.attempt + 1 });
	aborts.set(row, sendFile(row.file, fieldsOf(row.target), {
		sent(bytes) {
			change(row, { sent: bytes, rate: rate.push(bytes), movedAt: Date.now() });
			clearTimeout(storing);
			if (bytes >= row.bytes) storing = setTimeout(() => row.phase === 'sending' && change(row, { phase: 'storing' }), 400);
		},
		done(id) {
			adopt(row, { id, status: 'queued', input: { filename: row.name, bytes: row.bytes }, options: fieldsOf(row.target) });
			release('full', 'disk', 'away');
			end(row);
		},
		async fail(error) {
			if (error.code === 'network') await row.file.slice(0, 1).arrayBuffer().catch(() => { error.code = 'unreadable'; });
			if (!aborts.has(row)) return;
			row.lost = error.code === 'network' ? (row.lost || 0) + 1 : 0;
			const again = row.lost < LOST_LIMIT && judge(error);
			end(row, again ? { phase: 'line' } : { phase: 'failed', error });
		},
	}));
}
/** Keeps a phone's screen on while bytes travel. */
async function keepAwake() {
	if (!aborts.size) {
		lock?.release?.();
		lock = null;
	} else if (!document.hidden && (!lock || lock.released)) {
		lock = {};
		lock = await navigator.wakeLock?.request('screen').catch(() => null);
	}
}
