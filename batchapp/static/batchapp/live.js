/* Pages that move: polling, what is said aloud, and a portal that is away. */
"use strict";

(() => {
  /* What is said to who does not see it: once, from a place that no swap replaces. */
  let silence = 0;
  function say(text) {
    const said = document.getElementById("said");
    said.textContent = text;
    clearTimeout(silence); // nobody should come across it later
    silence = setTimeout(() => { said.textContent = ""; }, 5000);
  }

  document.addEventListener("portal:say", (event) => say(event.detail));

  /* Polling: not in a hidden tab, at once when it is shown again, not under a pressed pointer. */
  const polls = (element) => (element.getAttribute("hx-trigger") || "").startsWith("every");
  let isPressed = false;
  for (const [kind, is] of [["pointerdown", true], ["pointerup", false], ["pointercancel", false]]) {
    document.addEventListener(kind, () => { isPressed = is; }, true);
  }
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (polls(event.detail.elt) && (document.hidden || isPressed)) event.preventDefault();
  });
  function lookNow() {
    isPressed = false;
    if (document.hidden) return;
    document.querySelectorAll("[hx-trigger^=every]").forEach((source) => {
      const swap = source.getAttribute("hx-swap");
      htmx.ajax("GET", source.getAttribute("hx-get"), { source, target: source, swap }).catch(() => {});
    });
  }
  document.addEventListener("visibilitychange", lookNow);
  addEventListener("online", lookNow);
  addEventListener("pageshow", (event) => { if (event.persisted) lookNow(); });

  /* Signed out in one tab is signed out in all, and Back shows nothing of before. */
  const SIGNED_OUT = "signed-out";
  const since = Date.now();
  const stored = () => { try { return Number(localStorage.getItem(SIGNED_OUT)); } catch { return 0; } };
  const person = document.body.dataset.person;
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-sign-out]")) return;
    try { localStorage.setItem(SIGNED_OUT, Date.now()); } catch { /* then only this tab knows */ }
  });
  addEventListener("storage", (event) => {
    if (person && event.key === SIGNED_OUT) setTimeout(() => location.reload(), 1000); // when it is done
  });
  addEventListener("pageshow", (event) => {
    if (person && event.persisted && stored() >= since) location.reload();
  });

  /* A portal that does not answer, or not in time, is said to; so is its return. */
  let isOffline = false;
  function offline(is) {
    if (is === isOffline) return;
    isOffline = is;
    document.documentElement.classList.toggle("is-offline", is);
    say(is ? document.querySelector(".offline").textContent.trim() : "The portal answers again.");
  }
  document.addEventListener("htmx:configRequest", (event) => {
    if (polls(event.detail.elt)) event.detail.timeout = 15_000;
  });
  for (const kind of ["htmx:sendError", "htmx:timeout"]) document.addEventListener(kind, () => offline(true));
  addEventListener("offline", () => offline(true));
  document.addEventListener("htmx:afterOnLoad", (event) => {
    const { elt, xhr } = event.detail;
    offline(xhr.status >= 500);
    if (polls(elt) && xhr.status >= 400 && xhr.status < 500) location.reload(); // it is gone, or not ours any more
  });

  /* A poll takes nothing away: focus, scroll, open details and selection stay as they are. */
  const spoken = (element) => [...element.querySelectorAll("[role=status], [role=alert], [data-spoken]")];
  const words = (element) => element.textContent.replace(/\s+/g, " ").trim();
  const label = (details) => details.id || words(details.querySelector("summary"));

  function path(node, top) {
    const steps = [];
    for (let each = node; each !== top; each = each.parentNode) {
      steps.unshift([...each.parentNode.childNodes].indexOf(each));
    }
    return steps;
  }
  const at = (steps, top) => steps.reduce((node, step) => node?.childNodes[step], top);

  function remember(top) {
    const focused = document.activeElement;
    const selection = getSelection();
    const { anchorNode, anchorOffset, focusNode, focusOffset } = selection;
    const isSelected = !selection.isCollapsed && top.contains(anchorNode) && top.contains(focusNode);
    return {
      focus: top.contains(focused) && focused !== top
        && { path: path(focused, top), text: words(focused), href: focused.getAttribute("href") },
      scroll: [top, ...top.querySelectorAll("*")]
        .filter((each) => each.scrollLeft || each.scrollTop)
        .map((each) => [path(each, top), each.scrollLeft, each.scrollTop]),
      details: new Map([...top.querySelectorAll("details")].map((each) => [label(each), each.open])),
      selection: isSelected
        && { text: String(selection), from: [path(anchorNode, top), anchorOffset], to: [path(focusNode, top), focusOffset] },
    };
  }

  function restore(top, { focus, scroll, details, selection }) {
    top.querySelectorAll("details").forEach((each) => { each.open = details.get(label(each)) ?? each.open; });
    for (const [steps, left, above] of scroll) at(steps, top)?.scrollTo?.({ left, top: above, behavior: "instant" });
    if (focus && !top.contains(document.activeElement)) restoreFocus(top, focus); // htmx has found it if it has an id
    if (selection) restoreSelection(top, selection);
  }
  function restoreFocus(top, focus) {
    const same = (each) => each?.getAttribute?.("href") === focus.href && words(each) === focus.text;
    const place = at(focus.path, top);
    const found = same(place) ? place : focus.href && [...top.querySelectorAll("a")].find(same);
    if (found) found.focus({ preventScroll: true });
  }
  function restoreSelection(top, selection) {
    const [from, to] = [selection.from, selection.to].map(([steps, offset]) => [at(steps, top), offset]);
    if (!from[0] || !to[0]) return;
    try {
      getSelection().setBaseAndExtent(...from, ...to);
    } catch { return; } // shorter than it was
    if (String(getSelection()) !== selection.text) getSelection().removeAllRanges();
  }

  const shown = new Map(); // what was last swapped in, by id
  let swapping = null;
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { elt, target, serverResponse, shouldSwap } = event.detail;
    if (!shouldSwap || event.detail.boosted || !target.closest("main")) return;
    if (polls(elt) && shown.get(target.id) === serverResponse) {
      event.detail.shouldSwap = false; // nothing is new
      return;
    }
    shown.set(target.id, serverResponse);
    swapping = { id: target.id, isPoll: polls(elt), said: spoken(target).map(words), kept: polls(elt) && remember(target) };
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (!swapping || event.target.id !== swapping.id) return;
    const { isPoll, said, kept } = swapping;
    swapping = null;
    if (kept) restore(event.target, kept);
    // Counts that go up are not news, unless they were asked for.
    const news = (text) => isPoll ? text.replace(/[\d.,]+/g, "0") : text;
    const known = new Set(said.map(news));
    const now = spoken(event.target);
    now.forEach((each) => { each.removeAttribute("role"); each.dataset.spoken = ""; });
    const fresh = now.map(words).filter((text) => text && !known.has(news(text)));
    if (fresh.length) say(fresh.join(" "));
  });
})();
