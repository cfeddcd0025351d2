// The box at the bottom: words, the message that is answered, and sending. Nothing typed is ever lost by a failure.

import { find, newId, page, post, Refused, words } from "./dom.js";
import { handleMenuKey } from "./menu.js";
import { lastOwnLine } from "./messages.js";
import { clearTray, isUploading, trayUploads } from "./tray.js";

const area = find("#words");
const draft = `draft:${page.person}:${page.room}`;
let replyTo = "";
let sending = false;
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
  area.value = text;
  area.dispatchEvent(new Event("input", { bubbles: true }));
  area.focus();
  area.setSelectionRange(text.length, text.length);
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
  } else if (event.key === "Escape" && replyTo) {
    answer(null);
  }
}

async function send() {
  if (sending) return;
  if (isUploading()) return problem(words("wait_upload"));
  const uploads = trayUploads();
  const text = area.value.trim();
  if (!text && !uploads.length) return;
  if (text.length > page.most.words) return problem(words("too_long", { most: page.most.words }));
  const message = { words: text, uploads, reply_to: replyTo };
  // The same message again keeps its id: if the first try did arrive, the second changes nothing.
  const content = JSON.stringify(message);
  if (attempt.content !== content) attempt = { content, id: newId() };
  sending = true;
  find("#send").disabled = true;
  const sent = await attempting(() => sendMessage({ ...message, id: attempt.id }));
  sending = false;
  find("#send").disabled = false;
  if (!sent) return;
  attempt = { content: "", id: "" };
  clearTray();
  answer(null);
  type("");
}

function grow() {
  area.style.height = "auto";
  area.style.height = `${area.scrollHeight}px`;
}
