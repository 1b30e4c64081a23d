// Owns: the Convert page: drop field, target, dock, summary, list, keyboard. Never: painting, requests. Used by: main.
import { announce } from '../announce.js';
import { curlFor } from '../curl.js';
import { $, put } from '../dom.js';
import { Left, Rate } from '../easing.js';
import { explain, left, line, percent } from '../format.js';
import { intake } from '../intake.js';
import { ask, copy, details, menu, toast } from '../layer.js';
import { naturalOrder, safeName } from '../names.js';
import { RowView, nameOfRow } from '../row.js';
import { blocked, onHold } from '../session.js';
import { askToNotify, mayAsk, notify, setRing, setTitle } from '../signal.js';
import { change, isHere, isOver, putBack, remove, rows, subscribe } from '../store.js';
import { catalogue, choose, current, currentFor, fromAddress, general, loadCatalogue, nameOf, onTarget, openSheet, panel, targetFrom, withoutFile } from '../target.js';
import { cancelUpload, enqueue, resend } from '../upload/line.js';
import { deleteJob, nudge, tell } from '../watch.js';
import { Seed } from '../wave.js';
import { act, copied, count, list as words, say, tab } from '../words.js';

const views = new Map(); // row → RowView
const dirty = new Set();
let [rate, rest, pace] = []; // of the whole list; they start anew once all is uploaded, which goes at another pace
let frame = 0;
let shown = true;
let ran = false;
let late = []; // rows a changed target is offered for
let picked; // the row whose menu is open

let go; // changes the view
const all = (wanted) => rows.filter(({ phase, recent }) => !recent && phase === wanted);
const rowOf = (node) => [...views].find(([, view]) => view.node.contains(node))?.[0];
const addressOf = ({ job }) => `/upload/jobs/${job?.id}`;

export function mount(goTo) {
	go = goTo;
	const seeds = [$('#seed'), $('#veil canvas')].map((canvas) => new Seed(canvas));
	const follow = (x) => seeds.forEach((seed, i) => seed.set({ swell: x != null ? 1 : i || rows.length ? 0 : 0.5, at: x ?? 0.5 }));
	const target = () => line(nameOf(current));
	const controls = panel(() => current, choose);
	let before = general(current);
	const drawTarget = () => {
		controls.draw();
		if (before !== general(current)) late = rows;
		before = general(current);
		offer();
		accept(catalogue.accept);
		put($('#dock-target'), target());
	};
	$('#target').replaceChildren(controls.node);
	$('#dock-to').onclick = () => openSheet(() => current, choose);
	$('#dock-add').onclick = () => $('#pick').click();
	$('#clear').onclick = () => takeOut(all('done'), words.cleared);
	$('#apply button').onclick = () => {
		late.forEach((row) => change(row, { target: currentFor(row.target) }));
		$('#list').focus();
	};
	$('#tell').onclick = () => askToNotify().then(summarise);
	$('#rows').onkeydown = keys;
	for (const place of [$('#rows'), $('#menu')]) {
		place.addEventListener('click', ({ target: at }) => {
			const button = at.closest('[data-act]');
			picked = rowOf(button) || picked;
			if (rows.includes(picked)) acts[button?.dataset.act]?.(picked, button);
		});
	}
	document.addEventListener('visibilitychange', summarise);
	onHold(drawAll);
	const update = (row) => {
		if (row) dirty.add(row);
		else arrange();
		if (!row) follow();
		if (row?.phase === 'queued' && !row.job.progress) nudge();
		soon();
	};
	subscribe(update);
	update();
	// Last of all: files may be waiting already.
	const accept = intake({ onfiles: take, onveil: follow, target });
	onTarget(drawTarget);
	drawTarget();
	setInterval(drawAll, 500);
	requestAnimationFrame(() => setTimeout(() => {
		load();
		nudge();
	}));
}
const load = () => loadCatalogue().then(fromAddress, () => setTimeout(load, 5000));
export function show(visible) {
	shown = visible;
	soon();
}

async function take(files, leftOut) {
	put($('#many-title'), words.many(files.length));
	if (files.length > 500 && await ask('many') !== 'yes') return;
	const isSame = (a, b) => a && ['name', 'size', 'lastModified'].every((key) => a[key] === b[key]);
	const here = rows.filter(({ phase }) => phase !== 'cancelled');
	const [same, fresh] = [true, false].map((known) => files.filter((file) => here.some((row) => isSame(row.file, file)) === known));
	const add = (some) => {
		if (!shown) go('/upload');
		enqueue(some.sort((a, b) => naturalOrder(a.name, b.name)), current);
		announce(say.added(some.length));
		choose(withoutFile(current));
	};
	if (fresh.length) add(fresh);
	if (same.length) toast(words.same(safeName(same[0].name), same.length), act.addAnyway, (acted) => acted && add(same));
	else if (leftOut) toast(words.folder(fresh.length, leftOut));
}

/** What a row's buttons, menu and keys do. */
const acts = {
	play: (row) => views.get(row).track?.toggle(),
	open: (row) => row.job && go(addressOf(row)),
	cancel: (row) => (isHere(row) ? cancelUpload(row) : tell(row, 'cancel')),
	async again(row) {
		const error = row.job && await tell(row, 'retry');
		if (error?.code === 'conflict') return; // started again already
		if (row.file && (!row.job || error?.status)) resend(row);
		else if (error) toast(explain(error).head);
	},
	restart: (row) => acts.again(row),
	async options(row) {
		row.target ??= targetFrom(row.job.options);
		await acts.retarget(row, true);
		if (row.file) resend(row);
	},
	retarget: (row, open) => openSheet(() => row.target, (target) => /line|failed/.test(row.phase) && change(row, { target }), open === true).then(() => {
		const { chip, node } = views.get(row) || {};
		if (chip?.disabled) node.focus();
	}),
	more: ({ job }, button) => menu(button, job ? ['open', 'link', 'curl', 'details', 'delete'] : ['details', 'remove']),
	link: (row) => copy(location.origin + addressOf(row), copied.link),
	curl: ({ job }) => copy(curlFor(job.options, job.input.filename), copied.text),
	details: ({ job, error }) => details(job || error, error?.detail),
	remove: (row) => takeOut([row], () => words.removed(nameOfRow(row))),
	delete: (row) => takeOut([row], () => words.deleted(nameOfRow(row)), () => deleteJob(row.job.id)),
};

