// Owns: one row of the list: words, canvas, buttons. Never: requests, other rows. Used by: views/convert.
import { curlFor } from './curl.js';
import { button, el, icon, put, set, setIcon } from './dom.js';
import { Left } from './easing.js';
import { clock, expiry, explain, left, percent, size, speed } from './format.js';
import { copy, details, menu } from './layer.js';
import { safeName, splitName } from './names.js';
import { Track } from './player.js';
import { blocked } from './session.js';
import { change, isHere, isOver } from './store.js';
import { catalogue, fieldsOf, formatOf, made, nameOf, openSheet, targetFrom } from './target.js';
import { Wave } from './wave.js';
import { act, copied, row as words, stage, state, why } from './words.js';

const LEADS = { sending: 'up', storing: 'up', processing: 'mill', failed: 'warn', cancelled: 'x', deleted: 'trash', paused: 'off' };
const LOOKS = { cancel: ['bare', 'x'], again: ['outline', 'retry'], restart: ['outline', 'retry'], options: ['outline', 'tune'], remove: ['outline'], more: ['bare', 'more'], download: ['tint', 'down'] };
const ACTS = { storing: [], done: ['download', 'more'], cancelled: ['restart', 'remove'], deleted: ['remove'] };
let ids = 0;

/** The name a row goes by: the source's until it is done. */
export const nameOfRow = ({ job, name }) => safeName(job?.output?.filename || name);

/** One row on the page; on: {cancel, again, remove, delete, ahead}, called with the row. */
export class RowView {
	constructor(row, on) {
		Object.assign(this, { row, on, spokenAt: 0, at: '' });
		const id = `n${ids += 1}`;
		this.name = el('h3.name', { id });
		this.number = el('p.number', null, el('b'), el('small'));
		this.idle = this.lead = el('span.lead', null, icon('clock'));
		this.frame = el('div.frame', null, el('canvas', { 'aria-hidden': 'true' }));
		this.note = el('p.note', null, el('b'), ' ', el('span'));
		this.status = el('p.status', null, el('span', null, el('b'), el('span'), el('span')), el('span', null, el('span'), el('span')));
		this.chip = button('bare', 'chevron', null, () => this.retarget(), { class: 'btn bare chip', 'aria-haspopup': 'dialog' });
		this.chip.prepend(el('span'), el('span.wide'));
		this.acts = el('div.acts');
		this.node = el('li.row', { tabindex: -1, 'aria-labelledby': id }, this.name, this.number, this.lead, this.frame, this.note, el('div.foot', null, this.status, this.chip, this.acts));
		this.wave = new Wave(this.frame.firstChild);
		this.draw();
	}
	free() {
		this.track?.free();
		this.wave.free();
		this.node.remove();
	}

