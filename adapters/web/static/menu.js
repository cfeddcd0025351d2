// The slash menu above the box: a list that the text box points into, so that typing goes on while it is open.

import { element, find, page, words } from "./dom.js";
import { commandOf, suggest, unused } from "./suggest.js";

const area = find("#words");
const list = find("#menu-list");
let shown = { from: 0, items: [] };
let chosen = -1;
let dismissed = null; // the text for which Esc was pressed

export function startMenu() {
  area.addEventListener("input", update);
  area.addEventListener("click", update);
  area.addEventListener("keyup", (event) => ["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key) && update());
  area.addEventListener("blur", close);
  area.addEventListener("focus", update);
  list.addEventListener("mousedown", (event) => {
    const item = event.target.closest("li");
    event.preventDefault(); // the box keeps the focus
    if (item) take([...list.children].indexOf(item));
  });
  update();
  find("#options").addEventListener("mousedown", (event) => event.preventDefault());
  find("#options").addEventListener("click", (event) => {
    const name = event.target.closest("button")?.textContent;
    if (name) insert(area.value.length, area.value.length, `${/\s$/.test(area.value) ? "" : " "}${name} `);
  });
}

// True where the key was for the menu.
export function handleMenuKey(event) {
  if (find("#menu").hidden) return false;
  const steps = { ArrowDown: 1, ArrowUp: -1 };
  if (event.key in steps) {
    const count = shown.items.length;
    choose(chosen < 0 && event.key === "ArrowUp" ? count - 1 : (chosen + steps[event.key] + count) % count);
  } else if (event.key === "Escape") {
    dismissed = area.value;
    close();
  } else if (event.key === "Tab" && !event.shiftKey) {
    take(Math.max(chosen, 0));
  } else if (event.key === "Enter" && !event.shiftKey && chosen >= 0 && !standsThere(shown.items[chosen])) {
    take(chosen);
  } else {
    return false;
  }
  event.preventDefault();
  return true;
}

function update() {
  showOptions();
  if (document.activeElement !== area || area.value === dismissed || area.selectionStart !== area.selectionEnd) return close();
  dismissed = null;
  shown = suggest(page.commands, area.value, area.selectionStart);
  if (!shown.items.length) return close();
  list.replaceChildren(...shown.items.map(draw));
  find("#menu").hidden = false;
  find("#menu-status").textContent = words("suggestions", { count: shown.items.length });
  choose(shown.sure ? 0 : -1);
}

function draw(item, position) {
  const parts = [element("span", { class: "what" }, item.what)];
  if (item.usage) parts.push(element("span", { class: "usage" }, item.usage));
  if (item.help) parts.push(element("span", { class: "help" }, item.help));
  return element("li", { role: "option", id: `menu-${position}`, "aria-selected": "false" }, ...parts);
}

function choose(position) {
  chosen = position;
  [...list.children].forEach((item, index) => item.setAttribute("aria-selected", String(index === position)));
  list.children[position]?.scrollIntoView({ block: "nearest" });
  if (position >= 0) area.setAttribute("aria-activedescendant", `menu-${position}`);
  else area.removeAttribute("aria-activedescendant");
}

function take(position) {
  insert(shown.from, area.selectionStart, shown.items[position].insert);
}

function insert(from, to, text) {
  area.setRangeText(text, from, to, "end");
  area.focus();
  area.dispatchEvent(new Event("input", { bubbles: true }));
}

// The whole of it has been typed and nothing more is needed: then Enter sends.
function standsThere(item) {
  return area.value.slice(shown.from, area.selectionStart) === item.what && item.complete !== false;
}

function close() {
  find("#menu").hidden = true;
  area.removeAttribute("aria-activedescendant");
}

// Under the box, the options that the command still takes; the general hint stands there otherwise.
function showOptions() {
  const command = /\s/.test(area.value) ? commandOf(page.commands, area.value) : null;
  const left = command ? unused(command, area.value) : [];
  const box = find("#options");
  box.hidden = !left.length;
  find("#hint").hidden = Boolean(left.length);
  box.setAttribute("aria-label", words("options"));
  box.replaceChildren(...left.map((each) => element("button", { type: "button", title: each.help }, `--${each.name}`)));
}
