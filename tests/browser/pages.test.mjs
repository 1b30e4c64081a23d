// Owns: first paint, policy, sign-in, job page, access for everyone. Used by: npm test.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { phase, row, startServer, until, world } from './harness.mjs';

const AXE = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
let w;
before(async () => { w = await world(); });
after(() => w?.stop());

/** A page with one finished and one failed row. */
async function filled(options) {
	const page = await w.page(options);
	await page.setInputFiles('#pick', [w.wav('fine.wav', 5), w.write('broken.wav', 'no sound in here '.repeat(40))]);
	await phase(page, 'fine.mp3', 'done');
	await phase(page, 'broken.wav', 'failed');
	return page;
}

test('paints_the_empty_page_while_the_api_hangs', async () => {
	const page = await w.page({ before: (one) => one.route('**/api/**', () => {}) });
	await page.getByRole('heading', { level: 1 }).waitFor();
	assert.ok(await page.getByText('Choose files').isVisible());
	assert.match(await page.locator('.panel').innerText(), /Standard/);
	await page.setInputFiles('#pick', w.wav('early.wav', 1));
	await until(async () => /queued|sending/.test(await row(page, 'early.wav').getAttribute('data-phase')), 'the upload');
	await page.context().close();
});
test('everything_comes_from_one_origin_and_the_shell_paints_without_scripts', async () => {
	const urls = [];
	const page = await w.page({ before: (one) => one.on('request', (request) => urls.push(request.url())) });
	assert.deepEqual(urls.filter((url) => !url.startsWith(w.server.base) && !url.startsWith('data:')), []);
	await page.context().close();
	const bare = await w.page({ javaScriptEnabled: false, at: '/upload?bare' });
	assert.ok(await bare.locator('noscript p').isVisible());
	assert.ok(await bare.getByText('Drop audio anywhere').isVisible());
	await bare.context().close();
});
test('no_csp_report_on_any_page', async () => {
	const page = await filled({ before: (one) => one.addInitScript(() => { addEventListener('securitypolicyviolation', (event) => console.error(`Content Security Policy ${event.violatedDirective} ${event.sourceFile}`)); }) });
	await page.getByRole('button', { name: 'Play fine.mp3' }).click();
	await page.getByRole('button', { name: 'Options' }).click();
	await page.getByRole('button', { name: 'More fine.mp3' }).click();
	await page.getByRole('menuitem', { name: 'Job page' }).click();
	await page.getByRole('heading', { level: 1, name: 'fine.mp3' }).waitFor();
	await page.goto(`${w.server.base}/login`);
	assert.deepEqual(page.faults, []);
	await page.context().close();
});
test('job_page_shows_from_and_to_and_back_keeps_the_list', async () => {
	const page = await filled();
	await row(page, 'fine.mp3').focus();
	await page.keyboard.press('Enter');
	const title = page.getByRole('heading', { level: 1, name: 'fine.mp3' });
	await title.waitFor();
	await page.locator('.pair').getByText('MP3').waitFor();
	assert.match(await page.locator('.pair').innerText(), /From\s+WAV, 16\sbit, 8\skHz mono\s[\s\S]+To\s+MP3/);
	await until(async () => await page.title() === 'fine.mp3 – audiomill', 'the title', 3000);
	assert.equal(await page.locator('h1:visible').count(), 1);
	await until(async () => /^curl .*-F file=@fine\.wav/.test(await page.locator('#page code').innerText()), 'the command');
	const address = page.url();
	await page.goBack();
	await until(async () => await page.locator('.row').count() === 2, 'the list');
	const elsewhere = await w.page({ at: new URL(address).pathname });
	await elsewhere.getByRole('heading', { level: 1, name: 'fine.mp3' }).waitFor();
	await elsewhere.goto(`${w.server.base}/upload/jobs/01910000-0000-7000-8000-000000000000`);
	await elsewhere.getByText('There is no such job').waitFor();
	await elsewhere.context().close();
	await page.context().close();
});
test('login_works_without_script_and_a_used_sign_in_link_says_so', async () => {
	const server = await startServer();
	const context = await w.browser.newContext({ javaScriptEnabled: false });
	const page = await context.newPage();
	await page.goto(server.link);
	await page.goto(server.link); // looking at it does not spend it
	await page.getByRole('button', { name: 'Sign in to audiomill' }).click();
	await page.waitForURL((url) => !url.pathname.startsWith('/login'));
	assert.ok(await page.getByText('Drop audio anywhere').isVisible());
	await context.clearCookies();
	await page.goto(server.link);
	const used = page.getByText('This link has been used or is older than 15');
	if (!await used.isVisible()) await page.getByRole('button', { name: 'Sign in to audiomill' }).click();
	assert.ok(await used.isVisible());
	await page.goto(`${server.base}/upload`);
	assert.match(page.url(), /\/login\?next=/);
	assert.ok(await page.getByText('Open the link the server prints').isVisible());
	await context.close();
	await server.stop();
});
test('sign_out_forgets_what_the_browser_remembered', async () => {
	const other = await world();
	const page = await other.page();
	await page.getByRole('button', { name: /^Account/ }).click();
	await page.getByRole('button', { name: 'Sign out' }).click();
	await page.waitForURL(/\/login/);
	assert.deepEqual(await page.evaluate(() => Object.keys(localStorage)), []);
	await page.goto(`${other.server.base}/upload`);
	assert.match(page.url(), /\/login/);
	await other.stop();
});