/** Takes rows out, with Undo, else `final`. */
function takeOut(some, text, final) {
	const places = some.map((row) => [row, remove(row)]).reverse();
	summarise();
	(views.get(rows[places.at(-1)[1]] || rows.at(-1))?.node || $('#convert h1')).focus();
	toast(text(some.length), act.undo, (acted) => (acted ? places.forEach((place) => putBack(...place)) : final?.()));
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
		if (!view) continue;
		view.draw();
		if (isOver(row) && view.told !== row.phase) sayEnd(row);
		view.told = row.phase;
	}
	summarise();
	offer();
}
/** Frees removed rows, builds missing ones, some a frame. */
function arrange() {
	for (const [row, view] of views) if (!rows.includes(row) && views.delete(row)) view.free();
	let place = $('#rows').firstChild;
	let room = 24;
	for (const row of rows) {
		if (!views.has(row) && !(room -= 1)) { requestAnimationFrame(arrange); break; }
		if (!views.has(row)) views.set(row, new RowView(row));
		const { node } = views.get(row);
		if (node === place) place = place.nextSibling;
		else $('#rows').insertBefore(node, place);
	}
}
/** Announces an ending: by name while rows are few, else by quarters. */
function sayEnd(row) {
	const [total, over] = [rows.length, rows.filter(isOver).length];
	const quarter = (n) => Math.floor(n * 4 / total);
	if (row.phase === 'failed' && total < 12) announce(say.failed(nameOfRow(row), explain(row.error).head));
	else if (row.phase === 'done' && total < 4) announce(say.ready(nameOfRow(row)));
	else if (over < total && quarter(over) > quarter(over - 1)) announce(say.some(over, total));
	if (over === total && total > 1) announce(say.all(total, all('failed').length));
}

/** Offers the page's new target for files whose upload has not begun. */
function offer() {
	late = late.filter((row) => row.phase === 'line' && !row.attempt && rows.includes(row) && general(row.target) !== general(current));
	$('#apply').hidden = !late.length;
	put($('#apply span'), words.apply(line(nameOf(current)), late.length));
	put($('#apply button'), words.applyTo(late.length));
}
function summarise() {
	const live = rows.filter(({ recent, phase }) => !recent && !/cancelled|deleted/.test(phase));
	const [done, bad, mine] = [all('done').length, all('failed').length, rows.some(({ recent }) => !recent)];
	const running = live.length > done + bad;
	const part = (row) => (isOver(row) ? 1 : ((isHere(row) ? row.sent / row.bytes : 1) + (row.job?.progress?.percent || 0) / 100) / 2);
	const sum = (of) => live.reduce((total, row) => total + (row.bytes || 1) * of(row), 0);
	const value = sum(part) / sum(() => 1) * 100;
	const sending = live.some(isHere);
	if (pace !== (running && sending)) [rate, rest, pace] = [new Rate(), new Left(), running && sending];
	const speed = running && rate.push(value);
	const seconds = speed > 0.01 && value >= 2 && !blocked() ? rest.show((100 - value) / speed) : null;
	const n = percent(Math.min(99, value));
	document.body.classList.toggle('empty', !mine);
	$('#list-part').hidden = !rows.length;
	put($('#list'), mine ? count(live.length, 'file') : words.recent);
	const now = line([`${n}\xa0%`, left(seconds)], ', ');
	put($('#summary'), running ? line([now, !sending && words.uploaded], '. ') : bad ? line([done && words.done(done), words.failed(bad)], ', ') : live.length ? words.all : '');
	$('#tell').hidden = !(seconds > 20 && mayAsk());
	if (ran && !running && live[0]) notify(live[1] ? say.all(live.length, bad) : bad ? say.failed(nameOfRow(live[0]), explain(live[0].error).head) : say.ready(nameOfRow(live[0])));
	ran = running;
	$('#clear').hidden = !done || running;
	const news = live.length && (document.hidden || /[%✓!]/.test(document.title)) && (bad ? 'failed' : 'ready');
	if (running) setTitle(blocked() ? tab.paused(n) : tab.run(n, live.length));
	else if (shown) setTitle(news && tab[news](done, bad));
	setRing(running ? value : news || null);
}

const KEYS = { Enter: 'open', ' ': 'play', r: '[data-act=again], [data-act=restart]', d: '[download]', Delete: 'delete' };
function keys(event) {
	const { target, key } = event;
	const row = rowOf(target);
	const { node, acts: buttons } = views.get(row);
	const to = { ArrowUp: node.previousSibling, ArrowDown: node.nextSibling, Home: node.parentNode.firstChild, End: node.parentNode.lastChild }[key];
	const name = target === node && (KEYS[key] || KEYS[key.toLowerCase()]);
	if ((!to && !name) || event.ctrlKey || event.metaKey || event.altKey) return;
	event.preventDefault();
	if (to) to.focus();
	else if (name === 'delete' && row.phase !== 'done') acts[isOver(row) ? 'remove' : 'cancel'](row);
	else if (acts[name]) acts[name](row);
	else $(name, buttons)?.click();
}
