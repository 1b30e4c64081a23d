// Owns: the Convert page: drop field, target, dock, summary, list, keyboard. Never: painting, requests. Used by: main.
import { announce } from '../announce.js';
import { $, el, put } from '../dom.js';
import { Left, Rate } from '../easing.js';
import { explain, left, percent } from '../format.js';
import { intake } from '../intake.js';
import { dialog, toast } from '../layer.js';
import { naturalOrder, safeName } from '../names.js';
import { RowView, nameOfRow } from '../row.js';
import { blocked, onHold } from '../session.js';
import { askToNotify, mayAsk, notify, setRing, setTitle } from '../signal.js';
import { change, isHere, isOver, putBack, remove, rows, subscribe } from '../store.js';
import { catalogue, choose, current, currentFor, fromAddress, loadCatalogue, nameOf, onTarget, openSheet, panel, withoutFile } from '../target.js';
import { cancelUpload, enqueue, resend } from '../upload/line.js';
import { deleteJob, nudge, tell, watchList } from '../watch.js';
import { Seed } from '../wave.js';
import { act, count, list as words, say, tab } from '../words.js';

const views = new Map(); // row → RowView
const dirty = new Set();
let [rate, rest, pace] = []; // of the whole list; they start anew once all is uploaded, which goes at another pace
let frame = 0;
let shown = true;
let ran = false;
let late = []; // rows a changed target is offered for

const go = (detail) => dispatchEvent(new CustomEvent('go', { detail })); // main changes the view

/** Builds the page, once. */
export function mount() {
	const seeds = [$('#seed'), $('#veil canvas')].map((canvas) => new Seed(canvas));
	const follow = (x) => seeds.forEach((seed, i) => seed.set({ swell: x != null ? 1 : i || rows.length ? 0 : 0.5, at: x ?? 0.5 }));
	const controls = panel(() => current, choose);
	let before = general(current);
	const drawTarget = () => {
		controls.draw();
		if (before !== general(current)) late = rows;
		before = general(current);
		offer();
		accept(catalogue.accept);
		put($('#dock-target'), nameOf(current).join(' · '));
	};
	$('#target').replaceChildren(controls.node);
	$('#dock-to').onclick = () => openSheet(() => current, choose);
	$('#dock-add').onclick = () => $('#pick').click();
	$('#clear').onclick = () => takeOut(rows.filter(({ phase }) => phase === 'done'), words.cleared);
	$('#apply button').onclick = () => {
		late.forEach((row) => change(row, { target: currentFor(row.target) }));
		$('#list').focus();
	};
	$('#tell').onclick = () => askToNotify().then(summarise);
	$('#rows').onkeydown = keys;
	document.addEventListener('visibilitychange', summarise);
	onHold(drawAll);
	subscribe((what, row) => {
		if (what === 'changed') dirty.add(row);
		else if (what === 'removed') {
			views.get(row)?.free();
			views.delete(row);
		} else {
			arrange();
			follow(null);
		}
		if (row?.phase === 'queued' && !row.job.progress) nudge();
		soon();
	});
	// Last of all: files may be waiting already.
	const accept = intake({ onfiles: take, onveil: follow, target: () => nameOf(current).join(' · ') });
	onTarget(drawTarget);
	drawTarget();
	setInterval(drawAll, 500);
	follow(null);
	requestAnimationFrame(() => setTimeout(() => {
		loadCatalogue().catch(() => {}).then(fromAddress);
		watchList();
	}));
}
/** Shows or hides the page; what runs goes on. */
export function show(visible) {
	shown = visible;
	soon();
}

async function take(files, leftOut) {
	const sure = [{ label: act.addThem, value: 'yes' }, { label: act.cancel, look: 'tint' }];
	if (files.length > 500 && await dialog(words.many(files.length), el('p', null, words.three), sure) !== 'yes') return;
	const print = ({ name, size, lastModified }) => [name, size, lastModified].join('\n');
	const here = rows.filter((row) => row.file && row.phase !== 'cancelled').map((row) => print(row.file));
	const [same, fresh] = [true, false].map((known) => files.filter((file) => here.includes(print(file)) === known));
	const add = (some) => {
		if (!shown) go('/upload');
		enqueue(some.sort((a, b) => naturalOrder(a.name, b.name)), current);
		announce(say.added(some.length));
		choose(withoutFile(current));
	};
	if (fresh.length) add(fresh);
	if (same.length) toast(same[1] ? words.sames(same.length) : words.same(safeName(same[0].name)), act.addAnyway, (acted) => acted && add(same));
	else if (leftOut) toast(words.folder(fresh.length, leftOut));
}

const on = {
	ahead: (row) => rows.filter(({ phase, batch, bytes }) => /sending|storing/.test(phase) || (phase === 'line' && batch === row.batch && bytes < row.bytes)).length,
	cancel: (row) => (isHere(row) ? cancelUpload(row) : tell(row, 'cancel')),
	async again(row) {
		const error = row.job && await tell(row, 'retry');
		if (row.file && (!row.job || error?.status)) resend(row);
		else if (error) toast(explain(error).head);
	},
	remove: (row) => takeOut([row], () => words.removed(nameOfRow(row))),
	delete: (row) => takeOut([row], () => words.deleted(nameOfRow(row)), () => deleteJob(row.job.id)),
};
/** Takes rows out, with Undo; `final` follows when it is not taken. */
function takeOut(some, text, final) {
	const { node } = views.get(some[0]);
	const next = node.nextSibling || node.previousSibling || $('#list');
	const held = node.contains(document.activeElement) || document.activeElement === document.body;
	const places = some.map((row) => [row, remove(row)]).reverse();
	if (held) next.focus();
	toast(text(some.length), act.undo, (acted) => {
		if (acted) places.forEach((place) => putBack(...place));
		else final?.();
	});
}

