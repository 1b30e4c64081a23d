// Owns: the drawer with long lists of options, presets, and what belongs to one file only. Used by: npm test.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { phase, row, until, world } from './harness.mjs';

let w;
before(async () => { w = await world(); });
after(() => w?.stop());

const TEXTS = ['Title', 'Artist', 'Album', 'Album artist', 'Composer', 'Genre', 'Date', 'Track', 'Disc', 'Comment'];
const OWN = [
	...['Start', 'End', 'Duration'].map((label) => ({ name: label.toLowerCase(), kind: 'time', label, hint: 'Like 1:30.', default: null })),
	...TEXTS.map((label) => ({ name: label.toLowerCase().replace(' ', '_'), kind: 'text', label, hint: 'Instead of what the source says.', default: null })),
];
const PRESETS = [
	{ name: 'voice', label: 'Voice', hint: 'Speech, small and clear.', options: { format: 'opus', channels: '1', bitrate: '32k' } },
	{ name: 'archive', label: 'Archive', hint: 'Nothing is thrown away.', options: { format: 'flac', quality: '8' } },
	{ name: 'later', label: 'Later', hint: 'Of a format that is not built.', options: { format: 'none' } },
];
/** A page whose catalogue has presets, times and texts; sent() gives the fields of the last upload, which is not let through. */
async function rich(options) {
	let sent;
	const page = await w.page({ ...options, before: async (one) => {
		await one.route('**/api/v1/formats', async (route) => {
			const answer = await route.fetch();
			const body = await answer.json();
			const names = OWN.map(({ name }) => name);
			for (const entry of body.formats) entry.options = [...entry.options.filter(({ name }) => !names.includes(name)), ...OWN];
			await route.fulfill({ json: { ...body, presets: PRESETS } });
		});
		await one.route('**/upload', (route) => {
			const request = route.request();
			if (request.method() !== 'POST') return route.fallback();
			sent = Object.fromEntries([...request.postDataBuffer().toString().matchAll(/name="(\w+)"\r\n\r\n(.*)\r\n/g)].map(([, name, value]) => [name, value]));
			return route.fulfill({ status: 415, json: { code: 'not_audio', detail: 'Not let through.' } });
		});
	} });
	await page.locator('.segments label').nth(2).waitFor();
	return { page, sent: () => sent };
}

