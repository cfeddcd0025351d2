// The list of messages: puts each one where it belongs, and keeps it readable.

import { address, all, find, page, post, toast, words } from "./dom.js";

const NEAR = 140; // px from the end that still count as reading the newest
const TOGETHER = 5 * 60_000; // ms within which one person's messages share a header

// The reader's own form of our language: 10:30 in Britain, 10:30 AM in America.
const locale = navigator.languages.find((each) => each.startsWith(page.language.slice(0, 2))) ?? page.language;
const list = find("#messages");
const scroller = find("#scroll");
let following = true;

export function startMessages() {
  tidy();
  toEnd();
  let top = scroller.scrollTop;
  scroller.addEventListener("scroll", () => {
    // What grows leaves the reader behind, too; only who scrolls up has stopped reading the newest.
    following = nearEnd() || (following && scroller.scrollTop >= top);
    top = scroller.scrollTop;
    if (following) find("#newest").hidden = true;
  }, { passive: true });
  // Pictures load and the box grows: whoever reads the newest goes on reading it.
  const resized = new ResizeObserver(() => following && toEnd());
  resized.observe(scroller);
  resized.observe(list);
  find("#newest").addEventListener("click", () => toEnd(gliding()));
  list.addEventListener("click", (event) => {
    const quote = event.target.closest(".quote");
    if (quote) jump(event, quote);
    const dismissed = event.target.closest("[data-dismiss]")?.closest("article");
    if (dismissed) dismiss(dismissed);
  });
  // Errors of pictures do not bubble, but they can be caught on their way down.
  list.addEventListener("error", (event) => gone(event.target), true);
  all("img", list).forEach((image) => image.complete && !image.naturalWidth && gone(image));
  keepPlaceWhenEarlierComes();
}

export function receive(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const article = template.content.querySelector("article");
  const standing = document.getElementById(article.id);
  if (standing) replace(standing, article);
  else if (!insert(article)) return;
  htmx.process(article);
  tidy();
  if (following || (!standing && article.classList.contains("own"))) toEnd();
  else if (!standing) find("#newest").hidden = false;
  if (article.classList.contains("bot")) document.body.dispatchEvent(new Event("spent"));
}

export function remove(id) {
  document.getElementById(`m-${id}`)?.remove();
  tidy();
}

export function toEnd(behavior = "auto") {
  following = true;
  scroller.scrollTo({ top: scroller.scrollHeight, behavior });
  find("#newest").hidden = true;
}

export function lastOwnLine() {
  return all("article.own .words", list).filter((line) => !line.closest(".pressed")).at(-1)?.textContent ?? "";
}

function gliding() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
}

function nearEnd() {
  return scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR;
}

function insert(article) {
  const articles = all("article", list);
  const born = Number(article.dataset.born);
  const before = articles.findLast((each) => Number(each.dataset.born) < born);
  if (before) before.after(article);
  else if (find("#earlier")) return false; // it belongs to what has not been loaded
  else if (articles.length) articles[0].before(article);
  else list.append(article);
  return true;
}

// What the reader has opened, picked or focused in a message survives its change.
function replace(standing, article) {
  const opened = find("details[open]", standing);
  const picked = find(".pick input:checked", standing)?.value;
  const focused = standing.contains(document.activeElement) ? keyOf(document.activeElement) : null;
  standing.replaceWith(article);
  if (opened) find("details", article)?.setAttribute("open", "");
  const pick = picked && find(`.pick input[value="${CSS.escape(picked)}"]`, article);
  if (pick) pick.checked = true;
  if (focused) find(focused, article)?.focus({ preventScroll: true });
}

function keyOf(focused) {
  for (const name of ["data-press", "data-view", "data-reply", "data-copy", "data-dismiss"]) {
    if (focused.hasAttribute(name)) return `[${name}="${CSS.escape(focused.getAttribute(name))}"]`;
  }
  return focused.tagName === "SUMMARY" ? "summary" : focused.name ? `[name="${CSS.escape(focused.name)}"]:checked` : null;
}

export function tidy() {
  let previous = null;
  for (const article of all("article", list)) {
    const time = find("time", article);
    showTime(time);
    const day = new Date(time.dateTime).toDateString();
    article.dataset.day = day;
    separate(article, previous?.dataset.day === day ? "" : day, time);
    const quote = find(".quote", article);
    const target = article.dataset.replyTo;
    const adjacent = Boolean(previous) && (previous.dataset.id === target
      || (previous.dataset.replyTo === target && find(".quote.adjacent", previous) !== null));
    quote?.classList.toggle("adjacent", adjacent);
    article.classList.toggle("follows", followsOn(previous, article, quote && !adjacent));
    previous = article;
  }
  all("time[data-precise], time[data-dated]").forEach(showTime);
}

function followsOn(previous, article, quoted) {
  if (!previous || quoted || find(".private", article) || previous.dataset.author !== article.dataset.author) return false;
  const apart = new Date(find("time", article).dateTime) - new Date(find("time", previous).dateTime);
  return previous.dataset.day === article.dataset.day && apart < TOGETHER;
}

function separate(article, day, time) {
  const line = article.previousElementSibling?.matches(".day") ? article.previousElementSibling : null;
  if (!day) return line?.remove();
  if (line) return;
  const made = document.createElement("p");
  made.className = "day";
  const today = day === new Date().toDateString();
  const format = new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long" });
  made.textContent = today ? words("today") : format.format(new Date(time.dateTime));
  article.before(made);
}

function showTime(time) {
  const style = "precise" in time.dataset ? { timeStyle: "medium" }
    : "dated" in time.dataset ? { day: "numeric", month: "short", hour: "numeric", minute: "2-digit" } : { timeStyle: "short" };
  const moment = new Date(time.dateTime);
  time.textContent = new Intl.DateTimeFormat(locale, style).format(moment);
  time.title = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "medium" }).format(moment);
}

function jump(event, quote) {
  const target = document.getElementById(quote.getAttribute("href").slice(1));
  event.preventDefault();
  if (!target) return;
  target.scrollIntoView({ block: "center", behavior: gliding() });
  target.classList.add("found");
  target.addEventListener("animationend", () => target.classList.remove("found"), { once: true });
}

async function dismiss(article) {
  try {
    await post(address(`/messages/${encodeURIComponent(article.dataset.id)}/dismiss`), {});
    find("#words").focus();
  } catch {
    toast(words("unsent_press"));
  }
}

function gone(image) {
  const picture = image.closest?.(".picture");
  if (!picture) return image.tagName === "IMG" && image.remove();
  picture.classList.add("gone");
  picture.disabled = true;
  picture.textContent = image.dataset.gone;
}

function keepPlaceWhenEarlierComes() {
  let height = 0;
  document.addEventListener("htmx:before:swap", () => (height = scroller.scrollHeight));
  document.addEventListener("htmx:after:swap", (event) => {
    tidy();
    const opened = event.target.closest?.(".happened");
    if (opened) opened.scrollIntoView({ block: "nearest" });
    else if (scroller.scrollTop < 200) scroller.scrollTop += scroller.scrollHeight - height;
  });
}
