// Owns: what can be said of static/ without a browser: layers, bytes, contrast, openings. Used by: npm test.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { STATIC } from './harness.mjs';

const read = (file) => fs.readFileSync(path.join(STATIC, file), 'utf8');
const all = fs.readdirSync(STATIC, { recursive: true }).map(String);
const modules = all.filter((file) => file.endsWith('.js'));
const LAYERS = [
	['words', 'format', 'names', 'dom', 'memory', 'easing'],
	['api', 'session', 'store', 'announce', 'signal', 'layer'],
	['wave', 'peaks', 'player', 'curl', 'target', 'row', 'intake', 'watch', 'upload/line', 'upload/simple', 'views/words', 'views/part'],
	['views/convert', 'views/job', 'views/account', 'views/admin'],
	['main', 'early', 'login-done'],
];
// Inside a layer, and into parts from a view or the entry, only these.
const EDGES = {
	format: ['words'], session: ['api', 'layer'], player: ['wave'], target: ['curl'], row: ['wave', 'peaks', 'player', 'target', 'curl'], 'upload/line': ['upload/simple', 'target'], 'views/part': ['views/words'],
};
const imports = (file) => [...read(file).matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map(([, to]) => path.posix.join(path.posix.dirname(file), to).replace(/\.js$/, ''));
const layerOf = (name) => LAYERS.findIndex((names) => names.includes(name));

test('imports_go_down_the_layers', () => {
	for (const file of modules) {
		const name = file.replace(/\.js$/, '');
		assert.ok(layerOf(name) >= 0, `${name} is in no layer`);
		for (const to of imports(file)) {
			const down = layerOf(to) >= 0 && layerOf(to) < layerOf(name);
			assert.ok(down || EDGES[name]?.includes(to), `${name} → ${to} is not a listed edge`);
		}
	}
});
test('no_import_is_circular', () => {
	const visit = (name, trail) => {
		assert.ok(!trail.includes(name), [...trail, name].join(' → '));
		for (const to of imports(`${name}.js`)) visit(to, [...trail, name]);
	};
	visit('main', []);
});
// page.md allows 80 000 bytes, 52 000 of them JavaScript of the convert page. The source is not
// there yet; until it is, it must not grow: by no more than the views that are loaded
// when they are opened (account, admin), and what changes need to carry the CSRF token.
test('grows_no_further_from_its_budget', () => {
	const bytes = (files) => files.reduce((sum, file) => sum + fs.statSync(path.join(STATIC, file)).size, 0);
	const total = bytes(all.filter((file) => /\.(js|css)$/.test(file)));
	const convert = bytes(modules.filter((file) => !/^views\/(?!convert)/.test(file)));
	assert.ok(total <= 140200, `${total} bytes of .js and .css`);
	assert.ok(convert <= 93200, `${convert} bytes of JavaScript on the convert page`);
});
test('every_module_opens_with_owns_never_used_by', () => {
	for (const file of [...modules, 'app.css']) assert.match(read(file).split('\n')[0], /Owns: .+ Never: .+ Used by: /, file);
});
test('nothing_in_the_source_needs_a_looser_policy', () => {
	for (const file of modules) assert.doesNotMatch(read(file), /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|https?:\/\/(?!www\.w3\.org)/, file);
	for (const file of ['index.html', 'login.html', 'done.html']) assert.doesNotMatch(read(file), /\sstyle=|<style|\son\w+=|<script(?![^>]+src=)/, file);
	assert.doesNotMatch(read('app.css'), /(margin|padding|border)-(left|right)|[^-](left|right):/);
});

const luminance = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
const ratio = (a, b) => { const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y); return (high + 0.05) / (low + 0.05); };
test('contrast_of_every_token_pair_is_as_the_table_says', () => {
	const [light, dark] = read('app.css').split('@media (prefers-color-scheme: dark)').map((part) => Object.fromEntries([...part.matchAll(/--([\w-]+): (#[0-9A-F]{6})/g)].map(([, name, value]) => [name, value])));
	const pairs = [
		['ink', 'paper', 15.40, 15.62], ['ink', 'card', 16.75, 14.28], ['ink', 'sunk', 14.28, 16.07], ['ink-2', 'paper', 6.39, 8.20], ['ink-2', 'card', 6.95, 7.50], ['ink-2', 'sunk', 5.92, 8.44],
		['edge', 'card', 3.88, 3.95], ['edge', 'paper', 3.56, 4.32], ['wave-1', 'card', 3.42, 3.53], ['wave-1', 'paper', 3.15, 3.86], ['accent', 'card', 6.15, 8.73], ['accent', 'paper', 5.66, 9.55], ['accent', 'tint', 5.26, 7.21],
		['on-accent', 'accent', 6.15, 8.63], ['on-accent', 'accent-2', 8.12, 10.09], ['play', 'card', 5.06, 9.53], ['danger', 'card', 6.54, 7.56], ['danger', 'danger-tint', 5.66, 7.14], ['warn', 'card', 5.93, 9.07], ['warn', 'warn-tint', 5.28, 8.07],
		['focus', 'paper', 5.87, 8.98], ['focus', 'card', 6.39, 8.22],
	];
	for (const [over, under, ...wanted] of pairs) {
		[light, dark].forEach((tokens, i) => assert.ok(Math.abs(ratio(tokens[over], tokens[under]) - wanted[i]) < 0.02, `${over} on ${under}: ${ratio(tokens[over], tokens[under]).toFixed(2)}, the table says ${wanted[i]}`));
	}
});
