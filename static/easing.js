// Owns: numbers that change calmly: edges, speeds, the rest of time. Never: DOM. Used by: wave, row, upload/line, views.

/** x after `time` on its way to a target with time constant `tau`. */
export const toward = (x, target, time, tau) => x + (target - x) * (1 - Math.exp(-time / tau));
/** A speed a second from a growing amount: means of one-second samples, smoothed over 5 s. */
export class Rate {
	push(amount, now = performance.now()) {
		if (!(amount >= this.amount)) [this.amount, this.at] = [amount, now];
		const span = (now - this.at) / 1000;
		if (span < 1) return this.value;
		const sample = (amount - this.amount) / span;
		this.value = toward(this.value ?? sample, sample, span, 5);
		[this.amount, this.at] = [amount, now];
		return this.value;
	}
}
/** The rest of time: changes once a second, rises only after 3 s of a quarter more. */
export class Left {
	show(seconds, now = performance.now()) {
		if (!(seconds > this.value * 1.25)) this.high = now;
		const may = this.value == null || (now - this.at >= 1000 && (seconds <= this.value || now - this.high >= 3000));
		if (may && Number.isFinite(seconds)) [this.value, this.at, this.high] = [seconds, now, now];
		return this.value;
	}
}
