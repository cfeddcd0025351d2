// Pictures that wait to be sent. Each goes to the server at once, so that a file that is no picture is refused here.
// The tray says "arrived" when one is there, and "lost" when one will not come that was to.

import { address, all, element, find, icon, page, post, Refused, words } from "./dom.js";

const tray = find("#tray");
const items = new Map(); // list item -> what the server keeps, or null while it is on its way

export const isUploading = () => [...items.values()].includes(null);
export const trayUploads = () => [...items.values()].filter(Boolean);

// Fade what is on its way with a message: it does not go with the next one.
export function markGoing(uploads) {
  for (const [item, kept] of items) item.classList.toggle("going", uploads.includes(kept));
}

// Take out what was sent, and what was refused; a picture that was added meanwhile stays.
export function clearTray(sent) {
  for (const item of [...tray.children]) {
    if (items.has(item) && !sent.includes(items.get(item))) continue;
    URL.revokeObjectURL(find("img", item)?.src ?? "");
    items.delete(item);
    item.remove();
  }
  tray.hidden = !tray.children.length;
}

export async function addFiles(files) {
  await Promise.all([...files].map(add));
}

async function add(file) {
  const name = file.name || "picture";
  if (items.size >= page.most.pictures) return refuse(words("too_many", { most: page.most.pictures }));
  if (file.size > page.most.bytes) return refuse(words("too_large", { name, most: page.most.bytes / 2 ** 20 }));
  const item = show(file, name);
  items.set(item, null);
  try {
    const kept = await post(address("/uploads", { name }), file);
    if (!items.has(item)) return; // it was taken out meanwhile
    items.set(item, kept);
    item.classList.remove("busy");
    find(".spinner", item).remove();
    say(words("added", { name }));
    tray.dispatchEvent(new Event("arrived"));
  } catch (error) {
    const wanted = items.delete(item);
    item.remove();
    if (wanted) refuse(error instanceof Refused ? error.message : words("upload_failed", { name }));
  }
}

function show(file, name) {
  const image = element("img", { alt: name });
  const item = element("li", { class: "busy" }, image, element("span", { class: "spinner", "aria-label": words("upload_busy"), role: "img" }));
  image.addEventListener("error", () => {
    // The browser cannot show every kind of picture that the bot can read (HEIC).
    image.replaceWith(icon("file"), element("span", { class: "name" }, name));
  });
  image.src = URL.createObjectURL(file);
  item.title = name;
  append(item, name);
  return item;
}

function refuse(reason) {
  tray.dispatchEvent(new Event("lost"));
  if (all(".refused", tray).some((each) => each.textContent === reason)) return; // said before
  append(element("li", { class: "refused" }, element("span", { role: "alert" }, reason)), "");
}

function append(item, name) {
  const label = name ? words("remove", { name }) : words("dismiss");
  const button = element("button", { type: "button", "aria-label": label }, icon("close"));
  button.addEventListener("click", () => {
    const wasComing = items.get(item) === null;
    items.delete(item);
    item.remove();
    tray.hidden = !tray.children.length;
    find("#words").focus();
    if (name) say(words("removed", { name }));
    if (wasComing) tray.dispatchEvent(new Event("lost"));
  });
  item.append(button);
  tray.append(item);
  tray.hidden = false;
  item.scrollIntoView({ block: "nearest" });
}

function say(text) {
  find("#menu-status").textContent = text;
}