	/** Brings everything on the page up to the row's state. */
	draw() {
		const { row } = this;
		const seen = { phase: row.phase, strong: state[row.phase], number: '', one: [], two: [], ...this[row.phase]?.(row, row.job?.progress || {}) };
		if (seen.phase !== this.phase) set(this.node, 'data-phase', seen.phase);
		this.drawName();
		put(this.number.firstChild, seen.number);
		put(this.number.lastChild, seen.number && `\xa0${seen.unit || '%'}`);
		const [line, rest] = this.status.children;
		[seen.strong, ...seen.one].forEach((text, i) => put(line.children[i], text && i ? `${seen.glue?.[i] ?? ' · '}${text}` : text || ''));
		for (let i = seen.one.length + 1; i < 3; i += 1) put(line.children[i], '');
		const [one, other] = seen.two;
		put(rest.firstChild, one ? `${one}${other ? ' · ' : ''}` : '');
		put(rest.lastChild, other || '');
		set(rest.firstChild, 'class', other && seen.phase === 'done' && 'wide'); // on the phone only when it goes
		const [tone, head, text] = seen.note || [];
		this.note.hidden = !head;
		set(this.note, 'class', `note ${tone}`);
		put(this.note.firstChild, head || '');
		put(this.note.lastChild, text || '');
		this.drawLead(seen);
		this.drawActs(seen);
		const job = row.job && !isHere(row);
		const wave = { held: job ? 1 : row.sent / (row.bytes || 1), done: row.phase === 'done' ? 1 : seen.done || 0, cut: seen.cut, still: seen.phase === 'paused', unknown: seen.unknown };
		if (JSON.stringify(wave) !== this.drawn) this.wave.set({ ...wave, jump: !this.drawn, settle: wave.done === 1 && Boolean(this.drawn) });
		this.drawn = JSON.stringify(wave);
		this.speak(seen);
		this.phase = seen.phase;
	}
	/** The progress bar's words, at most every 5 s. */
	speak({ phase, strong, number, rest = '' }) {
		const moving = ['sending', 'storing', 'processing', 'paused'].includes(phase);
		if (moving && phase === this.phase && Date.now() - this.spokenAt < 5000) return;
		this.spokenAt = Date.now();
		set(this.frame, 'role', moving ? 'progressbar' : null);
		set(this.frame, 'aria-labelledby', moving ? this.name.id : null);
		set(this.frame, 'aria-valuenow', moving && number ? number : null);
		set(this.frame, 'aria-valuetext', moving ? (number ? words.value(strong, number, rest) : strong) : null);
	}
	drawName() {
		const name = nameOfRow(this.row);
		if (this.shown === name) return;
		this.shown = this.name.title = name;
		const [head, tail] = splitName(name);
		this.name.replaceChildren(el('bdi', { dir: 'auto' }, el('span.head', null, head), el('span', null, tail)));
	}
	drawLead({ phase }) {
		const { job } = this.row;
		if (phase === 'done') {
			this.track ??= new Track({
				wave: this.wave, frame: this.frame, url: `/download/${job.id}`, name: this.shown, seconds: job.output.duration_seconds || 1, mime: formatOf(job.options.format)?.mime_type || 'audio/mpeg',
				onchange: (at) => { if (at !== this.at) { this.at = at; this.draw(); } },
				onfail: (text) => { this.mute = text; this.draw(); },
			});
		} else {
			this.track?.free();
			this.track = null;
			setIcon(this.idle.firstChild, phase === 'paused' && !/offline|away/.test(blocked()) ? 'pause' : LEADS[phase] || 'clock');
		}
		const lead = this.track?.lead || this.idle;
		if (lead !== this.lead) this.lead.replaceWith(lead);
		this.lead = lead;
	}
	drawActs({ phase, acts = ACTS[phase] || ['cancel'] }) {
		const { row } = this;
		const target = row.target || (row.job && targetFrom(row.job.options));
		const [format, quality] = isOver(row) || !target ? [] : nameOf(target);
		const fixed = phase !== 'line' || row.attempt > 0;
		put(this.chip.children[0], format || '');
		put(this.chip.children[1], quality ? ` · ${quality}` : '');
		this.chip.hidden = !format;
		this.chip.disabled = fixed;
		set(this.chip, 'aria-label', fixed ? null : act.target(this.shown, [format, quality].join(' ')));
		const key = acts.join() + this.shown;
		if (key === this.key) return;
		this.key = key;
		const held = this.acts.contains(document.activeElement) || this.chip === document.activeElement;
		const make = (name) => {
			const [look, iconName] = LOOKS[name];
			const props = { 'aria-label': `${act[name]} ${this.shown}` };
			if (name === 'download') return el('a.btn.tint', { ...props, href: `/download/${row.job.id}`, download: '' }, icon(iconName), el('span', null, act.download));
			if (name === 'more') Object.assign(props, { 'aria-haspopup': 'menu', 'aria-expanded': 'false' });
			return button(look, iconName, look === 'bare' ? null : act[name], ({ currentTarget }) => (this[name] || this.on[name]).call(this, row, currentTarget), props);
		};
		this.acts.replaceChildren(...acts.map(make));
		if (held) this.node.focus({ preventScroll: true });
	}

	retarget(option) { return openSheet(() => this.row.target, (target) => change(this.row, { target }), option); }
	restart(row) { this.on.again(row); }
	async options(row) {
		row.target ??= targetFrom(row.job.options);
		await this.retarget(formatOf(row.target.format)?.options[0]?.name);
		if (row.file) this.on.again(row);
	}
	more(row, opener) {
		const { job } = row;
		const link = `/upload/jobs/${job?.id}`;
		menu(opener, [
			job && { icon: 'arrow', label: act.job, href: link },
			job && { icon: 'link', label: act.link, run: () => copy(location.origin + link, copied.link) },
			job && { icon: 'copy', label: act.curl, run: () => copy(curlFor(fieldsOf(targetFrom(job.options)), job.input.filename), copied.text) },
			{ icon: 'tune', label: act.details, run: () => details(job || row.error, row.error?.detail) },
			{ icon: 'trash', label: job ? act.delete : act.remove, danger: true, run: () => this.on[job ? 'delete' : 'remove'](row) },
		]);
	}
	/** Rest of time, steady; it starts anew with each phase and attempt. */
	rest(key, seconds) {
		if (this.restKey !== key) this.left = new Left();
		this.restKey = key;
		return this.left.show(seconds);
	}

