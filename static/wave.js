// Owns: painting recordings as columns, one frame loop for all. Never: state of jobs. Used by: player, row, views.
import { colour } from './dom.js';
import { toward } from './easing.js';

const [PITCH, WIDE] = [5, 3];
const HEIGHTS = [WIDE, 6, 14, 14]; // not arrived, uploaded, converted, played
const TOKENS = ['wave-0', 'wave-1', 'accent', 'play', 'danger'];
const calm = matchMedia('(prefers-reduced-motion: reduce)');
const waves = new Map(); // canvas → painter
let colours = null;
let frame = 0;
let before = 0;

const sizes = new ResizeObserver((seen) => seen.forEach(({ target }) => waves.get(target)?.set({ width: 0 })));
const sights = new IntersectionObserver((seen) => seen.forEach(({ target, isIntersecting }) => waves.get(target)?.see(isIntersecting)), { rootMargin: '200px' });
for (const query of ['(prefers-color-scheme: dark)', '(forced-colors: active)']) {
	matchMedia(query).onchange = () => {
		colours = null;
		waves.forEach((wave) => wave.set());
	};
}
const wake = () => { frame ||= requestAnimationFrame(tick); };
function tick(now) {
	const ms = Math.min(100, now - before);
	[before, frame] = [now, 0];
	for (const wave of waves.values()) {
		if (!wave.visible || !wave.dirty) continue;
		wave.dirty = (calm.matches && now - wave.painted < 500) || wave.move(now, ms);
		if (wave.dirty) wake();
	}
}

/** An edge on its way; it arrives exactly, and never goes back slowly. */
function glide(x, to, ms) {
	const next = toward(x, to, ms, 180);
	return calm.matches || !(Math.abs(to - next) > 4e-4) ? to : next;
}

/** One recording. held, done, play: 0…1; cut: where it failed; still: paused; unknown: no length; clock: gives play. */
export class Wave {
	constructor(canvas) {
		Object.assign(this, { canvas, pen: canvas.getContext('2d'), held: 0, done: 0, heldX: 0, doneX: 0, play: 0 });
		waves.set(canvas, this);
		sizes.observe(canvas);
		sights.observe(canvas);
	}
	/** Changes what is shown; `jump` moves edges at once, `settle` lets bars settle. */
	set(patch) {
		Object.assign(this, patch, { dirty: true });
		if (patch?.jump) [this.heldX, this.doneX] = [this.held, this.done];
		wake();
	}
	/** Coming into sight is no movement: the edges stand where they belong. */
	see(visible) {
		this.visible = visible;
		if (visible) this.onsee?.();
		if (this.dirty) this.set({ jump: true, settle: false });
	}
	free() {
		waves.delete(this.canvas);
		sizes.unobserve(this.canvas);
		sights.unobserve(this.canvas);
	}
	/** Goes one frame on; true while something still moves. */
	move(now, ms) {
		this.painted = now;
		const edge = (x, to) => (x < to ? glide(x, to, ms) : to);
		if (!this.still) [this.heldX, this.doneX] = [edge(this.heldX, this.held), edge(this.doneX, this.done)];
		if (this.settle === true) this.settle = now;
		const settling = !calm.matches && now - this.settle < 320;
		this.scale = settling ? 1 - 0.06 * Math.sin((now - this.settle) / 320 * Math.PI) : 1;
		if (this.clock) this.play = this.clock();
		const shining = this.unknown && !calm.matches && !this.still;
		this.light = shining ? now / 2600 % 1.2 - 0.1 : 9;
		this.paint();
		return !this.still && (settling || shining || Boolean(this.clock) || this.heldX !== this.held || this.doneX !== this.done);
	}
	/** Kind and height of the column at t (0…1). */
	column(t) {
		if (this.unknown) return [Math.abs(t - this.light) < 0.06 ? 2 : 0, WIDE];
		const kind = t < this.play ? 3 : t <= this.doneX ? 2 : t <= this.heldX ? 1 : 0;
		return [kind, (kind > 1 && this.peak(t) || HEIGHTS[kind]) * (kind > 1 ? this.scale : 1)];
	}
	/** Height of the loudest point of the column at t, once its sound is known: silence is a dot. */
	peak(t) {
		const { peaks = [], points, count, height } = this;
		const from = Math.floor((t - 0.5 / count) * points + 1e-6);
		const part = peaks.slice(2 * from, 2 * Math.max(from + 1, Math.floor((t + 0.5 / count) * points)));
		return part.length && Math.max(WIDE, (Math.max(...part.map(Math.abs)) / 128) ** 0.6 * height);
	}
	paint() {
		const { canvas, pen } = this;
		if (!this.width) {
			[this.width, this.height] = [canvas.clientWidth, canvas.clientHeight];
			[canvas.width, canvas.height] = [this.width * devicePixelRatio, this.height * devicePixelRatio];
			pen.scale(devicePixelRatio, devicePixelRatio);
		}
		colours ||= TOKENS.map(colour);
		const { width, height } = this;
		pen.clearRect(0, 0, width, height);
		const count = this.count = Math.floor((width + PITCH - WIDE) / PITCH);
		const paths = HEIGHTS.map(() => new Path2D());
		for (let i = 0; i < count; i += 1) {
			const [kind, tall] = this.column((i + 0.5) / count, i);
			paths[kind].roundRect(i * PITCH, (height - tall) / 2, WIDE, tall, WIDE / 2);
		}
		paths.forEach((path, kind) => {
			pen.fillStyle = colours[kind];
			pen.fill(path);
		});
		if (this.play) pen.fillRect(this.play * width - 1, 0, 2, height);
		if (this.cut == null) return;
		const x = Math.max(6, Math.min(width - 6, this.cut * width));
		pen.clearRect(x - 9, 0, 18, height);
		[pen.strokeStyle, pen.lineWidth, pen.lineCap] = [colours[4], 2, 'round'];
		pen.stroke(new Path2D(`M${x - 6} ${height / 2 - 6}l12 12m0-12l-12 12`));
	}
}

/** The seed line: the same grains with a swell (0…1) around `at`. */
export class Seed extends Wave {
	move(now, ms) {
		[this.swellX, this.atX] = [glide(this.swellX, this.swell, ms), glide(this.atX, this.at, ms)];
		this.paint();
		return this.swellX !== this.swell || this.atX !== this.at;
	}
	column(t, i) {
		const away = (t - this.atX) * this.width / Math.min(110 + 150 * this.swellX, this.width / 4);
		const grain = 0.5 + 0.5 * Math.abs(Math.sin(i * 1.7) * Math.cos(i * 0.61) + 0.35 * Math.sin(i * 0.23));
		const rise = Math.exp(-away * away) * grain * this.swellX;
		const kind = rise > 0.1 ? 2 : rise > 0.02 ? 1 : 0;
		return [kind, kind ? Math.max(6, Math.min(this.height, rise * this.height)) : WIDE];
	}
}
