// One picture as large as the window, with the others of its message beside it.

import { find, words } from "./dom.js";
import { copyLine } from "./presses.js";

const dialog = find("#viewer");
const stage = find(".stage", dialog);
const image = find(".stage img", dialog);
const zoom = find("[data-zoom]", dialog);
let pictures = [];
let position = 0;

export function startViewer() {
  find("#messages").addEventListener("click", (event) => {
    const picture = event.target.closest(".picture");
    if (picture) open(picture);
  });
  dialog.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.step) step(Number(button.dataset.step));
    else if (button && "close" in button.dataset) dialog.close();
    else if (button && "copyLine" in button.dataset) copyLine(pictures[position].dataset.generation);
    else if (button === zoom || event.target === image) enlarge(!stage.classList.contains("actual"));
    else if (event.target === stage) dialog.close();
  });
  dialog.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -1, ArrowRight: 1 };
    if (!(event.key in steps) || stage.classList.contains("actual")) return;
    event.preventDefault();
    step(steps[event.key]);
  });
  dialog.addEventListener("close", () => image.removeAttribute("src"));
  // Its small copy may still stand in the message when the picture itself was cleaned up.
  image.addEventListener("error", () => dialog.open && isThere(false));
}

function open(picture) {
  pictures = [...picture.closest("article").querySelectorAll(".picture:not(.gone)")];
  position = pictures.indexOf(picture);
  show();
  dialog.showModal();
}

function step(by) {
  position = (position + by + pictures.length) % pictures.length;
  show();
}

function show() {
  const picture = pictures[position];
  const { view, name, generation } = picture.dataset;
  isThere(true);
  image.src = view;
  image.alt = find("img", picture).alt;
  find(".caption", dialog).textContent = image.alt;
  find("[data-save]", dialog).href = `${view}?${new URLSearchParams({ name })}`;
  const copying = generation && find(`[data-copy="${CSS.escape(generation)}"]`);
  find("[data-copy-line]", dialog).hidden = !copying;
  dialog.querySelectorAll(".step").forEach((button) => (button.hidden = pictures.length < 2));
  enlarge(false);
}

function isThere(yes) {
  image.hidden = !yes;
  find(".gone", stage).hidden = yes;
  find("[data-save]", dialog).hidden = zoom.hidden = !yes;
}

function enlarge(actual) {
  stage.classList.toggle("actual", actual);
  zoom.setAttribute("aria-pressed", String(actual));
  zoom.title = words(actual ? "fit" : "zoom");
}
