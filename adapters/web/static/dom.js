// What every other file needs: the page's facts, elements, words, and one way to speak to the server.

export const page = JSON.parse(document.body.dataset.page);

export const find = (selector, root = document) => root.querySelector(selector);
export const all = (selector, root = document) => [...root.querySelectorAll(selector)];

export function words(name, values = {}) {
  return page.words[name].replace(/\{(\w+)\}/g, (place, key) => values[key] ?? place);
}

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

export function address(path, query = {}) {
  return `${path}?${new URLSearchParams({ as: page.person, room: page.room, ...query })}`;
}

// crypto.randomUUID exists only where the connection is secure, and a home network's is not.
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(15));
  return "p" + [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

let fading;

export function toast(text) {
  find("#toast").textContent = text;
  clearTimeout(fading);
  fading = setTimeout(() => (find("#toast").textContent = ""), 5000);
}

export class Refused extends Error {}

// Send JSON or a file. Throws Refused with the server's reason, or TypeError where no answer came.
export async function post(path, body) {
  const isFile = body instanceof Blob;
  const response = await fetch(path, {
    method: "POST",
    body: isFile ? body : JSON.stringify(body),
    headers: { "Content-Type": isFile ? "application/octet-stream" : "application/json" },
  });
  if (response.ok) return response.status === 204 ? null : response.json();
  const answer = await response.json().catch(() => null);
  if (answer === null) throw new TypeError(`no answer to use: ${response.status}`);
  throw new Refused(answer.error);
}
