// The stream of changes. Every event carries its revision, and a new connection starts after the last one seen.

import { address, find, page, words } from "./dom.js";
import { receive, remove } from "./messages.js";

const AGAIN = 500; // ms until another try, where the browser has given up
const PATIENCE = 400; // ms before a break is worth a word

export function startStream() {
  let seen = Number(find("#messages").dataset.revision);
  let source = null;
  let timer = null;
  let noticing = null;
  let lost = false;

  function connect() {
    clearTimeout(timer);
    source?.close();
    source = new EventSource(address("/stream", { after: seen }));
    source.onopen = () => connected(true);
    source.onerror = () => {
      connected(false);
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(connect, AGAIN);
    };
    listen("message", (data) => receive(data));
    listen("removed", (data) => remove(data));
    listen("elsewhere", (data) => find(`[data-room="${CSS.escape(data)}"]`)?.classList.add("unread"));
  }

  function listen(name, act) {
    source.addEventListener(name, (event) => {
      if (Number(event.lastEventId) <= seen) return;
      seen = Number(event.lastEventId);
      act(event.data);
    });
  }

  function connected(yes) {
    clearTimeout(noticing);
    const line = find("#connection");
    if (yes) {
      // Another process may be there now, with other switches and another balance.
      if (lost) document.body.dispatchEvent(new Event("returned"));
      lost = false;
      line.hidden = true;
      line.textContent = "";
      return;
    }
    lost = true;
    noticing = setTimeout(() => {
      line.hidden = false;
      line.textContent = words("offline");
    }, PATIENCE);
  }

  // A browser allows six connections to one host: tabs that nobody sees must not use them up.
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) connect();
    else {
      clearTimeout(timer);
      source?.close();
    }
  });
  addEventListener("pagehide", () => source?.close());
  addEventListener("pageshow", (event) => event.persisted && connect());
  find(`[data-room="${CSS.escape(page.room)}"]`)?.classList.remove("unread");
  connect();
}
