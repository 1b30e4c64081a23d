// Owns: the catalogue, the chosen format, quality and options, and their controls. Never: rows. Used by: row, upload/line, views.
import { send } from './api.js';
import { curlFor } from './curl.js';
import { $, clone, el, put, set } from './dom.js';
import { line, parseClock, size } from './format.js';
import { ask, copy, toast } from './layer.js';
import { recall, remember } from './memory.js';
import { act, copied, target as words } from './words.js';

const FIRST = { default: 'mp3', formats: [{ available: true, format: 'mp3', label: 'MP3', group: 'lossy', options: [], qualities: [{ id: 'standard', label: 'Standard', options: {} }] }] };
/** What the server can make, or the first-paint default. */
export let catalogue = recall('catalogue', FIRST);
/** The page's target {format, quality, options}; options are those changed by hand. */
export let current = settle(recall('target', {}));
const TILES = 7; // formats with a tile of their own, by the catalogue's rank
const listeners = [];
export const onTarget = (listener) => listeners.push(listener);

function formatOf(format) { return catalogue.formats.find((entry) => entry.format === format); }
export const labelOf = (format) => formatOf(format)?.label || (format || '').toUpperCase();
function qualityOf({ format, quality }) { return formatOf(format)?.qualities.find(({ id }) => id === quality); }
const alike = (a, b) => `${a}` === `${b}`; // a number in the catalogue is text in a field
const usual = (target, { name, default: value }) => qualityOf(target)?.options[name] ?? value ?? '';
/** The nearest target this server can make. */
function settle({ format, quality, options = {} }) {
	const known = formatOf(format);
	const entry = known?.available ? known : formatOf(catalogue.default) || catalogue.formats[0];
	const found = [quality, 'standard', entry.qualities[0]?.id].find((id) => qualityOf({ format: entry.format, quality: id }));
	return { format: entry.format, quality: found, options: optionsOf({ format: entry.format, options: entry === known ? options : {} }) };
}
/** A target's options that its format has; `own`: only what is, or is not, for one file. */
function optionsOf({ format, options }, own) {
	const found = formatOf(format).options.filter(({ name, kind, per_file: one = /time|text/.test(kind) }) => name in options && one === (own ?? one));
	return Object.fromEntries(found.map(({ name }) => [name, options[name]]));
}

/** Sets the page's target and remembers it, but for per-file things. */
export function choose(target) {
	current = settle(target);
	remember('target', withoutFile(current));
	listeners.forEach((listener) => listener());
}
/** The same target without what belongs to one file only. */
export const withoutFile = (target) => ({ ...target, options: optionsOf(target, false) });
export const general = (target) => JSON.stringify(withoutFile(target));
const isOwn = (target) => Object.keys(optionsOf(target, false)).length > 0;
/** The page's target for a row that keeps its own per-file things. */
export const currentFor = (target) => settle({ ...current, options: { ...optionsOf(current, false), ...optionsOf(target, true) } });
const presets = () => (catalogue.presets || []).filter(({ options: { format } }) => formatOf(format)?.available);
const presetOf = (target) => presets().find(({ options }) => general(settle(targetFrom(options))) === general(target));
export async function loadCatalogue() {
	catalogue = await send('GET', '/formats');
	catalogue.formats.sort((a, b) => a.rank - b.rank);
	remember('catalogue', catalogue);
	choose(current);
}
/** What an upload sends. Standard is the server's: it knows mono from stereo. */
export const fieldsOf = (target) => ({ format: target.format, ...(target.quality !== 'standard' && qualityOf(target)?.options), ...target.options });
/** "MP3 · Standard" as its two parts; a lossless format has one. */
export function nameOf(target) {
	const { qualities = [] } = formatOf(target.format) || {};
	return [labelOf(target.format), isOwn(target) ? presetOf(target)?.label || words.own : qualities.length > 1 && qualityOf(target)?.label].filter(Boolean);
}
/** What an output is, in a few words: "MP3 192 kbit/s". */
export function made({ output, options: { format = output.container } }) {
	return line([labelOf(format), formatOf(format)?.group !== 'lossless' && output.bitrate_bps && `${Math.round(output.bitrate_bps / 1000)}\xa0kbit/s`], ' ');
}
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

