// Owns: a real server, a browser, and the hands of a person: drop, paste, sign in. Never: what is expected. Used by: every test.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const HERE = path.dirname(fileURLToPath(import.meta.url));
export const STATIC = path.join(HERE, '../../static');
const FLAGS = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required'];

const started = new Set();
/** Ends what a failed test left running: a live child would keep its test file from ever ending. */
after(async () => { for (const one of [...started].reverse()) await one.stop(); });
process.on('exit', () => started.forEach(({ kill }) => kill?.()));

/** Starts the server (AUDIOMILL_BIN, or AUDIOMILL_MOCK under node); gives {link, base, stop}. */
export async function startServer(env = {}) {
	const data = fs.mkdtempSync(path.join(os.tmpdir(), 'audiomill-'));
	const [command, args] = process.env.AUDIOMILL_MOCK ? [process.execPath, [process.env.AUDIOMILL_MOCK]] : [path.resolve(HERE, process.env.AUDIOMILL_BIN || '../../target/debug/audiomill'), ['serve']];
	const settings = { PATH: process.env.PATH, HOME: data, LISTEN: '127.0.0.1:0', DATA_DIR: data, LOG_LEVEL: 'warn', ...env };
	const child = spawn(command, args, { env: settings, stdio: ['ignore', 'ignore', 'pipe'] });
	let said = '';
	const { link, base } = await new Promise((resolve, reject) => {
		const timer = setTimeout(() => reject(new Error(`no address in 30 s:\n${said}`)), 30000);
		child.on('error', reject);
		child.on('exit', (code) => reject(new Error(`the server ended with ${code}:\n${said}`)));
		child.stderr.on('data', (text) => {
			said += text;
			const found = /http:\/\/\S+\/login(?:\?token=\w+)?(?=\s)/.exec(said);
			if (!found) return;
			clearTimeout(timer);
			// Where people can sign in without a link, none is printed.
			const link = found[0].includes('token=') ? found[0] : execFileSync(command, ['user', 'link'], { env: settings, encoding: 'utf8' }).trim();
			const base = /listens on (http:\S+?)(?=[,\s])/.exec(said)[1];
			resolve({ link: base + link.slice(link.indexOf('/login')), base });
		});
	});
	const server = {
		link, base,
		kill: () => child.kill('SIGKILL'),
		async stop() {
			if (!started.delete(server)) return;
			child.removeAllListeners('exit');
			const ended = new Promise((resolve) => { child.on('exit', resolve); });
			child.kill('SIGTERM');
			const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
			await ended;
			clearTimeout(timer);
			fs.rmSync(data, { recursive: true, force: true });
		},
	};
	started.add(server);
	return server;
}

/** A signed-in world for one test file: {server, browser, page(options), files, stop}. */
export async function world(env) {
	const server = await startServer(env);
	const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: FLAGS });
	const files = fs.mkdtempSync(path.join(os.tmpdir(), 'audiomill-files-'));
	const first = await browser.newContext();
	const signIn = await first.newPage();
	await signIn.goto(server.link);
	await Promise.all([signIn.waitForURL((url) => !url.pathname.startsWith('/login')), signIn.getByRole('button', { name: 'Sign in to audiomill' }).click()]);
	const storageState = await first.storageState();
	await first.close();
	const made = {
		server, browser, files, storageState,
		/** A page in a context of its own, on the Convert page. `before(page)` may set up routes. */
		async page({ at = '/upload', base = server.base, before, ...options } = {}) {
			const context = await browser.newContext({ storageState, viewport: { width: 1280, height: 900 }, ...options });
			const page = await context.newPage();
			page.setDefaultTimeout(15000);
			// A request that a test holds back may outlive the test; that is nobody's failure.
			const close = context.close.bind(context);
			context.close = async () => {
				await page.unrouteAll({ behavior: 'ignoreErrors' });
				await context.unrouteAll({ behavior: 'ignoreErrors' });
				await close();
			};
			page.faults = [];
			page.on('pageerror', (error) => page.faults.push(error.message));
			page.on('console', (message) => /Content Security Policy|Trusted Type/i.test(message.text()) && page.faults.push(message.text()));
			await before?.(page);
			await page.goto(base + at);
			// Modules first, then the catalogue: once that is here the page listens for drops and picks.
			const asked = () => performance.getEntriesByType('resource').some(({ name }) => name.endsWith('/formats'));
			for (const end = Date.now() + 3000; Date.now() < end && !(await page.evaluate(asked));) await page.waitForTimeout(50);
			if (at === '/upload') await page.locator('#target .panel button').first().waitFor();
			return page;
		},
		/** Writes a WAV of a soft tone; returns its path. */
		wav: (name, seconds, hz = 440) => wav(path.join(files, name), seconds, hz),
		/** Writes any file. */
		write(name, content) {
			const at = path.join(files, name);
			fs.mkdirSync(path.dirname(at), { recursive: true });
			fs.writeFileSync(at, content);
			return at;
		},
		async stop() {
			if (!started.delete(made)) return;
			await browser.close();
			await server.stop();
			fs.rmSync(files, { recursive: true, force: true });
		},
	};
	started.add(made);
	return made;
}

/** A mono 16 bit WAV: a tone that swells, with a little noise; 8 kHz unless told. */
export function wav(at, seconds, hz = 440, rate = 8000) {
	const count = Math.round(seconds * rate);
	const bytes = Buffer.alloc(44 + count * 2);
	bytes.write('RIFF');
	bytes.writeUInt32LE(36 + count * 2, 4);
	bytes.write('WAVEfmt ', 8);
	[[16, 4], [1, 2], [1, 2], [rate, 4], [rate * 2, 4], [2, 2], [16, 2]].reduce((place, [value, size]) => bytes.writeUIntLE(value, place, size), 16);
	bytes.write('data', 36);
	bytes.writeUInt32LE(count * 2, 40);
	const samples = new Int16Array(bytes.buffer, bytes.byteOffset + 44, count);
	for (let i = 0; i < count; i += 1) samples[i] = 9000 * Math.sin(i * hz * 6.2832 / rate) * (0.6 + 0.4 * Math.sin(i / rate)) + (i * 7919 % 601) - 300;
	fs.mkdirSync(path.dirname(at), { recursive: true });
	fs.writeFileSync(at, bytes);
	return at;
}

/** Drags real files (or folders) over the window and lets go there; `until` stops earlier: 'dragOver'. */
export async function drop(page, files, { until = 'drop', x = 300, y = 700 } = {}) {
	const session = await page.context().newCDPSession(page);
	for (const type of ['dragEnter', 'dragOver', 'drop']) {
		await session.send('Input.dispatchDragEvent', { type, x, y, data: { items: [], files: [files].flat(), dragOperationsMask: 1 } });
		if (type === until) break;
	}
	return session;
}
const named = (page, name) => page.locator(`h3[title="${name.replaceAll('"', '\\"')}"]`);
/** The row with a name. */
export const row = (page, name) => page.locator('.row', { has: named(page, name) });
/** Waits until a row is in a phase. */
export const phase = (page, name, wanted, timeout = 30000) => page.locator(`.row[data-phase="${wanted}"]`, { has: named(page, name) }).waitFor({ timeout });
/** Waits until a function gives something true; returns it. */
export async function until(ask, what = 'it', timeout = 15000) {
	const end = Date.now() + timeout;
	for (;;) {
		const answer = await ask();
		if (answer) return answer;
		if (Date.now() > end) throw new Error(`waited ${timeout} ms for ${what}`);
		await new Promise((resolve) => { setTimeout(resolve, 60); });
	}
}
