// Owns: the shell: which view an address shows, first paint, Back. Never: what is in a view. Used by: index.html.
import { $, set } from './dom.js';
import { settleToast } from './layer.js';
import { begin } from './session.js';
import { setTitle } from './signal.js';

const page = $('#page');
let [convert, shown] = [];
// Views besides the list, by their address; what its group holds is what the view is to show.
const VIEWS = [
	[/^\/upload\/jobs\/([\w-]+)$/, () => import('./views/job.js')],
	[/^\/upload\/account(?:\/(keys|sessions|usage))?$/, () => import('./views/account.js')],
	[/^\/upload\/admin\/(audit|users)$/, () => import('./views/admin.js')],
];
history.scrollRestoration = 'manual';

/** Shows what the address names, scrolled to where it was left. */
async function open(y) {
	const { pathname } = location;
	const [path, load] = VIEWS.find(([known]) => known.test(pathname)) || [];
	page.hidden = !path;
	$('#convert').hidden = Boolean(path);
	document.body.classList.toggle('on-job', Boolean(path));
	for (const link of document.querySelectorAll('header nav a')) set(link, 'aria-current', (link.pathname === pathname || (link.pathname === '/upload' && !path)) && 'page');
	$('#account').hidePopover?.();
	shown?.hide();
	shown = null;
	if (path) {
		setTitle();
		const view = await load();
		if (location.pathname !== pathname) return;
		shown = view;
		view.show(path.exec(pathname)[1], page, go);
	}
	if (!convert) {
		convert = await import('./views/convert.js');
		convert.mount(go);
	}
	convert.show(!path);
	if (y == null) return;
	$(path ? '#page h1' : '#convert h1').focus({ preventScroll: true });
	scrollTo(0, y);
}
function go(path) {
	history.replaceState({ y: scrollY }, '');
	history.pushState(null, '', path);
	open(0);
}
$('#account').addEventListener('focusout', ({ target, relatedTarget: to }) => to && to !== $('#me') && !$('#account').contains(to) && target.closest('#account').hidePopover?.());
addEventListener('popstate', ({ state }) => open(state?.y || 0));
addEventListener('pagehide', settleToast);
document.addEventListener('click', (event) => {
	const link = event.target.closest('a[href^="/upload"]');
	if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
	event.preventDefault();
	if (link.pathname !== location.pathname) go(link.pathname);
	else $('#account').hidePopover?.();
});
begin();
open();
