// Owns: one row of the list: its words, canvas and which buttons it has. Never: requests, what buttons do. Used by: views/convert.
import { clone, put, set, setIcon } from './dom.js';
import { Left } from './easing.js';
import { clock, expiry, explain, left, line, percent, size, speed } from './format.js';
import { safeName, splitName } from './names.js';
import { shape } from './peaks.js';
import { Track } from './player.js';
import { blocked } from './session.js';
import { isHere, isOver, rows } from './store.js';
import { catalogue, made, nameOf, playable, targetFrom } from './target.js';
import { Wave } from './wave.js';
import { row as words, stage, state, why } from './words.js';

const LEADS = { sending: 'up', storing: 'up', processing: 'mill', failed: 'warn', cancelled: 'x', deleted: 'trash' };
let ids = 0;

/** The name a row goes by: the source's until it is done. */
export const nameOfRow = ({ job, name }) => safeName(job?.output?.filename || name);
const uploaded = ({ sent, bytes }) => Math.min(99, sent / bytes * 100);
const ahead = ({ batch, bytes }) => rows.filter((one) => /sending|storing/.test(one.phase) || (one.phase === 'line' && one.batch === batch && one.bytes < bytes)).length;
const since = (at) => Date.now() - at;

/**
 * What each phase says, of (row, its progress, its view): number and unit; strong, one, two: the status; note: [look, headline, sentence];
 * done, cut, unknown: the canvas; acts: the buttons. Numbers never fall: bytes sent and the server's percent do not within an attempt.
 */
const PHASES = {
	line(row) {
		const reason = why[blocked()];
		if (!row.attempt || !reason) return { one: [reason || words.ahead(ahead(row))], two: [size(row.bytes)] };
		return { phase: 'paused', strong: state.paused, one: [reason], two: [words.resend(size(row.bytes))], number: percent(uploaded(row)) };
	},
	sending(row, _, view) {
		const value = uploaded(row);
		const fresh = since(row.startedAt) < 2000;
		const [silent, again] = [since(row.movedAt) > 8000, fresh && row.attempt > 1];
		const seconds = fresh || !row.rate || value < 2 ? null : view.left(`up${row.attempt}`, (row.bytes - row.sent) / row.rate);
		return {
			number: percent(value, seconds > 600), rest: left(seconds), strong: silent ? state.line : again ? state.again : state.sending,
			one: [silent ? words.network : again ? words.lost : left(seconds)], two: [size(row.bytes, row.sent), row.rate && speed(row.rate)],
		};
	},
	storing: ({ bytes }) => ({ number: '99', one: [words.storing], two: [size(bytes)], acts: [] }),
	queued: ({ bytes, job }) => ({ one: [words.place(job.queue_position)], two: [words.uploaded(size(bytes))] }),
	processing({ job }, { percent: value, stage: at, attempt, position_seconds: second, speed: pace, eta_seconds: eta, frames_decoded: frames }, view) {
		const whole = job.input.duration_seconds;
		if (frames !== view.frames) Object.assign(view, { frames, frameAt: Date.now() });
		const [ran, still] = [since(Date.parse(job.started_at)), Math.floor(since(view.frameAt) / 1000)];
		const fast = pace && ran > 1000 && words.realTime(pace);
		const slow = still > 15 && !blocked() && words.still(still);
		if (value == null) return { unknown: true, one: [slow || (second ? words.done(clock(second)) : words.reading)], two: [second && words.unknown, fast] };
		if (at === 'finishing') return { strong: state.finishing, number: '99', done: 0.99 };
		const seconds = value >= 2 && ran > 2000 ? view.left(`work${attempt}`, eta) : null;
		const [again, copied] = [attempt > 1 && ran < 2000, job.planned?.copied];
		return {
			strong: again ? state.again : copied ? state.copying : state.processing, number: percent(value, seconds > 600), rest: left(seconds), done: value / 100,
			one: [slow || (again ? words.restarted : copied ? words.copying : left(seconds))], two: [whole && words.of(clock(second || 0), clock(whole)), fast],
		};
	},
	done({ bytes, job }, _, { mute, at }) {
		const { output, warnings: [first, ...more] = [] } = job;
		const [number, unit] = size(output.bytes).split('\xa0');
		const whole = clock(output.duration_seconds || 0);
		return {
			number, unit, strong: at ? words.of(at, whole) : whole, one: [made(job)], two: [bytes && words.was(size(bytes)), expiry(job.expires_at)], done: 1,
			note: mute ? ['', mute] : first && ['warn', first.message, more[0] && words.more(more.length)], acts: ['download', 'more'],
		};
	},
	failed({ error, job }, { position_seconds: second }) {
		const { head, text, way } = explain(error, catalogue.max_upload_bytes);
		const part = Math.min(1, (error?.position_seconds ?? second) / job?.input.duration_seconds) || 0;
		return { two: [stage(error?.stage)], note: ['bad', head, text], done: part, cut: part || null, acts: job || way === 'again' ? [way, 'more'] : [way] };
	},
	cancelled: () => ({ one: [words.kept], acts: ['restart', 'remove'] }),
	deleted: () => ({ one: [words.gone], acts: ['remove'] }),
};

