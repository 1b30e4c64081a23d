// Owns: the shapes of jobs' sounds, asked for while in sight. Never: painting. Used by: row, views/job.
import { send } from './api.js';

/** Gives `wave` the shape of a job's sound: of a finished one once, of a running one as it grows. */
export function shape(wave, { id, status, planned, input, output }) {
	const done = status === 'done';
	if (!wave.visible || wave.shaped || !(done || status === 'processing') || (output || planned)?.copied || (wave.phase === status && Date.now() - wave.asked < 1000)) return;
	[wave.phase, wave.asked] = [status, Date.now()];
	send('GET', `/jobs/${id}/waveform?points=480`).then(({ data, length, sample_rate: rate, samples_per_pixel: step }) => {
		if (wave.phase !== status) return; // asked while it ran, answered after the whole was asked for
		wave.set({ peaks: data, points: (!done && input.duration_seconds * rate / step) || length });
		wave.shaped = done;
	}, ({ status: code }) => { wave.shaped = done && code === 404; });
}