for (const colorScheme of ['light', 'dark']) {
	for (const width of [390, 1280, 320]) {
		test(`axe_finds_nothing_${colorScheme}_${width}`, async () => {
			const options = { colorScheme, viewport: { width, height: 800 }, reducedMotion: 'reduce' };
			const page = await filled(options);
			const look = async (what) => {
				await page.evaluate(AXE);
				const found = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
				assert.deepEqual(found.violations.map(({ id, nodes }) => `${what}: ${id} ${nodes.map((node) => node.html.slice(0, 120)).join(' | ')}`), []);
				assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${what} scrolls sideways`);
			};
			await look('list');
			if (width < 600) {
				await page.locator('#dock-to').click();
				await look('sheet');
				await page.keyboard.press('Escape');
			} else {
				await page.getByRole('button', { name: 'Options' }).click();
				await look('drawer');
			}
			await page.locator('.dock').evaluate((dock) => { dock.hidden = true; }); // axe does not know that a popover lies above it
			await page.getByRole('button', { name: 'More fine.mp3' }).click();
			await look('menu');
			await page.getByRole('menuitem', { name: 'Job page' }).click();
			await page.locator('.pair').waitFor();
			await look('job');
			await page.goto(`${w.server.base}/login`);
			await look('login');
			const empty = await w.page(options);
			await empty.evaluate(AXE);
			assert.deepEqual(await empty.evaluate(async () => (await window.axe.run()).violations.map(({ id }) => id)), []);
			await empty.context().close();
			await page.context().close();
		});
	}
}
test('whole_walk_by_keyboard_with_focus_visible_and_in_order', async () => {
	const page = await filled();
	await page.evaluate(() => document.activeElement.blur());
	const walk = [];
	for (let i = 0; i < 24; i += 1) {
		await page.keyboard.press('Tab');
		const at = await page.evaluate(() => {
			const node = document.activeElement;
			if (node === document.body) return null;
			const box = node.getBoundingClientRect();
			const ringed = [node, node.parentElement].some((one) => getComputedStyle(one).outlineStyle === 'solid');
			return { name: node.getAttribute('aria-label') || node.labels?.[0]?.textContent || node.textContent, ringed, inside: box.bottom > 0 && box.top < innerHeight };
		});
		if (!at) break;
		assert.ok(at.ringed, `no ring on ${at.name}`);
		assert.ok(at.inside, `${at.name} is out of sight`);
		walk.push(at.name.trim());
	}
	const wanted = [/To the list/, /audiomill/, /Convert/, /Account/, /files/i, /folder/, /Convert to/, /Standard/, /Options/, /Clear finished/, /broken.wav/, /Play fine.mp3/, /Position in fine.mp3/, /Download fine.mp3/, /More fine.mp3/];
	let from = 0;
	for (const one of wanted) {
		const found = walk.findIndex((name, i) => i >= from && one.test(name));
		assert.ok(found >= 0, `${one} is not reached in order: ${walk.join(' → ')}`);
		from = found;
	}
	const focused = () => page.evaluate(() => document.activeElement.querySelector('h3')?.title);
	await page.getByRole('button', { name: 'More fine.mp3' }).focus();
	await page.keyboard.press('Home');
	assert.equal(await focused(), 'broken.wav');
	await page.keyboard.press('ArrowDown');
	assert.equal(await focused(), 'fine.mp3');
	await page.keyboard.press(' ');
	await page.getByRole('button', { name: 'Pause fine.mp3' }).waitFor();
	const download = page.waitForEvent('download');
	await page.keyboard.press('d');
	await download;
	await page.keyboard.press('ArrowUp');
	await page.keyboard.press('Delete');
	await row(page, 'broken.wav').waitFor({ state: 'detached' });
	assert.equal(await focused(), 'fine.mp3');
	await page.context().close();
});
test('a_menu_and_a_dialog_close_on_escape_and_give_focus_back', async () => {
	const page = await filled();
	const more = page.getByRole('button', { name: 'More fine.mp3' });
	await more.focus();
	await page.keyboard.press('Enter');
	await page.getByRole('menu').waitFor();
	await page.keyboard.press('ArrowUp');
	assert.match(await page.evaluate(() => document.activeElement.textContent), /Delete now/);
	await page.keyboard.press('Escape');
	await page.getByRole('menu').waitFor({ state: 'hidden' });
	assert.ok(await more.evaluate((node) => node === document.activeElement));
	await more.click();
	await page.mouse.click(640, 30);
	await page.getByRole('menu').waitFor({ state: 'hidden' });
	await more.click();
	await page.getByRole('menuitem', { name: 'Technical details' }).click();
	await page.getByRole('dialog').getByText('"id":').waitFor();
	await page.keyboard.press('Escape');
	assert.ok(await more.evaluate((node) => node === document.activeElement));
	await page.context().close();
});
test('reduced_motion_moves_nothing', async () => {
	const page = await filled({ reducedMotion: 'reduce' });
	await page.waitForTimeout(1100); // edges move in steps, at most twice a second
	assert.deepEqual(await page.evaluate(() => document.getAnimations().length), 0);
	const frames = await page.evaluate(() => new Promise((resolve) => {
		const image = () => document.querySelector('.row canvas').toDataURL();
		const first = image();
		setTimeout(() => resolve(first === image()), 900);
	}));
	assert.ok(frames);
	await page.context().close();
});
test('forced_colours_rtl_and_200_percent_text_fit', async () => {
	for (const [what, options, apply] of [['forced', { forcedColors: 'active' }, () => {}], ['rtl', {}, () => { document.documentElement.dir = 'rtl'; }], ['text', {}, () => { document.documentElement.style.setProperty('font-size', '200%'); }]]) {
		for (const width of [390, 1280]) {
			const page = await filled({ ...options, viewport: { width, height: 800 } });
			await page.evaluate(apply);
			await page.waitForTimeout(200);
			assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${what} ${width} scrolls sideways`);
			assert.equal(await page.locator('.btn').evaluateAll((nodes) => nodes.filter((node) => node.offsetWidth && node.scrollWidth > node.offsetWidth + 1).map((node) => node.textContent).join()), '');
			await page.context().close();
		}
	}
});
test('targets_are_44_pixels', async () => {
	const page = await filled({ viewport: { width: 390, height: 800 } });
	const small = await page.locator('button:visible, a:visible, select:visible').evaluateAll((nodes) => nodes.filter((node) => !node.matches('.skip, .vh *') && (node.offsetHeight < 44 || node.offsetWidth < 44)).map((node) => node.outerHTML.slice(0, 90)));
	assert.deepEqual(small, []);
	await page.context().close();
});
test('no_layout_shift_after_first_paint', async () => {
	const page = await w.page({ before: (one) => one.addInitScript(() => {
		window.shift = 0;
		new PerformanceObserver((list) => { for (const entry of list.getEntries()) window.shift += entry.value; }).observe({ type: 'layout-shift', buffered: true });
	}), at: '/upload' });
	await page.waitForTimeout(500);
	assert.ok(await page.evaluate(() => window.shift) < 0.02);
	await page.context().close();
});