export class RowView {
	constructor(row) {
		const node = clone('row').firstChild;
		const [name, number, idle, button, frame, note, foot] = node.children;
		const [status, chip, acts] = foot.children;
		Object.assign(this, { row, node, name, number, idle, button, frame, note, status, chip, acts, buttons: [...acts.children], told: row.phase, at: '' });
		set(node, 'aria-labelledby', name.id = `n${ids += 1}`);
		button.remove();
		this.wave = new Wave(frame.firstChild);
		this.wave.onsee = () => this.row.job && shape(this.wave, this.row.job);
		this.draw();
	}
	free() {
		this.track?.stop();
		this.wave.free();
		this.node.remove();
	}
	draw() {
		const { row, node, name, number, note } = this;
		const seen = { phase: row.phase, strong: state[row.phase], one: [], two: [], acts: ['cancel'], ...PHASES[row.phase](row, row.job?.progress || {}, this) };
		const { phase } = seen;
		set(node, 'data-phase', phase);
		const title = nameOfRow(row);
		if (title !== name.title) {
			name.title = title;
			splitName(title).forEach((part, i) => put(name.firstChild.children[i], part));
		}
		put(number.firstChild, seen.number || '');
		put(number.lastChild, seen.number ? `\xa0${seen.unit || '%'}` : '');
		this.say(seen);
		const [look, ...texts] = seen.note || [];
		note.hidden = !look && !texts[0];
		set(note, 'class', `note ${look}`);
		[0, 1].forEach((i) => put(note.children[i], texts[i] || ''));
		setIcon(this.idle.firstChild, phase !== 'paused' ? LEADS[phase] || 'clock' : /offline|away/.test(blocked()) ? 'off' : 'pause');
		this.play(phase === 'done', title);
		this.offer(seen, title);
		const wave = { held: row.job && !isHere(row) ? 1 : row.sent / (row.bytes || 1), done: seen.done || 0, cut: seen.cut, still: phase === 'paused', unknown: seen.unknown };
		const drawn = JSON.stringify(wave);
		if (drawn !== this.drawn) this.wave.set({ ...wave, jump: !this.drawn, settle: wave.done === 1 && this.drawn });
		this.drawn = drawn;
		this.wave.onsee();
		this.speak(seen);
		this.phase = phase;
	}
	/** The status; of a finished file the phone leaves out how big it was. */
	say({ phase, strong, one, two }) {
		const [first, rest] = this.status.children;
		const [text, last] = two.filter(Boolean);
		put(first.firstChild, strong);
		put(first.lastChild, line(one) && ` · ${line(one)}`);
		rest.hidden = !text;
		put(rest.firstChild, text + (last ? ' · ' : ''));
		put(rest.lastChild, last || '');
		set(rest.firstChild, 'class', phase === 'done' && last && 'wide');
	}
	/** The progress bar's words, at most every 5 s. */
	speak({ phase, strong, number, rest = '' }) {
		const moving = /sending|storing|processing|paused/.test(phase);
		if (moving && phase === this.phase && since(this.spokenAt) < 5000) return;
		this.spokenAt = Date.now();
		const bar = { role: 'progressbar', 'aria-labelledby': this.name.id, 'aria-valuenow': number, 'aria-valuetext': number ? line([strong, `${number} percent`, rest], ', ') : strong };
		for (const [key, value] of Object.entries(bar)) set(this.frame, key, moving && value);
	}
	play(is, name) {
		const again = (patch) => { Object.assign(this, patch); this.draw(); };
		const [lead, other] = is ? [this.button, this.idle] : [this.idle, this.button];
		if (other.parentNode) other.replaceWith(lead);
		if (!is) this.track = this.track?.stop();
		else this.track ??= new Track(this.node, { name, wave: this.wave, ...playable(this.row.job), onchange: (at) => at !== this.at && again({ at }), onfail: (mute) => again({ mute }) });
	}
	/** Shows the target and the buttons that apply; focus on one that goes moves to the row. */
	offer({ phase, acts }, name) {
		const { row, chip } = this;
		const target = row.target || (row.job && targetFrom(row.job.options));
		const [format, quality] = isOver(row) || !target ? [] : nameOf(target);
		put(chip.children[0], format || '');
		put(chip.children[1], quality ? ` · ${quality}` : '');
		chip.hidden = !format;
		chip.disabled = phase !== 'line' || row.attempt > 0;
		set(chip, 'aria-label', !chip.disabled && words.target(name, line([format, quality], ' ')));
		if (chip.disabled && chip === document.activeElement) this.node.focus({ preventScroll: true });
		const key = acts + name;
		if (key === this.offered) return;
		this.offered = key;
		const shown = this.buttons.filter(({ dataset }) => acts.includes(dataset.act));
		for (const node of shown) {
			set(node, 'aria-label', `${node.textContent} ${name}`);
			if (node.dataset.act === 'download') node.href = `/download/${row.job.id}`;
		}
		const held = this.acts.contains(document.activeElement);
		this.acts.replaceChildren(...shown);
		if (held) this.node.focus({ preventScroll: true });
	}
	/** Rest of time; it starts anew with each phase and attempt. */
	left(key, seconds) {
		if (this.key !== key) this.rest = new Left();
		this.key = key;
		return this.rest.show(seconds);
	}
}
