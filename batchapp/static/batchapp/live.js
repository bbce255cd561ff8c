/* Pages that poll, announcements for screen readers, and a portal that does not answer. */
"use strict";

(() => {
  /* Announcements for screen readers come from one element that no swap replaces. */
  let clearTimer = 0;
  function announce(text) {
    const announcer = document.getElementById("announcer");
    announcer.textContent = text;
    clearTimeout(clearTimer); // a screen reader should not find an old text
    clearTimer = setTimeout(() => { announcer.textContent = ""; }, 5000);
  }

  document.addEventListener("portal:announce", (event) => announce(event.detail));

  /* Polling: not in a hidden tab, at once when it is shown again, not under a pressed pointer. */
  const isPolling = (element) => (element.getAttribute("hx-trigger") || "").startsWith("every");
  let isPressed = false;
  for (const [kind, value] of [["pointerdown", true], ["pointerup", false], ["pointercancel", false]]) {
    document.addEventListener(kind, () => { isPressed = value; }, true);
  }
  // In a hidden tab the inbox alone is polled, so that the browser can show what is new.
  const showsNews = (element) => element.id === "inbox-count" && window.Notification?.permission === "granted";
  document.addEventListener("htmx:beforeRequest", (event) => {
    const { elt } = event.detail;
    if (isPolling(elt) && ((document.hidden && !showsNews(elt)) || isPressed)) event.preventDefault();
  });
  function pollNow() {
    isPressed = false;
    if (document.hidden) return;
    document.querySelectorAll("[hx-trigger^=every]").forEach((source) => {
      const swap = source.getAttribute("hx-swap");
      htmx.ajax("GET", source.getAttribute("hx-get"), { source, target: source, swap }).catch(() => {});
    });
  }
  document.addEventListener("visibilitychange", pollNow);
  addEventListener("online", pollNow);
  addEventListener("pageshow", (event) => { if (event.persisted) pollNow(); });

  /* Signed out in one tab is signed out in all, and Back shows nothing of before. */
  const SIGNED_OUT = "signed-out";
  const loadedAt = Date.now();
  const signedOutAt = () => { try { return Number(localStorage.getItem(SIGNED_OUT)); } catch { return 0; } };
  const person = document.body.dataset.person;
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-sign-out]")) return;
    try { localStorage.setItem(SIGNED_OUT, Date.now()); } catch { /* then only this tab knows */ }
  });
  addEventListener("storage", (event) => {
    if (person && event.key === SIGNED_OUT) setTimeout(() => location.reload(), 1000); // the sign-out needs a moment
  });
  addEventListener("pageshow", (event) => {
    if (person && event.persisted && signedOutAt() >= loadedAt) location.reload();
  });

  /* A banner says when the portal does not answer, or not in time, and when it answers again. */
  let isOffline = false;
  function setOffline(value) {
    if (value === isOffline) return;
    isOffline = value;
    document.documentElement.classList.toggle("is-offline", value);
    announce(value ? document.querySelector(".offline").textContent.trim() : "The portal answers again.");
  }
  document.addEventListener("htmx:configRequest", (event) => {
    if (isPolling(event.detail.elt)) event.detail.timeout = 15_000;
  });
  for (const kind of ["htmx:sendError", "htmx:timeout"]) document.addEventListener(kind, () => setOffline(true));
  addEventListener("offline", () => setOffline(true));
  document.addEventListener("htmx:afterOnLoad", (event) => {
    const { elt, xhr } = event.detail;
    setOffline(xhr.status >= 500);
    if (isPolling(elt) && xhr.status >= 400 && xhr.status < 500) location.reload(); // the row was deleted, or the person may not see it any more
  });

  /* A poll keeps focus, scroll positions, open details and the selection, and fades in what is new. */
  const statuses = (element) => [...element.querySelectorAll("[role=status], [role=alert], [data-spoken]")];
  const textOf = (element) => element.textContent.replace(/\s+/g, " ").trim();
  const label = (details) => details.id || textOf(details.querySelector("summary"));

  function path(node, top) {
    const steps = [];
    for (let each = node; each !== top; each = each.parentNode) {
      steps.unshift([...each.parentNode.childNodes].indexOf(each));
    }
    return steps;
  }
  const nodeAt = (steps, top) => steps.reduce((node, step) => node?.childNodes[step], top);

  function readState(top) {
    const focused = document.activeElement;
    const selection = getSelection();
    const { anchorNode, anchorOffset, focusNode, focusOffset } = selection;
    const isSelected = !selection.isCollapsed && top.contains(anchorNode) && top.contains(focusNode);
    return {
      ids: new Set([...top.querySelectorAll("[id]")].map((each) => each.id)),
      focus: top.contains(focused) && focused !== top
        && { path: path(focused, top), text: textOf(focused), href: focused.getAttribute("href") },
      scroll: [top, ...top.querySelectorAll("*")]
        .filter((each) => each.scrollLeft || each.scrollTop)
        .map((each) => [path(each, top), each.scrollLeft, each.scrollTop]),
      details: new Map([...top.querySelectorAll("details")].map((each) => [label(each), each.open])),
      selection: isSelected
        && { text: String(selection), from: [path(anchorNode, top), anchorOffset], to: [path(focusNode, top), focusOffset] },
    };
  }

  function restoreState(top, { ids, focus, scroll, details, selection }) {
    top.querySelectorAll(".arriving").forEach((each) => { each.classList.toggle("arrived", !ids.has(each.id)); });
    top.querySelectorAll("details").forEach((each) => { each.open = details.get(label(each)) ?? each.open; });
    for (const [steps, left, above] of scroll) nodeAt(steps, top)?.scrollTo?.({ left, top: above, behavior: "instant" });
    if (focus && !top.contains(document.activeElement)) restoreFocus(top, focus); // htmx keeps the focus of an element with an id
    if (selection) restoreSelection(top, selection);
  }
  function restoreFocus(top, focus) {
    const same = (each) => each?.getAttribute?.("href") === focus.href && textOf(each) === focus.text;
    const candidate = nodeAt(focus.path, top);
    const match = same(candidate) ? candidate : focus.href && [...top.querySelectorAll("a")].find(same);
    if (match) match.focus({ preventScroll: true });
  }
  function restoreSelection(top, selection) {
    const [from, to] = [selection.from, selection.to].map(([steps, offset]) => [nodeAt(steps, top), offset]);
    if (!from[0] || !to[0]) return;
    try {
      getSelection().setBaseAndExtent(...from, ...to);
    } catch { return; } // the new text is shorter
    if (String(getSelection()) !== selection.text) getSelection().removeAllRanges();
  }

  const lastResponses = new Map(); // id of a target -> the last response
  let swapping = null;
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { elt, target, serverResponse, shouldSwap } = event.detail;
    if (!shouldSwap || event.detail.boosted || !target.closest("main")) return;
    if (isPolling(elt) && lastResponses.get(target.id) === serverResponse) {
      event.detail.shouldSwap = false; // nothing changed
      return;
    }
    lastResponses.set(target.id, serverResponse);
    swapping = { id: target.id, isPoll: isPolling(elt), oldTexts: statuses(target).map(textOf), state: isPolling(elt) && readState(target) };
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (!swapping || event.target.id !== swapping.id) return;
    const { isPoll, oldTexts, state } = swapping;
    swapping = null;
    if (state) restoreState(event.target, state);
    // Counts that go up are not news, unless they were asked for.
    const news = (text) => isPoll ? text.replace(/[\d.,]+/g, "0") : text;
    const knownTexts = new Set(oldTexts.map(news));
    const current = statuses(event.target);
    current.forEach((each) => { each.removeAttribute("role"); each.dataset.spoken = ""; });
    const newTexts = current.map(textOf).filter((text) => text && !knownTexts.has(news(text)));
    if (newTexts.length) announce(newTexts.join(" "));
  });
})();
