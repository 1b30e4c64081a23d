// Owns: the catalogue, the chosen format, quality and options, and their controls. Never: rows. Used by: row, upload/line, views.
import { send } from './api.js';
import { curlFor } from './curl.js';
import { $, clone, el, put, set } from './dom.js';
import { clock, line, parseClock, size } from './format.js';
import { ask, copy, toast } from './layer.js';
import { recall, remember } from './memory.js';
import { act, copied, target as words } from './words.js';

const FIRST = { default: 'mp3', formats: [{ format: 'mp3', label: 'MP3', group: 'lossy', options: [], qualities: [{ id: 'standard', label: 'Standard', options: {} }] }] };
/** What the server can make; the first-paint default until it has answered once. */
export let catalogue = recall('catalogue', FIRST);
/** The page's target {format, quality, options}; options are those changed by hand. */
export let current = settle(recall('target', {}));
const TILES = 7; // formats with a tile of their own, by the catalogue's rank
const listeners = [];
/** Called when the catalogue or the page's target has changed. */
export const onTarget = (listener) => listeners.push(listener);

function formatOf(format) { return catalogue.formats.find((entry) => entry.format === format); }
export const labelOf = (format) => formatOf(format)?.label || (format || '').toUpperCase();
function qualityOf({ format, quality }) { return formatOf(format)?.qualities.find(({ id }) => id === quality); }
function missing({ available }) { return available === false; }
const alike = (a, b) => `${a}` === `${b}`; // a number in the catalogue is text in a field
const usual = (target, { name, default: value }) => qualityOf(target)?.options[name] ?? value ?? '';
/** The nearest target this server can make. */
function settle({ format, quality, options = {} }) {
	const known = formatOf(format);
	const entry = known && !missing(known) ? known : formatOf(catalogue.default) || catalogue.formats[0];
	const found = [quality, 'standard', entry.qualities[0]?.id].find((id) => qualityOf({ format: entry.format, quality: id }));
	return { format: entry.format, quality: found, options: entry === known ? options : {} };
}

/** Sets the page's target and remembers it, but for per-file things. */
export function choose(target) {
	current = settle(target);
	remember('target', withoutFile(current));
	listeners.forEach((listener) => listener());
}
/** The same target without what belongs to one file only. */
export function withoutFile(target) {
	const isGeneral = ({ name, kind, per_file: own = /time|text/.test(kind) }) => name in target.options && !own;
	return { ...target, options: Object.fromEntries((formatOf(target.format)?.options || []).filter(isGeneral).map(({ name }) => [name, target.options[name]])) };
}
const isOwn = (target) => Object.keys(withoutFile(target).options).length > 0;
/** The page's target for a row that keeps its own per-file things. */
export function currentFor(target) {
	const { options } = withoutFile(target);
	const own = Object.entries(target.options).filter(([name]) => !(name in options));
	return { ...withoutFile(current), options: { ...Object.fromEntries(own), ...withoutFile(current).options } };
}
export async function loadCatalogue() {
	catalogue = await send('GET', '/formats');
	catalogue.formats.sort((a, b) => a.rank - b.rank);
	remember('catalogue', catalogue);
	choose(current);
}
/** The fields an upload sends. Standard is left to the server: it knows mono from stereo. */
export const fieldsOf = (target) => ({ format: target.format, ...(target.quality !== 'standard' && qualityOf(target)?.options), ...target.options });
/** "MP3 · Standard" as its two parts; a lossless format has one. */
export function nameOf(target) {
	const { qualities = [] } = formatOf(target.format) || {};
	return [labelOf(target.format), isOwn(target) ? words.own : qualities.length > 1 && qualityOf(target)?.label].filter(Boolean);
}
/** What an output is, in a few words: "MP3 192 kbit/s". */
export function made({ output, options: { format = output.container } }) {
	return line([labelOf(format), formatOf(format)?.group !== 'lossless' && output.bitrate_bps && `${Math.round(output.bitrate_bps / 1000)}\xa0kbit/s`], ' ');
}
/** What a player needs of a finished job. */
export const playable = ({ id, output, options }) => ({ url: `/download/${id}`, seconds: output.duration_seconds || 1, mime: formatOf(options.format)?.mime_type || 'audio/mpeg' });
/** The target a job or a link was made with. */
export function targetFrom({ format, ...options }) {
	const found = formatOf(format)?.qualities.find((quality) => Object.entries(quality.options).every(([name, value]) => alike(options[name], value)));
	const rest = Object.entries(options).filter(([name, value]) => value != null && !alike(found?.options[name], value));
	return { format, quality: found?.id ?? 'standard', options: Object.fromEntries(rest) };
}
/** Takes the target from the address (?format=…), with Undo. */
export function fromAddress() {
	const query = Object.fromEntries(new URLSearchParams(location.search));
	if (!formatOf(query.format)) return;
	const before = current;
	choose(targetFrom(query));
	toast(words.byLink, act.undo, (acted) => acted && choose(before));
}

