// Owns: telling the tab that asked for it of a sign-in, and closing this one. Never: anything else. Used by: done.html.
new BroadcastChannel('am').postMessage('signed in');
close();
