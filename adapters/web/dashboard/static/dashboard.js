// What the pages cannot do without a script: copying, asking before what cannot be undone, and staying up to date.

import { startSettings } from "/dashboard/shared/settings.js";

const EVERY = 5000;
const all = (selector) => [...document.querySelectorAll(selector)];

startSettings();

for (const button of all("[data-copy]")) {
  button.addEventListener("click", async () => {
    const line = document.getElementById(button.dataset.copy);
    const said = document.getElementById("copied");
    try {
      await navigator.clipboard.writeText(line.textContent);
      said.textContent = button.dataset.copied;
    } catch {
      getSelection().selectAllChildren(line);
      said.textContent = button.dataset.notCopied;
    }
  });
}

// Delegated, because what is live is drawn anew.
document.addEventListener("submit", (event) => {
  const asks = event.submitter?.dataset.asks;
  if (asks && !confirm(asks)) event.preventDefault();
});

for (const select of all("form.filters select")) select.addEventListener("change", () => select.form.requestSubmit());

// A page that shows what is going on now draws itself anew, unless somebody is just using it or does not look.
async function refresh() {
  const live = document.querySelector("[data-live]");
  if (!live || document.hidden || live.contains(document.activeElement)) return;
  try {
    const response = await fetch(location.pathname, { headers: { Accept: "text/html" } });
    if (!response.ok) return location.reload();
    const drawn = new DOMParser().parseFromString(await response.text(), "text/html").querySelector("[data-live]");
    if (drawn && !live.contains(document.activeElement)) live.replaceWith(drawn);
  } catch {
    // It does not answer just now; the next try may find it again.
  }
}

if (document.querySelector("[data-live]")) setInterval(refresh, EVERY);