/** A quality in its options' own words: "192 kbit/s". */
const inWords = (quality, { options }) => line(Object.entries(quality.options).map(([name, value]) => options.find((option) => option.name === name)?.values?.find((one) => alike(one.value, value))?.label), ', ');
const radio = (name, value, disabled, ...inside) => el('label', null, el('input', { type: 'radio', name, value, disabled }), ...inside);
function field(option) {
	const { name, kind, values, min, max, hint, label, unit } = option;
	const kept = kind === 'choice' && !values.some(({ value }) => alike(value, option.default)) ? [{ value: '', label: words.keep }] : [];
	const type = { number: 'number', switch: 'checkbox' }[kind] || 'text';
	const input = kind === 'choice' ? el('span.select', null, el('select', { name }, ...kept.concat(values).map((one) => el('option', { value: one.value }, one.label))))
		: el('input', { name, type, min, max, step: 'any', autocomplete: 'off' });
	return el(`label.field${kind === 'switch' ? ' switch' : ''}`, null, el('span', null, unit && kind === 'number' ? `${label} (${unit})` : label), input, hint && el('small', null, hint), el('span.fault'));
}

/** Controls for a target: get() gives it, change(target) takes a new one; `tiled`: formats as tiles, the full list in the last. */
export function panel(get, change, tiled) {
	const node = clone('panel').firstChild;
	const part = (selector) => $(selector, node);
	part(tiled ? '.to' : '.tiles').remove();
	const [drawer, code] = [part('.drawer'), part('code')];
	const pick = (patch) => change({ ...get(), options: {}, ...patch });
	let [drawn, shown] = [];
	node.onchange = ({ target: input }) => {
		const { name, value } = input;
		if (name === 'to') pick({ format: value });
		else if (name === 'grade') pick({ quality: value });
		else take(input, formatOf(get().format).options.find((option) => option.name === name));
	};
	part('.open').onclick = () => open();
	part('.reset').onclick = () => pick({ quality: 'standard' });
	part('.curl').onclick = () => copy(code.textContent, copied.text, code);
	part('.link').onclick = () => copy(`${location.origin}/upload?${new URLSearchParams(fieldsOf(get()))}`, copied.link, code);

	function open() {
		drawer.hidden = !drawer.hidden;
		set(part('.open'), 'aria-expanded', !drawer.hidden || 'false');
	}
	/** Takes over a field; what is not valid says what would work and changes nothing. */
	function take(input, option) {
		const { name, kind } = option;
		let value = kind === 'switch' ? input.checked : input.value.trim();
		if (kind === 'time') {
			const seconds = value && parseClock(value);
			input.setCustomValidity(Number.isNaN(seconds) ? words.time : '');
			value = seconds;
		}
		const { validationMessage: fault } = input;
		put($('.fault', input.closest('label')), fault);
		set(input, 'aria-invalid', fault !== '');
		if (fault) return;
		const { [name]: _, ...options } = get().options;
		pick({ options: alike(value, usual(get(), option)) ? options : { ...options, [name]: `${value}` } });
	}
	/** Rebuilds what a new catalogue or format brings, then marks what is chosen. */
	function draw() {
		const target = get();
		const entry = formatOf(target.format);
		const quality = qualityOf(target);
		if (drawn !== catalogue) drawFormats();
		if (shown !== entry) {
			part('.segments').replaceChildren(...entry.qualities.map((one) => radio('grade', one.id, false, el('b', null, one.label), el('small', null, line([inWords(one, entry), one.bytes_per_minute && `${size(one.bytes_per_minute)}/min`])))));
			part('.options').replaceChildren(...entry.options.map(field));
		}
		[drawn, shown] = [catalogue, entry];
		const own = isOwn(target) || !quality;
		for (const input of node.elements) {
			const { name, type } = input;
			const option = entry.options.find((one) => one.name === name);
			const value = { to: target.format, grade: own ? '' : target.quality }[name] ?? target.options[name] ?? (option && usual(target, option));
			if (type === 'radio') input.checked = input.value === value;
			else if (type === 'checkbox') input.checked = alike(value, true);
			else if (name && input.validity.valid) input.value = option?.kind === 'time' && value !== '' ? clock(value) : value;
		}
		const more = part('.more');
		if (more) {
			const outside = catalogue.formats.indexOf(entry) >= TILES;
			more.hidden = !catalogue.formats[TILES];
			more.classList.toggle('on', outside);
			put(more.lastChild, outside ? entry.label : words.more);
		}
		const what = own ? words.own : quality.id === 'lossless' ? words.lossless : inWords(quality, entry);
		const [says, rate] = part('.says').children;
		put(says, line([what, entry.summary], ', ').replace(/.$/, '$&. '));
		put(rate, own || !quality.bytes_per_minute ? '' : words.minute(size(quality.bytes_per_minute)));
		part('.reset').hidden = !Object.keys(target.options).length;
		put(code, curlFor(fieldsOf(target)));
	}
	function drawFormats() {
		const { formats } = catalogue;
		const option = (entry) => el('option', { value: entry.format, disabled: missing(entry) }, entry.label + (missing(entry) ? ` (${words.missing(entry.missing)})` : ''));
		const groups = Object.entries(words.groups).map(([group, label]) => el('optgroup', { label }, ...formats.filter((entry) => entry.group === group).map(option)));
		part('select').replaceChildren(...groups.filter((group) => group.firstChild));
		if (tiled) part('.tiles').replaceChildren(part('legend'), ...formats.slice(0, TILES).map((entry) => radio('to', entry.format, missing(entry), el('b', null, entry.label))), part('.more'));
	}
	draw();
	return { node, draw, open };
}

/** The same in a sheet (phone) or dialog, with open drawer for `options`; resolves when closed. */
export function openSheet(get, change, options) {
	const controls = panel(get, (target) => { change(settle(target)); controls.draw(); }, true);
	$('#sheet').lastChild.replaceChildren(controls.node);
	const closed = ask('sheet');
	if (options) {
		controls.open();
		$('.field :is(input, select)', controls.node)?.focus();
	}
	return closed;
}