function drawAll() {
	for (const row of rows) if (!isOver(row)) dirty.add(row);
	if (dirty.size) soon();
}
function soon() { frame ||= (document.hidden ? setTimeout : requestAnimationFrame)(flush); }
function flush() {
	frame = 0;
	for (const row of dirty) {
		const view = views.get(row);
		if (view?.wave.visible === false && view.told === row.phase) continue; // drawn when it comes into sight
		dirty.delete(row);
		view?.draw();
		if (view && isOver(row) && view.told !== row.phase) sayEnd(row);
		if (view) view.told = row.phase;
	}
	summarise();
	offer();
}
/** Builds missing rows, some a frame, and puts all in the store's order, touching only what is out of place. */
function arrange() {
	let place = $('#rows').firstChild;
	let room = 24;
	for (const row of rows) {
		if (!views.has(row) && !(room -= 1)) { requestAnimationFrame(arrange); break; }
		if (!views.has(row)) views.set(row, Object.assign(new RowView(row, on), { told: row.phase }));
		const { node } = views.get(row);
		if (node === place) place = place.nextSibling;
		else $('#rows').insertBefore(node, place);
	}
}
/** Announces an ending: by name while rows are few, by quarters when they are many. */
function sayEnd(row) {
	const [all, over, bad] = [rows.length, rows.filter(isOver).length, rows.filter(({ phase }) => phase === 'failed').length];
	const quarter = (n) => Math.floor(n * 4 / all);
	if (row.phase === 'failed' && all < 12) announce(say.failed(nameOfRow(row), explain(row.error || {}).head));
	else if (row.phase === 'done' && all < 4) announce(say.ready(nameOfRow(row)));
	else if (over < all && quarter(over) > quarter(over - 1)) announce(say.some(over, all));
	if (over === all && all > 1) announce(say.all(all, bad));
}

const general = (target) => JSON.stringify(withoutFile(target));
/** Offers the page's new target for files whose upload has not begun. */
function offer() {
	late = late.filter((row) => row.phase === 'line' && !row.attempt && rows.includes(row) && general(row.target) !== general(current));
	$('#apply').hidden = !late.length;
	put($('#apply span'), words.apply(nameOf(current).join(' · '), late.length));
	put($('#apply button'), words.applyTo(late.length));
}
/** Heading, overall percent, title and favicon. */
function summarise() {
	const live = rows.filter(({ recent, phase }) => !recent && !/cancelled|deleted/.test(phase));
	const [done, bad, sending] = [({ phase }) => phase === 'done', ({ phase }) => phase === 'failed', isHere].map((is) => live.filter(is).length);
	const running = live.length - done - bad;
	const part = (row) => (isOver(row) ? 1 : ((isHere(row) ? row.sent / row.bytes : 1) + (row.job?.progress?.percent || 0) / 100) / 2);
	const sum = (of) => live.reduce((total, row) => total + (row.bytes || 1) * of(row), 0);
	const value = running ? sum(part) / sum(() => 1) * 100 : 0;
	if (pace !== (running && Boolean(sending))) [rate, rest, pace] = [new Rate(), new Left(), running && Boolean(sending)];
	const speed = running && rate.push(value);
	const seconds = speed > 0.01 && value >= 2 && !blocked() ? rest.show((100 - value) / speed) : null;
	const n = percent(Math.min(99, value));
	const mine = rows.some(({ recent }) => !recent);
	document.body.classList.toggle('empty', !mine);
	$('#list-part').hidden = !rows.length;
	put($('#list'), mine ? count(live.length, 'file') : words.recent);
	const ended = bad ? [done && words.done(done), words.failed(bad)] : [live.length && words.all];
	const now = [[`${n}\xa0%`, left(seconds)].filter(Boolean).join(', '), !sending && words.uploaded];
	put($('#summary'), running ? now.filter(Boolean).join('. ') : ended.filter(Boolean).join(', '));
	$('#tell').hidden = !(seconds > 20 && mayAsk());
	if (ran && !running && live[0]) notify(live[1] ? say.all(live.length, bad) : bad ? say.failed(nameOfRow(live[0]), explain(live[0].error || {}).head) : say.ready(nameOfRow(live[0])));
	ran = running > 0;
	$('#clear').hidden = !mine || !done || running > 0;
	const news = live.length > 0 && (document.hidden || /[%✓!]/.test(document.title));
	if (running) setTitle(blocked() ? tab.paused(n) : tab.run(n, live.length));
	else if (shown) setTitle(!news ? tab.plain : bad ? tab.failed(bad, done) : tab.ready(done));
	setRing(running ? value : news ? (bad ? 'failed' : 'ready') : null);
}

function keys(event) {
	const { target, key } = event;
	const node = target.closest('.row');
	const all = [...node.parentNode.children];
	const at = all.indexOf(node);
	const to = { ArrowUp: Math.max(0, at - 1), ArrowDown: at + 1, Home: 0, End: all.length - 1 }[key];
	const [row, view] = [...views].find(([, { node: one }]) => one === node);
	const run = to != null ? () => all[to]?.focus() : target === node && {
		Enter: () => row.job && go(`/upload/jobs/${row.job.id}`),
		' ': () => view.track?.toggle(),
		d: () => $('a', view.acts)?.click(),
		r: () => /failed|cancelled/.test(row.phase) && on.again(row),
		Delete: () => (row.phase === 'done' ? on.delete : isOver(row) ? on.remove : on.cancel)(row),
	}[key === 'Delete' || key === 'Enter' ? key : key.toLowerCase()];
	if (!run || event.ctrlKey || event.metaKey || event.altKey) return;
	event.preventDefault();
	run();
}
