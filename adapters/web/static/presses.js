// The buttons in messages: reply, say a ready line, copy the command, and the core's own buttons.

import { ask } from "./ask.js";
import { answer, attempting, sendMessage } from "./composer.js";
import { address, find, toast, words } from "./dom.js";

export function startPresses() {
  find("#messages").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    // The second click of a double click: a message may have changed under it, and Go become Cancel.
    if (!button || event.detail > 1) return;
    const article = button.closest("article");
    if ("reply" in button.dataset) answer(article);
    else if ("say" in button.dataset) saying(button, article);
    else if ("copy" in button.dataset) copyLine(button.dataset.copy);
    else if ("press" in button.dataset) press(button, article);
  });
}

export async function copyLine(generation) {
  let line = "";
  const fetched = fetch(address(`/generations/${encodeURIComponent(generation)}/line`)).then(async (response) => {
    if (!response.ok) throw new TypeError(`no line: ${response.status}`);
    line = await response.text();
    return new Blob([line], { type: "text/plain" });
  });
  try {
    // Given the promise itself, the browser still knows that a person has just pressed a button.
    await navigator.clipboard.write([new ClipboardItem({ "text/plain": fetched })]);
    toast(words("copied"));
  } catch {
    await fetched.catch(() => null);
    toast(line ? words("not_copied", { line }) : words("unsent_press"));
  }
}

function saying(button, article) {
  const reply_to = "sayReply" in button.dataset ? article.dataset.id : "";
  pressing(button, { words: button.dataset.say, reply_to });
}

async function press(button, article) {
  const picked = "picks" in button.dataset ? find(".pick input:checked", article)?.value : undefined;
  const id = picked === undefined ? button.dataset.press : button.dataset.press.replace(/\d+$/, picked);
  const values = {};
  if ("asks" in button.dataset || "danger" in button.dataset) {
    const answered = await ask(question(button, article, id.split(":").at(-1)));
    if (answered === null) return;
    if ("asks" in button.dataset) values.prompt = answered;
  }
  pressing(button, { press: id, values, reply_to: article.dataset.id });
}

function question(button, article, index) {
  const picture = find(`.picture[data-index="${CSS.escape(index)}"] img`, article);
  const danger = "danger" in button.dataset;
  return {
    title: button.textContent.trim(),
    label: button.dataset.asks ?? "",
    warning: danger ? words("delete_sure") : "",
    picture: "picks" in button.dataset ? picture : null,
    danger,
  };
}

async function pressing(button, message) {
  button.disabled = true;
  await attempting(() => sendMessage(message));
  button.disabled = false;
}
