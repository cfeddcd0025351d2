// A small dialog that asks for words, or for a yes before something that cannot be undone.

import { find } from "./dom.js";

const dialog = find("#ask");
const area = find("#ask-words");
const submit = find("[type=submit]", dialog);

// Resolves to the words (or "" where only a yes was asked for), or to null.
export function ask({ title, label, warning, picture, danger }) {
  find("h2", dialog).textContent = title;
  find(".warning", dialog).textContent = warning;
  find(".warning", dialog).hidden = !warning;
  find("label", dialog).textContent = label;
  find(".field", dialog).hidden = !label;
  const image = find("img", dialog);
  image.hidden = !picture;
  if (picture) Object.assign(image, { src: picture.currentSrc || picture.src, alt: picture.alt });
  area.value = "";
  area.required = Boolean(label);
  submit.textContent = title;
  dialog.classList.toggle("danger", danger);
  dialog.returnValue = "";
  dialog.showModal();
  (label ? area : submit).focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "go" ? area.value.trim() : null), { once: true });
  });
}

find("[data-close]", dialog).addEventListener("click", () => dialog.close("cancel"));
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close("cancel"));
area.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  find("form", dialog).requestSubmit(submit);
});
