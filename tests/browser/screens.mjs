// Owns: pictures of every state, for the README and for judging. `node screens.mjs <folder>`. Used by: people.
import fs from 'node:fs';
import path from 'node:path';
import { drop, phase, wav, world } from './harness.mjs';

const [folder = 'screens'] = process.argv.slice(2);
fs.mkdirSync(folder, { recursive: true });
const w = await world();
const SIZES = { phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true }, desktop: { viewport: { width: 1280, height: 900 } } };
const LONG = 'Interview Ana Kovač 2026-11-19 — raw take with room tone, part two.wav';
const files = [wav(path.join(w.files, LONG), 5), w.wav('take 1.wav', 5, 300), w.wav('live at the mill.wav', 5, 500), w.wav('Morning rehearsal.wav', 5), w.wav('مقابلة مع المهندس حول طاحونة الصوت القديمة.wav', 5), w.wav('voice memo (4).wav', 5)];

/** Turns the server's true jobs into one of each state. */
const staged = (job) => {
	const name = job.input.filename;
	const long = { ...job.input, duration_seconds: 300, bytes: 52_920_044 };
	const quiet = { ...job, completed_at: null, output: null, error: null };
	if (name === 'take 1.wav') return { ...quiet, input: long, status: 'processing', started_at: new Date(Date.now() - 9000).toISOString(), progress: { percent: 62.4, stage: 'decoding', attempt: 1, position_seconds: 186, speed: 96.2, eta_seconds: 3, frames_decoded: Date.now() } };
	if (name === 'live at the mill.wav') return { ...quiet, status: 'queued', queue_position: 3 };
	if (name === 'voice memo (4).wav') return { ...quiet, input: long, status: 'failed', error: { code: 'corrupt_input', message: 'The file is damaged from there on; 2:09 of 5:00 could be read.', stage: 'decoding', detail: '[mp3float] Header missing', position_seconds: 129 } };
	return job;
};
const stage = (page) => page.route('**/api/v1/jobs?*', async (route) => {
	const answer = await route.fetch({ headers: { ...route.request().headers(), 'if-none-match': '' } });
	const body = await answer.json();
	await route.fulfill({ json: { ...body, jobs: body.jobs.map(staged) } });
});
const hold = (page, match) => page.route('**/upload', (route) => (route.request().method() === 'POST' && match() ? undefined : route.fallback()));
const refuse = (page, status, code, after) => page.route('**/upload', (route) => (route.request().method() === 'POST' ? route.fulfill({ status, headers: { 'Retry-After': String(after) }, json: { code, detail: 'Not now.' } }) : route.fallback()));

for (const [size, options] of Object.entries(SIZES)) {
	for (const colorScheme of ['light', 'dark']) {
		const shot = async (page, name) => {
			await page.waitForTimeout(700);
			await page.screenshot({ path: path.join(folder, `${name}-${size}-${colorScheme}.png`) });
		};
		const open = (more) => w.page({ ...options, colorScheme, ...more });
		const close = async (page) => {
			await page.evaluate(() => { onbeforeunload = null; });
			await page.context().close();
		};
		let page = await open({ before: (one) => one.route('**/api/v1/jobs?*', (route) => route.fulfill({ json: { jobs: [] } })) });
		await shot(page, 'empty');
		await drop(page, files.slice(0, 3), { until: 'dragOver' });
		await page.evaluate(() => {
			const data = new DataTransfer();
			for (const name of 'abc') data.items.add(new File(['x'], name));
			window.hover = setInterval(() => dispatchEvent(new DragEvent('dragover', { dataTransfer: data, clientX: innerWidth * 0.6, cancelable: true })), 50);
		});
		await shot(page, 'dragging');
		await close(page);

		page = await open();
		await stage(page);
		await page.setInputFiles('#pick', files.slice(1));
		await phase(page, 'Morning rehearsal.mp3', 'done');
		await phase(page, 'voice memo (4).wav', 'failed');
		await hold(page, () => true);
		await page.setInputFiles('#pick', files[0]);
		await shot(page, 'mixed');
		await page.locator('.row[data-phase=failed]').scrollIntoViewIfNeeded();
		await shot(page, 'failed');
		await page.getByRole('button', { name: 'Play Morning rehearsal.mp3' }).click();
		await page.waitForTimeout(1200);
		await shot(page, 'playing');
		await page.getByRole('button', { name: 'More Morning rehearsal.mp3' }).click();
		await shot(page, 'menu');
		await page.keyboard.press('Escape');
		await page.evaluate(() => scrollTo(0, 0));
		if (size === 'phone') await page.locator('#dock-to').click();
		await page.locator('.panel button:visible', { hasText: size === 'phone' ? 'Options' : 'Options' }).first().waitFor();
		await shot(page, 'choosing');
		if (size === 'desktop') {
			await page.getByRole('button', { name: 'Options' }).click();
			await shot(page, 'options');
		} else await page.keyboard.press('Escape');
		await page.getByRole('button', { name: 'More Morning rehearsal.mp3' }).click();
		await page.getByRole('menuitem', { name: 'Job page' }).click();
		await page.locator('.pair').waitFor();
		await shot(page, 'job');
		await close(page);

		page = await open();
		await hold(page, () => true);
		await page.setInputFiles('#pick', files[0]);
		await page.waitForTimeout(300);
		await page.context().setOffline(true);
		await shot(page, 'offline');
		await close(page);
		for (const [name, status, code, after] of [['full', 503, 'queue_full', 12], ['disk', 507, 'disk_full', 28], ['signin', 401, 'unauthenticated', 1]]) {
			page = await open();
			await refuse(page, status, code, after);
			await page.setInputFiles('#pick', files.slice(0, 3));
			await shot(page, name);
			await close(page);
		}
		page = await open({ at: '/login', storageState: undefined });
		await shot(page, 'login');
		await close(page);
	}
}
await w.stop();
console.log(`${fs.readdirSync(folder).length} pictures in ${folder}`);
