// Owns: percents, titles, endings, the player. Used by: npm test.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, before, test } from 'node:test';
import { drop, phase, row, until, wav, world } from './harness.mjs';

let w;
before(async () => { w = await world({ MAX_UPLOAD_BYTES: '500000000' }); });
after(() => w?.stop());

/** Notes each number a row shows, with its phase, as it is painted. */
const record = (page) => page.evaluate(() => {
	window.seen = [];
	new MutationObserver(() => {
		for (const one of document.querySelectorAll('.row')) {
			const [name, phase, number] = [one.querySelector('h3').title, one.dataset.phase, one.querySelector('.number b').textContent];
			const last = window.seen.findLast((entry) => entry[0] === name);
			if (!last || last[1] !== phase || last[2] !== number) window.seen.push([name, phase, number]);
		}
	}).observe(document.querySelector('#rows'), { subtree: true, childList: true, characterData: true, attributes: true });
});

test('percent_rises_in_five_steps_and_never_falls', { timeout: 120000 }, async () => {
	const page = await w.page();
	await record(page);
	const seconds = 12 * 60;
	const files = ['rise 1.wav', 'rise 2.wav', 'rise 3.wav'].map((name, i) => wav(`${w.files}/${name}`, seconds, 300 + i * 100, 44100));
	await drop(page, files);
	for (const i of [1, 2, 3]) await phase(page, `rise ${i}.mp3`, 'done', 100000);
	const seen = await page.evaluate(() => window.seen);
	for (const i of [1, 2, 3]) {
		for (const step of ['sending', 'processing']) {
			const numbers = seen.filter(([name, at, number]) => name === `rise ${i}.wav` && at === step && number).map(([, , number]) => Number(number));
			assert.deepEqual(numbers, [...numbers].sort((a, b) => a - b), `${step} ${i}: ${numbers}`);
			assert.ok(step === 'sending' || new Set(numbers).size >= 5, `${step} ${i} showed ${numbers}`);
		}
	}
	for (const link of await page.locator('a[download]').all()) {
		const length = await link.evaluate((node) => new Promise((resolve, reject) => {
			const audio = new Audio(node.href);
			audio.onloadedmetadata = () => resolve(audio.duration);
			audio.onerror = () => reject(new Error('the download does not play'));
		}));
		assert.ok(Math.abs(length - seconds) < 0.2, `${length} s instead of ${seconds}`);
	}
	assert.deepEqual(page.faults, []);
	await page.context().close();
});
test('number_bar_title_and_valuetext_agree', async () => {
	const page = await w.page();
	await page.route('**/api/v1/jobs?*', async (route) => {
		const answer = await route.fetch({ headers: { ...route.request().headers(), 'if-none-match': '' } });
		const body = await answer.json();
		for (const job of body.jobs) Object.assign(job, { input: { ...job.input, duration_seconds: 2 }, status: 'processing', started_at: new Date(Date.now() - 9000).toISOString(), completed_at: null, output: null, progress: { percent: 62.4, stage: 'decoding', attempt: 1, position_seconds: 1, speed: 96, eta_seconds: 25, frames_decoded: 5 } });
		await route.fulfill({ json: body });
	});
	await page.setInputFiles('#pick', w.wav('agree.wav', 2));
	await phase(page, 'agree.wav', 'processing');
	const bar = row(page, 'agree.wav').getByRole('progressbar');
	await until(async () => await bar.getAttribute('aria-valuenow') === '62', 'valuenow', 8000);
	assert.equal(await row(page, 'agree.wav').locator('.number').innerText(), '62\xa0%');
	assert.equal(await bar.getAttribute('aria-valuetext'), 'Converting, 62 percent, about 25\xa0s left');
	assert.match(await row(page, 'agree.wav').locator('.status').innerText(), /Converting · about 25\s*s left\s*0:01 of 0:02 · 96× real time/);
	await until(async () => /^\d+\s% · \d+\sfiles? – audiomill$/.test(await page.title()), 'the title');
	await page.context().close();
});
test('length_unknown_shows_no_number', async () => {
	const page = await w.page();
	await page.route('**/api/v1/jobs?*', async (route) => {
		const answer = await route.fetch({ headers: { ...route.request().headers(), 'if-none-match': '' } });
		const body = await answer.json();
		for (const job of body.jobs) Object.assign(job, { status: 'processing', started_at: new Date(Date.now() - 9000).toISOString(), output: null, progress: { percent: null, stage: 'decoding', attempt: 1, position_seconds: 84, speed: 90, eta_seconds: null, frames_decoded: 5 } });
		await route.fulfill({ json: body });
	});
	await page.setInputFiles('#pick', w.wav('endless.wav', 2));
	await phase(page, 'endless.wav', 'processing');
	assert.equal(await row(page, 'endless.wav').locator('.number').innerText(), '');
	assert.match(await row(page, 'endless.wav').locator('.status').innerText(), /Converting · 1:24 done\s*length unknown/);
	await page.context().close();
});
test('real_peaks_are_drawn_at_their_place', async () => {
	const page = await w.page();
	// A second of silence, a second of half, a second of full scale.
	const file = w.wav('steps.wav', 3);
	const bytes = fs.readFileSync(file);
	const samples = bytes.length - 44;
	for (let at = 0; at < samples / 2; at += 1) bytes.writeInt16LE(Math.round(Math.sin(at / 3) * [0, 16383, 32767][Math.floor(at / (samples / 6))]), 44 + at * 2);
	fs.writeFileSync(file, bytes);
	await page.setInputFiles('#pick', file);
	await phase(page, 'steps.mp3', 'done');
	const canvas = row(page, 'steps.mp3').locator('canvas');
	// How tall what is drawn is, in the middle of each third.
	const heights = () => canvas.evaluate((node) => [1 / 6, 3 / 6, 5 / 6].map((t) => {
		const { data, width, height } = node.getContext('2d').getImageData(0, 0, node.width, node.height);
		const tall = (x) => [...Array(height).keys()].filter((y) => data[(y * width + x) * 4 + 3] > 60).length;
		const middle = Math.round(t * width);
		return Math.max(...[-3, -2, -1, 0, 1, 2, 3].map((by) => tall(middle + by))) / height;
	}));
	await until(async () => (await heights())[2] > 0.9, 'a loud end is drawn as high as the row');
	const [silent, half, full] = await heights();
	assert.ok(silent < 0.2, `silence is a dot: ${silent}`);
	assert.ok(half > 0.55 && half < 0.78, `half of full scale, to the power of 0.6: ${half}`);
	assert.ok(full > 0.9, `full scale: ${full}`);
	await page.context().close();
});
test('a_shape_asked_for_while_it_ran_does_not_stand_for_the_whole', async () => {
	const page = await w.page();
	let [asked, late] = [0, false];
	await page.route('**/waveform?*', async (route) => {
		const answer = await route.fetch();
		if ((asked += 1) > 1) return route.fulfill({ response: answer });
		// Of the running job: nothing yet, and told after the shape of the whole.
		await until(() => asked > 1, 'the whole is asked for as soon as the job is done');
		await route.fulfill({ json: { ...(await answer.json()), data: [], length: 0 } });
		late = true;
	});
	await page.route('**/api/v1/jobs?*', async (route) => {
		const answer = await route.fetch({ headers: { ...route.request().headers(), 'if-none-match': '' } });
		const body = await answer.json();
		if (!asked) for (const job of body.jobs) Object.assign(job, { status: 'processing', started_at: new Date().toISOString(), output: null });
		await route.fulfill({ json: body });
	});
	const loud = w.wav('whole.wav', 3);
	const bytes = fs.readFileSync(loud);
	for (let at = 44; at < bytes.length; at += 2) bytes.writeInt16LE(Math.round(Math.sin(at / 6) * 32767), at);
	fs.writeFileSync(loud, bytes);
	await page.setInputFiles('#pick', loud);
	await phase(page, 'whole.mp3', 'done');
	const tall = () => row(page, 'whole.mp3').locator('canvas').evaluate((node) => {
		const { data, width, height } = node.getContext('2d').getImageData(0, 0, node.width, node.height);
		return [...Array(height).keys()].filter((y) => [...Array(width).keys()].some((x) => data[(y * width + x) * 4 + 3] > 60)).length / height;
	});
	await until(() => late, 'the late answer came');
	await page.waitForTimeout(500);
	assert.ok(await tall() > 0.9, 'the whole is what is drawn');
	await page.context().close();
});
test('copied_sound_says_that_nothing_is_re_encoded', async () => {
	const page = await w.page();
	await page.route('**/api/v1/jobs?*', async (route) => {
		const answer = await route.fetch({ headers: { ...route.request().headers(), 'if-none-match': '' } });
		const body = await answer.json();
		for (const job of body.jobs) Object.assign(job, { status: 'processing', started_at: new Date(Date.now() - 9000).toISOString(), output: null, planned: { copied: true }, progress: { percent: 62, stage: 'encoding', attempt: 1, position_seconds: 186, speed: 900, eta_seconds: 1, frames_decoded: 5 } });
		await route.fulfill({ json: body });
	});
	await page.setInputFiles('#pick', w.wav('copied.wav', 2));
	await phase(page, 'copied.wav', 'processing');
	await page.getByText('nothing is re-encoded').waitFor();
	assert.match(await row(page, 'copied.wav').locator('.status').innerText(), /Copying · nothing is re-encoded/);
	await page.context().close();
});
test('rows_keep_their_order_and_height_and_no_line_loses_its_tail', async () => {
	for (const width of [1280, 390]) {
		const page = await w.page({ viewport: { width, height: 900 } });
		await page.route('**/api/v1/jobs?*', async (route) => {
			const answer = await route.fetch({ headers: { ...route.request().headers(), 'if-none-match': '' } });
			const body = await answer.json();
			for (const { output } of body.jobs) if (output) Object.assign(output, { duration_seconds: 720, bitrate_bps: 192000 });
			await route.fulfill({ json: body });
		});
		await page.setInputFiles('#pick', [w.wav('order 10.wav', 3), w.wav('order 2.wav', 1)]);
		const height = async () => (await page.locator('.row').first().boundingBox()).height;
		const first = await height();
		await phase(page, 'order 10.mp3', 'done');
		await phase(page, 'order 2.mp3', 'done');
		assert.deepEqual(await page.locator('.row h3').evaluateAll((nodes) => nodes.map((node) => node.title)), ['order 2.mp3', 'order 10.mp3']);
		assert.equal(await height(), first);
		const status = row(page, 'order 2.mp3').locator('.status');
		assert.match(await status.textContent(), /^12:00 · MP3 192\skbit\/s/);
		assert.ok(await status.evaluate((node) => node.firstChild.getClientRects().length && node.firstChild.getBoundingClientRect().height < 30 && node.scrollWidth <= node.clientWidth), 'one line, whole');
		await page.context().close();
	}
});
test('download_has_the_right_name_and_length', async () => {
	const page = await w.page();
	await page.setInputFiles('#pick', w.wav('gélato & co.wav', 3));
	await phase(page, 'gélato & co.mp3', 'done');
	const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download gélato & co.mp3' }).click()]);
	assert.ok(fs.statSync(await download.path()).size > 3000);
	if (!process.env.AUDIOMILL_MOCK) assert.equal(download.suggestedFilename(), 'gélato & co.mp3');
	await page.context().close();
});
test('a_hostile_name_and_a_hostile_title_come_back_as_text', async () => {
	const page = await w.page();
	const tagged = w.wav('"; x=" naïve €.wav', 2);
	const title = '<img src=x onerror=alert(1)><script>alert(2)</script>';
	const list = Buffer.concat([Buffer.from('INFOINAM'), Buffer.alloc(4), Buffer.from(title.padEnd(Math.ceil((title.length + 1) / 2) * 2, '\0'))]);
	list.writeUInt32LE(list.length - 12, 8);
	const size = Buffer.alloc(4);
	size.writeUInt32LE(list.length);
	const whole = Buffer.concat([fs.readFileSync(tagged), Buffer.from('LIST'), size, list]);
	whole.writeUInt32LE(whole.length - 8, 4);
	fs.writeFileSync(tagged, whole);
	let dialogs = 0;
	page.on('dialog', (dialog) => { dialogs += 1; dialog.dismiss(); });
	await page.setInputFiles('#pick', tagged);
	await phase(page, '"; x=" naïve €.mp3', 'done');
	const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download "; x=" naïve €.mp3' }).click()]);
	assert.match(download.suggestedFilename(), /^["_]; x=["_] naïve €\.mp3$/);
	const address = await page.locator('a[href^="/download/"]').first().getAttribute('href');
	await page.goto(w.server.base + address.replace('download', 'upload/jobs'));
	await page.locator('#page').getByText('naïve €').first().waitFor();
	// The address opened as a page: a file to keep, whatever is in it.
	const tab = await page.context().newPage();
	tab.on('dialog', (dialog) => { dialogs += 1; dialog.dismiss(); });
	await Promise.all([tab.waitForEvent('download'), tab.goto(w.server.base + address).catch(() => {})]);
	assert.equal(dialogs, 0);
	assert.deepEqual(page.faults, []);
	await page.context().close();
});
test('player_seeks_by_pointer_and_keys', async () => {
	const page = await w.page();
	await page.setInputFiles('#pick', [w.wav('play a.wav', 60), w.wav('play b.wav', 60, 200)]);
	await phase(page, 'play a.mp3', 'done');
	await phase(page, 'play b.mp3', 'done');
	const a = row(page, 'play a.mp3');
	await a.getByRole('button', { name: 'Play play a.mp3' }).click();
	await a.getByRole('button', { name: 'Pause play a.mp3' }).waitFor();
	const bar = a.getByRole('slider', { name: 'Position in play a.mp3' });
	const at = async () => Number(await bar.inputValue());
	await until(async () => await at() > 0.1, 'sound');
	const box = await bar.boundingBox();
	await bar.click({ position: { x: box.width / 2, y: 20 } });
	await until(async () => Math.abs(await at() - 30) < 4, 'the middle');
	await bar.press('ArrowRight');
	await until(async () => Math.abs(await at() - 35) < 4, '5 s on');
	await bar.press('PageDown');
	await until(async () => Math.abs(await at() - 5) < 4, '30 s back');
	assert.match(await bar.getAttribute('aria-valuetext'), /seconds? of 1\s*minute/);
	await row(page, 'play b.mp3').getByRole('button', { name: 'Play play b.mp3' }).click();
	await a.getByRole('button', { name: 'Play play a.mp3' }).waitFor();
	await page.context().close();
});
test('unplayable_type_says_so', async () => {
	const page = await w.page({ before: (one) => one.addInitScript(() => { HTMLMediaElement.prototype.canPlayType = () => ''; }) });
	await page.setInputFiles('#pick', w.wav('mute.wav', 1));
	await phase(page, 'mute.mp3', 'done');
	await page.getByRole('button', { name: 'Play mute.mp3' }).click();
	await row(page, 'mute.mp3').getByText('This browser cannot play it.').waitFor();
	await page.context().close();
});
test('live_region_transcript_of_40_files_has_at_most_12_lines', { timeout: 90000 }, async () => {
	const page = await w.page();
	await page.evaluate(() => {
		window.said = [];
		new MutationObserver(() => window.said.push(document.querySelector('#live').textContent)).observe(document.querySelector('#live'), { childList: true, characterData: true, subtree: true });
	});
	await page.setInputFiles('#pick', Array.from({ length: 40 }, (_, i) => w.wav(`crowd ${i}.wav`, 1)));
	await until(async () => await page.locator('.row[data-phase=done]').count() === 40, '40 files', 60000);
	await until(() => page.evaluate(() => window.said.some((line) => line.includes('All 40 finished.'))), 'the last line', 9000);
	const said = await page.evaluate(() => window.said);
	assert.ok(said.length <= 12, said.join('\n'));
	assert.match(said[0], /40\sfiles added/);
	assert.doesNotMatch(said.join(), /%|percent|left/);
	await page.context().close();
});
test('tells_when_it_is_done_if_asked_and_out_of_sight', async () => {
	const stub = (answer) => (one) => one.addInitScript((given) => {
		window.told = [];
		window.Notification = class {
			static permission = 'default';
			static async requestPermission() { Notification.permission = given; return given; }
			constructor(title, { tag }) { Object.assign(this, { title, tag }); window.told.push(this); }
			close() { this.closed = true; }
		};
		Object.defineProperty(document, 'hidden', { get: () => Boolean(window.away) });
	}, answer);
	for (const [answer, names] of [['granted', ['told 1.wav']], ['granted', ['told 2.wav', 'told 3.wav']], ['denied', ['told 4.wav']]]) {
		const page = await w.page({ before: stub(answer) });
		let slow = true;
		await page.route('**/api/v1/jobs?*', async (route) => {
			const response = await route.fetch({ headers: { ...route.request().headers(), 'if-none-match': '' } });
			const body = await response.json();
			const percent = 10 + (Date.now() - begun) / 1000;
			if (slow) for (const job of body.jobs.filter(({ input }) => names.includes(input.filename))) Object.assign(job, { status: 'processing', started_at: new Date(Date.now() - 9000).toISOString(), completed_at: null, output: null, progress: { percent, stage: 'decoding', attempt: 1, position_seconds: 1, speed: 1, eta_seconds: 60, frames_decoded: 5 } });
			await route.fulfill({ json: body });
		});
		const begun = Date.now();
		await page.setInputFiles('#pick', names.map((name) => w.wav(name, 2)));
		const button = page.getByRole('button', { name: 'Tell me when it is done' });
		await button.waitFor();
		await button.click();
		await button.waitFor({ state: 'hidden' });
		assert.equal(await page.evaluate(() => localStorage['am.notify']), answer === 'granted' ? '"asked"' : '"refused"');
		await page.evaluate(() => { window.away = true; });
		slow = false;
		await until(async () => await page.locator('.row[data-phase=done]').count() === names.length, 'the end', 20000);
		await page.waitForTimeout(300);
		const told = await page.evaluate(() => window.told.map(({ title, tag }) => [title.replace('\xa0', ' '), tag]));
		assert.deepEqual(told, answer === 'denied' ? [] : [[names[1] ? 'All 2 finished.' : 'told 1.mp3 is ready.', 'audiomill']]);
		assert.ok(await page.evaluate(() => { window.told[0]?.onclick(); return window.told.every(({ closed }) => closed); }));
		await page.context().close();
	}
});
