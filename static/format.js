// Owns: sizes, times, speeds and errors as people read them. Never: state, DOM. Used by: row, target, views.
import * as words from './words.js';

const unitOf = (bytes) => [[1e9, 'GB'], [1e6, 'MB'], [1e3, 'kB']].find(([scale]) => bytes >= scale) || [1, 'B'];
const digits = (value, unit) => (value >= 100 || /^k?B/.test(unit) ? Math.round(value) : value.toFixed(1));

/** "201 of 529 MB" for two amounts, "52.9 MB" for one; 1 MB is 10⁶ bytes. */
export function size(bytes, part) {
	const [scale, unit] = unitOf(bytes);
	return `${part == null ? '' : `${digits(part / scale, unit)} of `}${digits(bytes / scale, unit)}\xa0${unit}`;
}
/** Bytes a second in two digits: "6.2 MB/s". */
export function speed(rate) {
	const [scale, unit] = unitOf(rate);
	return `${(rate / scale).toFixed(rate / scale < 10 && scale > 1 ? 1 : 0)}\xa0${unit}/s`;
}
/** Seconds as "3:06" or "1:02:30". */
export function clock(seconds) {
	const [h, m, s] = [seconds / 3600, (seconds / 60) % 60, seconds % 60].map(Math.floor);
	return [...(h ? [h, `${m}`.padStart(2, 0)] : [m]), `${s}`.padStart(2, 0)].join(':');
}
/** Seconds for a screen reader: "1 minute 51 seconds". */
export const spoken = (seconds) => words.spoken(...[seconds / 3600, (seconds / 60) % 60, seconds % 60].map(Math.floor));
/** "1:30", "1:02:30" or "90" in seconds; NaN when it is none of them. */
export const parseClock = (text) => (/^\d+(:[0-5]?\d){0,2}(\.\d+)?$/.test(text) ? text.split(':').reduce((sum, part) => sum * 60 + Number(part), 0) : NaN);
/** Rest of time in words, '' for none. */
export function left(seconds) {
	if (seconds == null) return '';
	if (seconds < 5) return words.left.few;
	if (seconds < 55) return words.left.seconds(Math.round(seconds / 5) * 5);
	if (seconds < 1170) return words.left.minutes(Math.round(seconds / 60));
	const five = Math.round(seconds / 300) * 5;
	return five < 60 ? words.left.minutes(five) : words.left.hours(Math.floor(five / 60), five % 60);
}
/** "192 kbit/s". */
export const kbit = (bps) => `${Math.round(bps / 1000)}\xa0kbit/s`;
/** Whole percent downwards; one decimal when `fine`. */
export const percent = (value, fine) => (fine ? (Math.floor(value * 10) / 10).toFixed(1) : `${Math.floor(value)}`);
/** Words until a moment of deletion, '' without one. */
export function expiry(iso) {
	if (!iso) return '';
	const minutes = Math.max(1, Math.round((Date.parse(iso) - Date.now()) / 60000));
	if (minutes <= 60) return words.expiry.minutes(minutes);
	return minutes > 2880 ? words.expiry.days(Math.floor(minutes / 1440)) : words.expiry.hours(Math.floor(minutes / 60));
}
/** An error for people: {head, text, way}; `limit`: the most bytes a server takes. */
export function explain(error, limit) {
	const { head, way } = words.problem(error.code, error.position_seconds > 0 && clock(error.position_seconds), limit && size(limit));
	const made = error.status >= 500 || /^(internal|storage_failed)$/.test(error.code);
	const text = [error.message, made && error.reference && words.row.reference(error.reference)].filter(Boolean).join(' ');
	return { head, text: text === head ? '' : text, way };
}
