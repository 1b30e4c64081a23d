// Owns: the shell: which view an address shows, first paint, Back. Never: what is in a view. Used by: index.html.
import { $, set } from './dom.js';
import { settleToast } from './layer.js';
import { begin } from './session.js';
import { setTitle } from './signal.js';

const page = $('#page');
let [convert, job] = [];
history.scrollRestoration = 'manual';

/** Shows what the address names, scrolled to where it was left. */
async function open(y) {
	const id = /^\/upload\/jobs\/([\w-]+)$/.exec(location.pathname)?.[1];
	page.hidden = !id;
	$('#convert').hidden = Boolean(id);
	document.body.classList.toggle('on-job', Boolean(id));
	set($('nav a'), 'aria-current', !id && 'page');
	job?.hide();
	if (id) {
		setTitle();
		job ??= await import('./views/job.js');
		job.show(id, page, go);
	}
	if (!convert) {
		convert = await import('./views/convert.js');
		convert.mount(go);
	}
	convert.show(!id);
	if (y == null) return;
	$(id ? '#page h1' : '#convert h1').focus({ preventScroll: true });
	scrollTo(0, y);
}
function go(path) {
	history.replaceState({ y: scrollY }, '');
	history.pushState(null, '', path);
	open(0);
}
addEventListener('popstate', ({ state }) => open(state?.y || 0));
addEventListener('pagehide', settleToast);
document.addEventListener('click', (event) => {
	const link = event.target.closest('a[href^="/upload"]');
	if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
	event.preventDefault();
	if (link.pathname !== location.pathname) go(link.pathname);
});
begin();
open();
