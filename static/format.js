// Owns: sizes, times, speeds and errors as people read them. Never: state, DOM. Used by: row, target, views.
import * as words from './words.js';

const unitOf = (bytes) => [[1e9, 'GB'], [1e6, 'MB'], [1e3, 'kB']].find(([scale]) => bytes >= scale) || [1, 'B'];
const digits = (value, unit) => value.toFixed(value < 100 && /M|G/.test(unit) ? 1 : 0);
const parts = (seconds) => [seconds / 3600, (seconds / 60) % 60, seconds % 60].map(Math.floor);

export const line = (texts, glue = ' · ') => texts.filter(Boolean).join(glue);
/** "201 of 529 MB" for two amounts, "52.9 MB" for one; 1 MB is 10⁶ bytes. */
export function size(bytes, part) {
	const [scale, unit] = unitOf(bytes);
	return `${part == null ? '' : `${digits(part / scale, unit)} of `}${digits(bytes / scale, unit)}\xa0${unit}`;
}
/** "6.2 MB/s". */
export function speed(rate) {
	const [scale, unit] = unitOf(rate);
	return `${(rate / scale).toFixed(rate / scale < 10 && scale > 1 ? 1 : 0)}\xa0${unit}/s`;
}
/** "3:06" or "1:02:30". */
export const clock = (seconds) => parts(seconds).join(':').replace(/:(?=\d(:|$))/g, ':0').replace(/^0:0?(?=\d+:)/, '');
/** "1 minute 51 seconds". */
export const spoken = (seconds) => line(parts(seconds).map((n, i) => n && words.count(n, ['hour', 'minute', 'second'][i])), ' ') || '0 seconds';
/** Seconds of "1:30" or "90", else NaN. */
export const parseClock = (text) => (/^\d+(:[0-5]?\d){0,2}(\.\d+)?$/.test(text) ? text.split(':').reduce((sum, part) => sum * 60 + Number(part), 0) : NaN);
export function left(seconds) {
	if (seconds == null) return '';
	const [few, about] = words.left;
	if (seconds < 5) return few;
	if (seconds < 55) return about(`${Math.round(seconds / 5) * 5}\xa0s`);
	const minutes = seconds < 1170 ? Math.round(seconds / 60) : Math.round(seconds / 300) * 5;
	return about(line([minutes >= 60 && `${Math.floor(minutes / 60)}\xa0h`, minutes % 60 && `${minutes % 60}\xa0min`], '\xa0'));
}
/** Whole percent downwards; one decimal when `fine`. */
export const percent = (value, fine) => (fine ? (Math.floor(value * 10) / 10).toFixed(1) : `${Math.floor(value)}`);
export function expiry(iso) {
	if (!iso) return '';
	const minutes = Math.max(1, Math.round((Date.parse(iso) - Date.now()) / 6e4));
	const [days, hours] = [Math.floor(minutes / 1440), Math.floor(minutes / 60)];
	return words.expiry(minutes > 2880 ? words.count(days, 'day') : minutes > 60 ? `${hours}\xa0h` : `${minutes}\xa0min`);
}
/** An error for people; `limit`: the most bytes a server takes. */
export function explain(error, limit) {
	const { code, message, reference, position_seconds: at } = error || {};
	const { head, way } = words.problem(code, at > 0 && clock(at), limit && size(limit));
	const text = line([message, way === 'again' && reference && words.row.reference(reference)], ' ');
	return { head, text: text === head ? '' : text, way };
}