test('a_preset_fills_the_drawer_and_is_what_is_sent', async () => {
	const { page, sent } = await rich();
	await page.getByRole('button', { name: 'Options' }).click();
	const chips = page.getByRole('group', { name: 'Presets' }).getByRole('radio');
	assert.equal(await chips.count(), 2, 'a preset of a missing format is not offered');
	await page.getByRole('radio', { name: /^Voice/ }).check();
	assert.equal(await page.getByLabel('Convert to').getByRole('combobox').first().inputValue(), 'opus');
	assert.equal(await page.getByRole('combobox', { name: /^Channels/ }).inputValue(), '1');
	assert.match(await page.locator('.says').innerText(), /^Speech, small and clear\./);
	assert.equal(await page.locator('#dock-target').textContent(), 'Opus · Voice');
	await page.setInputFiles('#pick', w.wav('preset.wav', 1));
	await phase(page, 'preset.wav', 'failed');
	assert.deepEqual(sent(), { format: 'opus', bitrate: '32k', channels: '1' });
	await page.getByRole('combobox', { name: /^Channels/ }).selectOption('keep');
	assert.equal(await chips.evaluateAll((nodes) => nodes.filter(({ checked }) => checked).length), 0, 'changed by hand it is no preset');
	await page.getByRole('radio', { name: /^Voice/ }).focus();
	await page.keyboard.press('ArrowRight');
	await page.keyboard.press('ArrowRight');
	assert.match(await page.locator('#dock-target').textContent(), /· (Voice|Archive)$/);
	assert.ok(await page.evaluate(() => document.activeElement.name === 'preset'), 'focus stays on the chips');
	await page.getByRole('button', { name: 'Reset to Standard' }).click();
	assert.doesNotMatch(await page.locator('#dock-target').textContent(), /Voice|Archive|Own/);
	assert.deepEqual(page.faults, []);
	await page.context().close();
});
test('what_belongs_to_one_file_is_folded_sent_once_and_not_remembered', async () => {
	const { page, sent } = await rich();
	await page.getByRole('button', { name: 'Options' }).click();
	const title = page.locator('[name=title]');
	assert.equal(await title.isVisible(), false);
	await page.getByText('Tags for these files').click();
	await title.fill('@One; two');
	await page.getByRole('textbox', { name: /^Start/ }).fill('0:00.5');
	await page.getByRole('textbox', { name: /^End/ }).fill('soon');
	await page.getByRole('textbox', { name: /^Duration/ }).focus();
	assert.match(await page.locator('.fault:not(:empty)').innerText(), /1:30/);
	assert.equal(await page.getByRole('textbox', { name: /^Start/ }).inputValue(), '0:00.5', 'no part of a second is lost');
	assert.match(await page.locator('.segments').getByRole('radio', { checked: true }).inputValue(), /standard/, 'a quality stays a quality');
	assert.match(await page.locator('.drawer code').innerText(), /--form-string 'title=@One; two'/);
	await page.getByRole('radio', { name: /^Best/ }).check();
	await page.getByLabel('Convert to').getByRole('combobox').first().selectOption('flac');
	assert.equal(await title.inputValue(), '@One; two', 'a change of format keeps it');
	await page.setInputFiles('#pick', w.wav('texts.wav', 1));
	await phase(page, 'texts.wav', 'failed');
	assert.deepEqual(sent(), { format: 'flac', start: '0:00.5', title: '@One; two' });
	assert.equal(await title.inputValue(), '', 'the next files begin anew');
	assert.doesNotMatch(await page.evaluate(() => localStorage['am.target']), /One|start/);
	await page.context().close();
});
test('the_sheet_keeps_done_in_sight_and_nothing_scrolls_sideways', async () => {
	for (const width of [320, 390]) {
		const { page } = await rich({ viewport: { width, height: 700 } });
		await page.setInputFiles('#pick', w.wav('long sheet.wav', 1));
		await page.locator('#dock-to').click();
		const sheet = page.getByRole('dialog');
		await sheet.getByRole('button', { name: 'Options' }).click();
		await sheet.getByText('Tags for these files').click();
		await sheet.getByLabel('Comment').scrollIntoViewIfNeeded();
		const done = await sheet.getByRole('button', { name: 'Done' }).boundingBox();
		assert.ok(done.y >= 0 && done.y + done.height <= 700);
		assert.ok(await sheet.evaluate((node) => node.scrollWidth <= node.clientWidth));
		const small = await sheet.locator('input:visible, select:visible, summary').evaluateAll((nodes) => nodes.filter((node) => node.type !== 'checkbox' && node.offsetHeight < 42).map((node) => node.outerHTML));
		assert.deepEqual(small, []);
		await page.context().close();
	}
});
test('a_link_sets_only_what_the_catalogue_knows', async () => {
	const { page, sent } = await rich({ at: '/upload?format=mp3&title=By+link&utm_source=x&__proto__=y' });
	await page.getByText('Set by a link.').waitFor();
	await page.setInputFiles('#pick', w.wav('link.wav', 1));
	await phase(page, 'link.wav', 'failed');
	assert.deepEqual(sent(), { format: 'mp3', title: 'By link' });
	await page.context().close();
});
test('the_catalogue_is_asked_again_when_it_did_not_come', async () => {
	let away = true;
	const page = await w.page({ before: async (one) => {
		await one.addInitScript(() => localStorage.clear());
		await one.route('**/api/v1/formats', (route) => (away ? route.abort() : route.fallback()));
	} });
	assert.equal(await page.locator('#target select option').count(), 1);
	away = false;
	await until(async () => await page.locator('#target select option').count() > 5, 'the formats', 9000);
	await page.context().close();
});
