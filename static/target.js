// Owns: the catalogue, the chosen format, quality and options, and their controls. Never: rows. Used by: row, upload/line, views.
import { send } from './api.js';
import { curlFor } from './curl.js';
import { $, button, el, put, set } from './dom.js';
import { clock, kbit, parseClock, size } from './format.js';
import { copy, dialog, toast } from './layer.js';
import { recall, remember } from './memory.js';
import { act, copied, target as words } from './words.js';

const FIRST = { default: 'mp3', formats: [{ format: 'mp3', label: 'MP3', group: 'lossy', options: [], qualities: [{ id: 'standard', label: 'Standard', options: {} }] }] };
/** What the server can make; the first-paint default until it has answered once. */
export let catalogue = recall('catalogue', FIRST);
/** The page's target {format, quality, options}; options are those changed by hand. */
export let current = settle(recall('target', {}));
const TILES = 7; // formats with a tile of their own, by the catalogue's rank
const listeners = [];
let panels = 0;
/** Called when the catalogue or the page's target has changed. */
export const onTarget = (listener) => listeners.push(listener);

/** The catalogue's entry of a format, or undefined. */
export function formatOf(format) { return catalogue.formats.find((entry) => entry.format === format); }
/** A format's name for people. */
export const labelOf = (format) => formatOf(format)?.label || (format || '').toUpperCase();
function qualityOf({ format, quality }) { return formatOf(format)?.qualities.find(({ id }) => id === quality); }
function missing({ available }) { return available === false; }
const alike = (a, b) => `${a}` === `${b}`; // a number in the catalogue is text in a field
const isPerFile = (option) => option.per_file ?? /time|text/.test(option.kind);
const general = ({ format, options }) => formatOf(format).options.filter((option) => option.name in options && !isPerFile(option));
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
export const withoutFile = (target) => ({ ...target, options: Object.fromEntries(general(target).map(({ name }) => [name, target.options[name]])) });
/** The page's target for a row that keeps its own per-file things. */
export function currentFor(target) {
	const { options } = withoutFile(target);
	const own = Object.entries(target.options).filter(([name]) => !(name in options));
	return { ...withoutFile(current), options: { ...Object.fromEntries(own), ...withoutFile(current).options } };
}
/** Fetches the catalogue. */
export async function loadCatalogue() {
	const fresh = await send('GET', '/formats');
	fresh.formats.sort((a, b) => a.rank - b.rank);
	catalogue = fresh;
	remember('catalogue', fresh);
	choose(current);
}
/** The fields an upload sends, [[name, value]]. Standard is left to the server: it knows mono from stereo. */
export const fieldsOf = (target) => Object.entries({ format: target.format, ...(target.quality !== 'standard' && qualityOf(target)?.options), ...target.options });
/** "MP3 · Standard" as its two parts; a lossless format has one. */
export function nameOf(target) {
	const own = formatOf(target.format) && general(target).length;
	return [labelOf(target.format), own ? words.own : formatOf(target.format)?.qualities.length > 1 && qualityOf(target)?.label].filter(Boolean);
}
/** What an output is, in a few words: ["MP3", "192 kbit/s"]. */
export function made({ output, options }) {
	return [labelOf(options.format || output.container), formatOf(options.format)?.group !== 'lossless' && output.bitrate_bps && kbit(output.bitrate_bps)].filter(Boolean);
}
/** The target a job or a link was made with. */
export function targetFrom({ format, ...options }) {
	const same = (quality) => Object.entries(quality.options).every(([name, value]) => alike(options[name], value));
	const found = formatOf(format)?.qualities.find(same);
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
const inWords = (quality, { options }) => Object.entries(quality.options).map(([name, value]) => options.find((option) => option.name === name)?.values?.find((one) => alike(one.value, value))?.label).filter(Boolean).join(', ');

/** Controls for a target: get() gives it, change(target) takes a new one; `tiled`: formats as tiles, the full list in the last. Returns {node, draw, open(option)}. */
export function panel(get, change, tiled) {
	const id = `t${panels += 1}`;
	const pick = (format) => change({ ...get(), format, options: {} });
	const select = el('select', { 'aria-label': tiled ? words.all : words.to, onchange: () => pick(select.value) });
	const more = el('label.tile', null, el('b'), select);
	const formats = tiled ? el('fieldset.tiles') : el('label.to', null, el('span', null, words.to), el('span.select', null, select));
	const qualities = el('fieldset.segments');
	const says = el('p.says', null, el('b'), el('span'));
	const drawer = el('div.drawer', { id, hidden: '' });
	const options = button('quiet', 'tune', act.options, () => open(), { 'aria-label': act.options, 'aria-expanded': 'false', 'aria-controls': id });
	const node = el('div.panel', null, el('div.choose', null, formats, qualities, options), says, drawer);
	let shown = [];

	const radio = (name, value, disabled, onchange, ...inside) => el('label', null, el('input', { type: 'radio', name: id + name, value, disabled: disabled ? '' : null, onchange }), ...inside);
	const check = (set, value) => { for (const input of set.querySelectorAll('input')) input.checked = input.value === value; };
	function open(name) {
		drawer.hidden = !name && !drawer.hidden;
		set(options, 'aria-expanded', !drawer.hidden);
		draw();
		if (name) drawer.querySelector(`[name="${name}"], select, input`)?.focus();
	}

	/** Rebuilds what a new catalogue or format brings, then marks what is chosen. */
	function draw() {
		const target = get();
		const entry = formatOf(target.format);
		if (shown[0] !== catalogue) drawFormats();
		if (shown[1] !== entry) {
			const label = (quality) => [el('b', null, quality.label), el('small', null, [inWords(quality, entry), quality.bytes_per_minute && words.perMinute(size(quality.bytes_per_minute))].filter(Boolean).join(' · '))];
			qualities.replaceChildren(el('legend.vh', null, words.quality), ...entry.qualities.map((quality) => radio('q', quality.id, false, () => change({ ...withoutFile(get()), quality: quality.id, options: {} }), ...label(quality))));
			drawer.replaceChildren();
		}
		shown = [catalogue, entry];
		select.value = target.format;
		check(formats, target.format);
		const outside = !tiled || catalogue.formats.indexOf(entry) >= TILES;
		more.classList.toggle('on', outside);
		put(more.firstChild, outside ? entry.label : words.more);
		const own = general(target).length > 0;
		check(qualities, own ? '' : target.quality);
		const quality = qualityOf(target);
		const what = own || !quality ? words.own : quality.id === 'lossless' ? words.lossless : inWords(quality, entry);
		put(says.firstChild, [what, entry.summary].filter(Boolean).join(', ').replace(/.$/, '$&. '));
		put(says.lastChild, own || !quality?.bytes_per_minute ? '' : words.minute(size(quality.bytes_per_minute)));
		if (!drawer.hidden) drawDrawer(target, entry);
	}

	function drawFormats() {
		const option = (entry) => el('option', { value: entry.format, disabled: missing(entry) ? '' : null }, missing(entry) ? `${entry.label} (${words.missing(entry.missing)})` : entry.label);
		const groups = Object.keys(words.groups).map((group) => el('optgroup', { label: words.groups[group] }, ...catalogue.formats.filter((entry) => entry.group === group).map(option)));
		select.replaceChildren(...groups.filter((group) => group.firstChild));
		if (!tiled) return;
		const tile = (entry) => radio('f', entry.format, missing(entry), () => pick(entry.format), el('b', null, entry.label));
		formats.replaceChildren(el('legend.vh', null, words.to), ...catalogue.formats.slice(0, TILES).map(tile), catalogue.formats[TILES] ? more : '');
	}

	function drawDrawer(target, entry) {
		if (!drawer.firstChild) {
			const code = el('code', { tabindex: 0 });
			drawer.append(el('div.options', null, ...entry.options.map(field)), el('div.keys', null,
				button('quiet', 'copy', act.curl, () => copy(code.textContent, copied.text, code)),
				button('quiet', 'link', act.link, () => copy(`${location.origin}/upload?${new URLSearchParams(fieldsOf(get()))}`, copied.link, code)),
				button('quiet', null, act.reset, () => change({ ...get(), quality: 'standard', options: {} }), { class: 'btn quiet reset' })), code);
		}
		for (const input of drawer.querySelectorAll('[name]')) {
			const { name, kind, default: usual } = entry.options.find((one) => one.name === input.name);
			const value = target.options[name] ?? qualityOf(target)?.options[name] ?? usual ?? '';
			if (kind === 'switch') input.checked = `${value}` === 'true';
			else if (input.checkValidity()) input.value = kind === 'time' && value !== '' ? clock(value) : value;
		}
		$('.reset', drawer).hidden = !Object.keys(target.options).length;
		put($('code', drawer), curlFor(fieldsOf(target)));
	}

	/** One option's field; what is not valid says what would work and changes nothing. */
	function field(option) {
		const { name, kind, values, min, max, hint, label, unit } = option;
		const fault = el('span.fault', { id: id + name });
		const props = { name, 'aria-describedby': fault.id, onchange: () => take(option, input, fault) };
		const kept = kind === 'choice' && !values.some(({ value }) => alike(value, option.default)) ? [{ value: '', label: words.keep }] : [];
		const type = { number: 'number', switch: 'checkbox' }[kind] || 'text';
		const input = kind === 'choice' ? el('select', props, ...kept.concat(values).map((one) => el('option', { value: one.value }, one.label)))
			: el('input', { ...props, type, autocomplete: 'off', ...(type === 'number' && { min, max, step: 'any' }) });
		return el(`label.field${kind === 'switch' ? '.switch' : ''}`, null, el('span', null, unit && kind === 'number' ? `${label} (${unit})` : label), kind === 'choice' ? el('span.select', null, input) : input, hint && el('small', null, hint), fault);
	}
	function take({ name, kind, default: usual }, input, fault) {
		let value = kind === 'switch' ? `${input.checked}` : input.value.trim();
		const seconds = kind === 'time' && value ? parseClock(value) : 0;
		if (kind === 'time') input.setCustomValidity(Number.isNaN(seconds) ? words.time : '');
		put(fault, input.validationMessage);
		set(input, 'aria-invalid', fault.textContent ? 'true' : null);
		if (fault.textContent) return;
		if (kind === 'time' && value) value = `${seconds}`;
		const { [name]: _, ...options } = get().options;
		if (!alike(value, qualityOf(get())?.options[name] ?? usual ?? '')) options[name] = value;
		change({ ...get(), options });
	}

	draw();
	return { node, draw, open };
}

/** The same controls in a sheet (phone) or dialog; `option` opens the drawer there. Resolves when closed. */
export function openSheet(get, change, option) {
	const controls = panel(get, (target) => { change(settle(target)); controls.draw(); }, true);
	const closed = dialog(words.to, controls.node, null, true);
	if (option) controls.open(option);
	return closed;
}