/** A quality as "192 kbit/s". */
const inWords = (quality, { options }) => line(Object.entries(quality.options).map(([name, value]) => options.find((option) => option.name === name)?.values?.find((one) => alike(one.value, value))?.label), ', ');
const radio = (name, value, disabled, ...inside) => el('label', null, el('input', { type: 'radio', name, value, disabled }), ...inside);
function field(option) {
	const { name, kind, values, min, max, hint, label, unit } = option;
	const kept = kind === 'choice' && !values.some(({ value }) => alike(value, option.default)) ? [{ value: '', label: words.keep }] : [];
	const type = { number: 'number', switch: 'checkbox' }[kind] || 'text';
	const title = kind === 'text' && hint;
	const input = kind === 'choice' ? el('span.select', null, el('select', { name }, ...kept.concat(values).map((one) => el('option', { value: one.value }, one.label))))
		: el('input', { name, type, min, max, step: 'any', autocomplete: 'off', title });
	return el(`label.field${kind === 'switch' ? ' switch' : ''}`, null, el('span', null, unit && kind === 'number' ? `${label} (${unit})` : label), input, !title && hint && el('small', null, hint), el('span.fault'));
}

/** Controls for the target that get() gives and change(target) takes; `tiled`: formats as tiles. */
export function panel(get, change, tiled) {
	const node = clone('panel').firstChild;
	const part = (selector) => $(selector, node);
	part(tiled ? '.to' : '.tiles').remove();
	const [drawer, fields, texts, code] = ['.drawer', '.options', 'details > .options', 'code'].map(part);
	const pick = ({ options, ...patch }) => change({ ...get(), ...patch, options: { ...optionsOf(get(), true), ...options } });
	let [drawn, shown] = [];
	node.onchange = ({ target: input }) => {
		const { name, value } = input;
		if (name === 'to') pick({ format: value });
		else if (name === 'grade') pick({ quality: value });
		else if (name === 'preset') pick(targetFrom(presets().find((one) => one.name === value).options));
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
	/** Takes over a field; an invalid one says what would work. */
	function take(input, option) {
		const { name, kind } = option;
		const value = kind === 'switch' ? input.checked : input.value.trim();
		if (kind === 'time') input.setCustomValidity(value && Number.isNaN(parseClock(value)) ? words.time : '');
		const { validationMessage: fault } = input;
		put($('.fault', input.closest('label')), fault);
		set(input, 'aria-invalid', fault !== '');
		if (fault) return;
		const { [name]: _, ...options } = get().options;
		const same = alike(value, usual(get(), option)) || (kind === 'number' && !value);
		change({ ...get(), options: same ? options : { ...options, [name]: `${value}` } });
	}
	/** Rebuilds what is new, then marks what is chosen. */
	function draw() {
		const target = get();
		const entry = formatOf(target.format);
		const quality = qualityOf(target);
		if (drawn !== catalogue) drawFormats();
		if (shown !== entry) {
			part('.segments').replaceChildren(...entry.qualities.map((one) => radio('grade', one.id, false, el('b', null, one.label), el('small', null, line([inWords(one, entry), one.bytes_per_minute && `${size(one.bytes_per_minute)}/min`])))));
			for (const box of [fields, texts]) box.replaceChildren(...entry.options.filter(({ kind }) => (kind === 'text') === (box === texts)).map(field));
			texts.parentNode.hidden = !texts.firstChild;
		}
		[drawn, shown] = [catalogue, entry];
		const own = isOwn(target) || !quality;
		const preset = presetOf(target);
		for (const input of node.querySelectorAll('input, select')) {
			const { name, type } = input;
			const option = entry.options.find((one) => one.name === name);
			const value = { to: target.format, grade: own ? '' : target.quality, preset: preset?.name }[name] ?? target.options[name] ?? (option && usual(target, option));
			if (type === 'radio') input.checked = input.value === value;
			else if (type === 'checkbox') input.checked = alike(value, true);
			else if (name && input.validity.valid) input.value = value;
			if (input.value && texts.contains(input)) texts.parentNode.open = true;
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
		put(says, (preset?.hint || line([what, entry.summary], ', ')).replace(/\.?$/, '. '));
		put(rate, own || !quality.bytes_per_minute ? '' : words.minute(size(quality.bytes_per_minute)));
		part('.reset').hidden = !own;
		put(code, curlFor(fieldsOf(target)));
	}
	function drawFormats() {
		const { formats } = catalogue;
		const option = (entry) => el('option', { value: entry.format, disabled: !entry.available }, entry.label + (entry.available ? '' : ` (${words.missing(entry.missing)})`));
		const groups = Object.entries(words.groups).map(([group, label]) => el('optgroup', { label }, ...formats.filter((entry) => entry.group === group).map(option)));
		part('.presets').hidden = !presets()[0];
		part('.presets').replaceChildren(part('.presets legend'), ...presets().map(({ name, label, hint }) => radio('preset', name, false, el('b', null, label), el('span.vh', null, hint))));
		part('select').replaceChildren(...groups.filter((group) => group.firstChild));
		if (tiled) part('.tiles').replaceChildren(part('legend'), ...formats.slice(0, TILES).map((entry) => radio('to', entry.format, !entry.available, el('b', null, entry.label))), part('.more'));
	}
	draw();
	return { node, draw, open };
}

/** The same in a sheet, its drawer open for `options`; resolves when closed. */
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