	// What each phase says. Numbers never fall: bytes sent and the server's percent do not within an attempt.
	line(row) {
		if (!row.attempt || !blocked()) return { one: [blocked() ? why[blocked()] : words.ahead(this.on.ahead(row))], two: [size(row.bytes)] };
		return { phase: 'paused', strong: state.paused, one: [why[blocked()]], two: [words.resend(size(row.bytes))], number: percent(Math.min(99, row.sent / row.bytes * 100)) };
	}
	sending(row) {
		const now = Date.now();
		const value = Math.min(99, row.sent / row.bytes * 100);
		const known = row.rate && now - row.startedAt > 2000 && value >= 2;
		const seconds = known ? this.rest(`up${row.attempt}`, (row.bytes - row.sent) / row.rate) : null;
		const seen = { number: percent(value, seconds > 600), rest: left(seconds), one: [left(seconds)], two: [size(row.bytes, row.sent), row.rate && speed(row.rate)] };
		if (now - row.movedAt > 8000) Object.assign(seen, { strong: state.line, one: [words.network] });
		else if (row.attempt > 1 && now - row.startedAt < 2000) Object.assign(seen, { strong: state.again, one: [words.lost] });
		return seen;
	}
	storing(row) { return { number: '99', one: [words.storing], two: [size(row.bytes)] }; }
	queued(row) { return { one: [words.place(row.job.queue_position)], two: [words.uploaded(size(row.bytes))] }; }
	processing({ job }, { percent: value, stage: at, attempt, position_seconds: second, speed: pace, eta_seconds: eta, frames_decoded: frames }) {
		const now = Date.now();
		const whole = job.input.duration_seconds;
		if (frames !== this.frames) [this.frames, this.frameAt] = [frames, now];
		const still = Math.floor((now - (this.frameAt ??= now)) / 1000);
		const ran = now - Date.parse(job.started_at);
		const fast = pace && ran > 1000 && words.realTime(pace);
		const slow = still > 15 && !blocked() && words.still(still);
		if (value == null) return { unknown: true, one: [slow || (second ? words.done(clock(second)) : words.reading)], two: [second && words.unknown, fast] };
		if (at === 'finishing') return { strong: state.finishing, number: '99', done: 0.99 };
		const seconds = value >= 2 && ran > 2000 ? this.rest(`work${attempt}`, eta) : null;
		const again = attempt > 1 && ran < 2000;
		return {
			strong: again ? state.again : state.processing, number: percent(value, seconds > 600), rest: left(seconds), done: value / 100,
			one: [slow || (again ? words.restarted : left(seconds))], two: [whole && words.of(clock(second || 0), clock(whole)), fast],
		};
	}
	done({ bytes, job }) {
		const { output, warnings = [] } = job;
		const [number, unit] = size(output.bytes).split('\xa0');
		const whole = clock(output.duration_seconds || 0);
		const note = this.mute ? ['', this.mute] : warnings[0] && ['warn', warnings[0].message, warnings[1] && words.more(warnings.length - 1)];
		const [format, rate] = made(job);
		return { number, unit, strong: this.at ? words.of(this.at, whole) : whole, one: [format, rate], glue: ['', ' · ', ' '], two: [bytes && words.was(size(bytes)), expiry(job.expires_at)], note };
	}
	failed({ error, job }, { position_seconds: second }) {
		const { head, text, way } = explain(error || {}, catalogue.max_upload_bytes);
		const part = Math.min(1, ((error?.position_seconds ?? second) || 0) / job?.input.duration_seconds);
		return { two: [stage[error?.stage]], note: ['bad', head, text], done: part || 0, cut: part || null, acts: job || way === 'again' ? [way, 'more'] : [way] };
	}
	cancelled() { return { one: [words.kept] }; }
	deleted() { return { one: [words.gone] }; }
}
