// The reader's own choices, kept in cookies so that the server can draw the page right at once.

import { all, find } from "./dom.js";

export function startSettings() {
  keep("zone", Intl.DateTimeFormat().resolvedOptions().timeZone);
  for (const button of all("[data-language]")) {
    button.addEventListener("click", () => {
      keep("language", button.dataset.language);
      location.reload();
    });
  }
  for (const button of all("[data-theme-choice]")) {
    button.addEventListener("click", () => {
      const theme = button.dataset.themeChoice;
      keep("theme", theme);
      document.documentElement.dataset.theme = theme;
      find("meta[name=color-scheme]").content = theme || "light dark";
      all("[data-theme-choice]").forEach((each) => each.setAttribute("aria-pressed", String(each === button)));
    });
  }
  startSidebar();
}

function keep(name, value) {
  document.cookie = `seedream-${name}=${encodeURIComponent(value)};path=/;max-age=31536000;samesite=lax`;
}

// On a narrow window the left column lies over the conversation.
function startSidebar() {
  const sidebar = find("#sidebar");
  const opener = find("#open-sidebar");
  const show = (open) => {
    sidebar.classList.toggle("open", open);
    find("#shade").hidden = !open;
    opener.setAttribute("aria-expanded", String(open));
    (open ? find("#close-sidebar") : opener).focus();
  };
  opener.addEventListener("click", () => show(true));
  find("#close-sidebar").addEventListener("click", () => show(false));
  find("#shade").addEventListener("click", () => show(false));
  sidebar.addEventListener("keydown", (event) => event.key === "Escape" && sidebar.classList.contains("open") && show(false));
}
