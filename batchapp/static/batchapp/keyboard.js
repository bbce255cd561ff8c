/* Keyboard shortcuts and the command palette. Links and forms do the same without them. */
"use strict";

(() => {
  const help = document.getElementById("help");
  const palette = document.getElementById("palette");
  if (!help || !palette) return; // nobody is signed in

  const first = (selector) => document.querySelector(selector);
  const isShown = (element) => Boolean(element?.getClientRects().length);
  const go = (name) => first(`.side a[data-go="${name}"]`)?.click();

  /* Rows: the first link of each has the focus, as if it had been tabbed to. */
  const links = () => [...document.querySelectorAll("main tbody tr")]
    .map((row) => row.querySelector(".lead a[href]") || row.querySelector("a[href]"))
    .filter(isShown);
  let lastHref = null; // address of the row that had the focus last

  document.addEventListener("focusin", (event) => {
    const row = event.target.closest("main tbody tr");
    if (row) lastHref = links().find((link) => row.contains(link))?.href || lastHref;
  });

  function move(step) {
    const neighbour = first(`${first("#drawer[open]") ? "#drawer" : "main"} header a[rel="${step > 0 ? "next" : "prev"}"]`);
    if (neighbour) {
      htmx.process(neighbour); // htmx may not have seen the link yet
      return neighbour.click();
    }
    const all = links();
    const row = document.activeElement.closest("main tbody tr");
    let index = all.findIndex((link) => row?.contains(link));
    if (index < 0) index = all.findIndex((link) => link.href === lastHref);
    const link = all[index < 0 ? 0 : Math.min(Math.max(index + step, 0), all.length - 1)];
    link?.focus({ preventScroll: true, focusVisible: true });
    link?.closest("tr").scrollIntoView({ block: "nearest" });
  }

  const order = () => first("main #new-batch") || first('.side a[data-go="new"]');
  const search = () => [...document.querySelectorAll("main input[type=search]")].find(isShown);

  search()?.setAttribute("aria-keyshortcuts", "/");

  /* Which shortcuts work on this page; the help hides the others. */
  const isUsable = {
    rows: () => links().length > 0,
    result: () => Boolean(first("main header a[rel=next], main header a[rel=prev]")),
    search: () => Boolean(search()),
    order: () => Boolean(order()),
  };

  function openHelp() {
    help.querySelectorAll("[data-key]").forEach((line) => {
      line.hidden = !isUsable[line.dataset.key]();
    });
    help.showModal();
  }

  const keys = {
    j: () => move(1),
    k: () => move(-1),
    n: () => order()?.click(),
    "/": () => { search()?.focus(); search()?.select(); },
    h: () => document.getElementById("page-help")?.click(),
    "?": openHelp,
  };
  const destinations = { h: "home", b: "batches", p: "projects" };

  /* Single keys can be turned off: speech input types them by accident. */
  const singleKeys = document.getElementById("single-keys");
  try { singleKeys.checked = localStorage.getItem("single-keys") !== "off"; } catch { /* none is kept */ }
  singleKeys.addEventListener("change", () => {
    try { localStorage.setItem("single-keys", singleKeys.checked ? "on" : "off"); } catch { /* none is kept */ }
  });

  const isMac = /Mac|iPhone|iPad/.test(navigator.platform); // where Ctrl-K cuts the line
  function isPaletteKey(event) {
    const withCommand = isMac ? event.metaKey && !event.ctrlKey : event.ctrlKey && !event.metaKey;
    return withCommand && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k";
  }
  function isForThePage(event) { // not a command of the browser, nor text that is typed
    if (event.ctrlKey || event.metaKey || event.altKey || !singleKeys.checked) return false;
    return !event.target.isContentEditable && !event.target.closest("input, textarea, select");
  }

  let gPressedAt = -Infinity; // when g was pressed
  function actionFor(event, afterG) {
    const arrow = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const isStep = "jk".includes(event.key);
    if (first("#drawer[open]:not(.docked)") && !isStep) return null; // the page behind the drawer takes no keys
    if (event.repeat && !arrow && !isStep) return null;
    if (arrow && !event.shiftKey && links().includes(event.target)) return () => move(arrow);
    if (event.key === "g") return () => { gPressedAt = event.timeStamp; };
    return afterG && destinations[event.key] ? () => go(destinations[event.key]) : keys[event.key];
  }
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || event.keyCode === 229) return;
    if (isPaletteKey(event)) {
      event.preventDefault();
      if (!first("dialog[open]")) openPalette();
      return;
    }
    if (first("dialog[open]:not(#drawer)") || !isForThePage(event)) return;
    const afterG = event.timeStamp - gPressedAt < 1500;
    gPressedAt = -Infinity;
    const act = actionFor(event, afterG);
    if (!act) return;
    event.preventDefault();
    act();
  });

  /* The palette: a combobox whose list comes from the server. */
  const form = palette.querySelector("form");
  const input = palette.querySelector("[role=combobox]");
  const options = () => [...palette.querySelectorAll("[role=option]")];
  const isActive = (option) => option.getAttribute("aria-selected") === "true";

  function openPalette() {
    form.reset();
    activate(null);
    palette.showModal();
    input.focus();
    htmx.trigger(form, "open");
  }

  function activate(option) {
    for (const each of options()) each.setAttribute("aria-selected", String(each === option));
    if (!option) return input.removeAttribute("aria-activedescendant");
    input.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.target.id !== "palette-results") return;
    const number = options().length;
    input.setAttribute("aria-expanded", String(number > 0));
    palette.querySelector("[role=status]").textContent = number
      ? `${number} ${number === 1 ? "match" : "matches"}`
      : event.target.textContent.trim();
    activate(options()[0]);
  });
  input.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229) return;
    const all = options();
    const index = all.findIndex(isActive);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && all.length) {
      event.preventDefault();
      activate(all[(index + step + all.length) % all.length]);
    } else if (event.key === "Enter" && index >= 0) {
      event.preventDefault();
      const { ctrlKey, metaKey, shiftKey } = event; // a new tab or window, as with a mouse
      all[index].dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, ctrlKey, metaKey, shiftKey }));
    }
  });
  form.addEventListener("submit", (event) => {
    if (options().length) event.preventDefault();
  });

  /* Links that lead to a page without this script open the dialog. */
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-opens]");
    if (!opener || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (opener.dataset.opens === "help") openHelp();
    else openPalette();
  });
})();
