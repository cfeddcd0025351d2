// The three ways in: the picker, a drop anywhere, a paste.

import { find, toast, words } from "./dom.js";
import { addFiles } from "./tray.js";

export function startFiles() {
  const picker = find("#files");
  find("#attach").addEventListener("click", () => picker.click());
  picker.addEventListener("change", () => {
    addFiles(picker.files);
    picker.value = "";
    find("#words").focus();
  });
  document.addEventListener("paste", (event) => {
    if (!event.clipboardData?.files.length || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    addFiles(event.clipboardData.files);
  });
  startDropping();
}

function startDropping() {
  const veil = find("#drop");
  let inside = 0;
  const isText = (event) => event.target.tagName === "TEXTAREA" && !carriesFiles(event);
  addEventListener("dragenter", (event) => {
    inside += 1;
    veil.hidden = !carriesFiles(event);
  });
  addEventListener("dragleave", () => {
    inside -= 1;
    if (inside <= 0) veil.hidden = true;
  });
  // Without this a browser opens whatever is dropped, and the page is gone.
  addEventListener("dragover", (event) => isText(event) || event.preventDefault());
  addEventListener("drop", (event) => {
    inside = 0;
    veil.hidden = true;
    if (isText(event)) return;
    event.preventDefault();
    if (event.dataTransfer.files.length) addFiles(event.dataTransfer.files);
    else toast(words("no_files"));
    find("#words").focus();
  });
}

function carriesFiles(event) {
  return [...event.dataTransfer.types].includes("Files");
}
