// The box at the bottom: words, the message that is answered, and sending. Nothing typed is ever lost by a failure.

import { element, find, icon, newId, page, post, Refused, words } from "./dom.js";
import { handleMenuKey } from "./menu.js";
import { lastOwnLine } from "./messages.js";
import { clearTray, isUploading, markGoing, trayUploads } from "./tray.js";

const area = find("#words");
const draft = `draft:${page.person}:${page.room}`;
let replyTo = "";
let sending = false;
let waiting = false; // to be sent as soon as its pictures, and the message before it, have arrived
let attempt = { content: "", id: "" };

export function startComposer() {
  area.value ||= sessionStorage.getItem(draft) ?? ""; // somebody may type faster than scripts come
  grow();
  area.addEventListener("input", () => {
    grow();
    sessionStorage.setItem(draft, area.value);
    stopWaiting(); // Enter was meant for what stood there
  });
  area.addEventListener("keydown", key);
  find("#composer").addEventListener("submit", (event) => event.preventDefault());
  find("#send").addEventListener("click", (event) => {
    if (event.detail > 1) return; // the second click of a double click must not stop what the first began
    if (!waiting) return send();
    stopWaiting();
    area.focus();
  });
  document.addEventListener("keydown", (event) => {
    const taken = event.defaultPrevented || find("dialog[open]"); // by the menu, or by the dialog
    if (event.key === "Escape" && !taken) stopWaiting();
  });
  find("#tray").addEventListener("arrived", sendIfComplete);
  // What was to be sent is not whole any more, so that is for the person to decide anew.
  find("#tray").addEventListener("lost", stopWaiting);
  find("#replying button").addEventListener("click", () => {
    answer(null);
    area.focus();
  });
}

// Begin a reply to a message, or to none.
export function answer(article) {
  const box = find("#replying");
  replyTo = article?.dataset.id ?? "";
  box.hidden = !article;
  if (!article) return;
  const image = find(".picture img", article);
  find("img", box).hidden = !image;
  if (image) find("img", box).src = image.currentSrc || image.src;
  find(".to", box).textContent = words("replying", { person: article.dataset.author });
  const said = find(".prompt, .words, .text", article)?.textContent.trim() ?? "";
  find(".excerpt", box).textContent = said;
  area.focus();
}

// Send one message as it stands; throws as `post` does.
export function sendMessage(message) {
  return post("/messages", { id: newId(), person: page.person, room: page.room, ...message });
}

// Put words into the box as if they had been typed.
export function type(text) {
  put(text);
  area.focus();
  area.setSelectionRange(text.length, text.length);
}

function put(text) {
  area.value = text;
  area.dispatchEvent(new Event("input", { bubbles: true }));
}

export async function attempting(act) {
  try {
    await act();
    problem("");
    return true;
  } catch (error) {
    problem(error instanceof Refused ? words("refused", { reason: error.message }) : words("unsent"));
    return false;
  }
}

export function problem(text) {
  find("#unsent").textContent = text;
  find("#unsent").hidden = !text;
}

function key(event) {
  if (event.isComposing || event.keyCode === 229) return; // an input method is choosing characters
  if (handleMenuKey(event)) return;
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    send();
  } else if (event.key === "ArrowUp" && !area.value && lastOwnLine()) {
    event.preventDefault();
    type(lastOwnLine());
  } else if (event.key === "Escape" && !find("#replying").hidden && !waiting) {
    answer(null);
  }
}

// Send what stands there, or have it sent when the last that it waits for has arrived.
async function send() {
  const waited = waiting;
  setWaiting(false);
  const typed = area.value;
  const text = typed.trim();
  if (text.length > page.most.words) return problem(words("too_long", { most: page.most.words }));
  const uploads = trayUploads();
  const isAlone = !text && !sending && (uploads.length || isUploading());
  if (isAlone) return problem(words("say_what")); // the pictures stay where they are
  const message = { words: text, uploads, reply_to: replyTo };
  const content = JSON.stringify(message);
  const isGoing = sending && content === attempt.content; // Enter was pressed twice
  if (!text || (isGoing && !isUploading())) return;
  if (sending || isUploading()) return wait();
  // The same message again keeps its id: if the first try did arrive, the second changes nothing.
  if (attempt.content !== content) attempt = { content, id: newId() };
  setSending(true, uploads);
  const sent = await attempting(() => sendMessage({ ...message, id: attempt.id }));
  if (sent) putAway(uploads);
  setSending(false);
  if (!sent) return stopWaiting();
  if (waiting) return sendIfComplete();
  if (area.value === typed) put(""); // somebody who had to wait may be typing on
  if (!waited) area.focus(); // or has gone on to something else
}

// What went with a message; what was added or chosen meanwhile is for the next one.
function putAway(uploads) {
  attempt = { content: "", id: "" };
  clearTray(uploads);
  if (find("#replying").hidden) answer(null);
}

function sendIfComplete() {
  if (waiting && !sending && !isUploading()) send();
}

function wait() {
  const until = words(isUploading() ? "wait_upload" : "wait_before");
  problem("");
  setWaiting(true, until);
  area.focus();
  find("#menu-status").textContent = until;
}

function stopWaiting() {
  if (!waiting) return;
  setWaiting(false);
  find("#menu-status").textContent = words("wait_ended");
}

function setSending(yes, uploads = []) {
  sending = yes;
  find("#send").disabled = yes;
  // What is on its way looks so; should it fail, it stands there as before.
  find("#replying").hidden = yes || !replyTo;
  markGoing(uploads);
}

function setWaiting(yes, until = "") {
  if (waiting === yes) return;
  waiting = yes;
  const button = find("#send");
  button.disabled = sending && !yes;
  button.setAttribute("aria-busy", String(yes));
  button.title = until;
  const sign = yes ? element("i", { class: "spinner", "aria-hidden": "true" }) : icon("send");
  button.replaceChildren(sign, element("span", {}, words(yes ? "hold_back" : "send")));
}

function grow() {
  area.style.height = "auto";
  area.style.height = `${area.scrollHeight}px`;
}
