// The box at the bottom: words, the message that is answered, and sending. Nothing typed is ever lost by a failure.

import { element, find, icon, newId, page, post, Refused, words } from "./dom.js";
import { handleMenuKey } from "./menu.js";
import { lastOwnLine } from "./messages.js";
import { clearTray, isUploading, trayUploads } from "./tray.js";

const area = find("#words");
const draft = `draft:${page.person}:${page.room}`;
let replyTo = "";
let sending = false;
let waiting = false; // to be sent as soon as the pictures have arrived
let composing = false; // an input method is choosing characters
let attempt = { content: "", id: "" };

export function startComposer() {
  area.value ||= sessionStorage.getItem(draft) ?? ""; // somebody may type faster than scripts come
  grow();
  area.addEventListener("input", () => {
    grow();
    sessionStorage.setItem(draft, area.value);
  });
  area.addEventListener("keydown", key);
  find("#composer").addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  area.addEventListener("compositionstart", () => (composing = true));
  area.addEventListener("compositionend", () => {
    composing = false;
    sendIfComplete();
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
  } else if (event.key === "Escape" && waiting) {
    stopWaiting();
  } else if (event.key === "Escape" && replyTo) {
    answer(null);
  }
}

// Send what stands there, or have it sent by the last picture that arrives.
async function send() {
  if (sending) return;
  const waited = waiting;
  setWaiting(false);
  const typed = area.value;
  const text = typed.trim();
  if (text.length > page.most.words) return problem(words("too_long", { most: page.most.words }));
  if (isUploading()) return wait();
  const uploads = trayUploads();
  if (!text && !uploads.length) return;
  const message = { words: text, uploads, reply_to: replyTo };
  // The same message again keeps its id: if the first try did arrive, the second changes nothing.
  const content = JSON.stringify(message);
  if (attempt.content !== content) attempt = { content, id: newId() };
  setSending(true);
  const sent = await attempting(() => sendMessage({ ...message, id: attempt.id }));
  setSending(false);
  if (!sent) return;
  attempt = { content: "", id: "" };
  clearTray(uploads);
  answer(null);
  if (area.value === typed) put(""); // somebody who had to wait may be typing on
  if (!waited) area.focus(); // or has gone on to something else
}

// What waited, unless half a character stands there.
function sendIfComplete() {
  if (waiting && !composing && !isUploading()) send();
}

function wait() {
  problem("");
  setWaiting(true);
  area.focus();
  find("#menu-status").textContent = words("wait_upload");
}

function stopWaiting() {
  if (!waiting) return;
  setWaiting(false);
  find("#menu-status").textContent = words("wait_ended");
}

function setSending(yes) {
  sending = yes;
  find("#send").disabled = yes;
}

function setWaiting(yes) {
  if (waiting === yes) return;
  waiting = yes;
  const button = find("#send");
  button.disabled = yes;
  button.setAttribute("aria-busy", String(yes));
  button.title = yes ? words("wait_upload") : "";
  const sign = yes ? element("i", { class: "spinner", "aria-hidden": "true" }) : icon("send");
  button.replaceChildren(sign, element("span", {}, words(yes ? "waiting" : "send")));
}

function grow() {
  area.style.height = "auto";
  area.style.height = `${area.scrollHeight}px`;
}
