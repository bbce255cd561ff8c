/* Keys and the command palette. All they do, links and forms do as well. */
"use strict";

(() => {
  const help = document.getElementById("help");
  const palette = document.getElementById("palette");
  if (!help || !palette) return; // nobody is signed in

  const find = (selector) => document.querySelector(selector);
  const isShown = (element) => Boolean(element?.getClientRects().length);
  const go = (name) => find(`.side a[data-go="${name}"]`)?.click();

  /* Rows: the first link of each has the focus, as if it had been tabbed to. */
  const links = () => [...document.querySelectorAll("main tbody tr")]
    .map((row) => row.querySelector(".lead a[href]") || row.querySelector("a[href]"))
    .filter(isShown);
  let last = null; // the row that had the focus, for when something else has it now

  document.addEventListener("focusin", (event) => {
    const row = event.target.closest("main tbody tr");
    if (row) last = links().find((link) => row.contains(link))?.href || last;
  });

  function move(step) {
    const turn = find(`${find("#drawer[open]") ? "#drawer" : "main"} header a[rel="${step > 0 ? "next" : "prev"}"]`);
    if (turn) {
      htmx.process(turn); // it may have come this instant
      return turn.click();
    }
    const all = links();
    const row = document.activeElement.closest("main tbody tr");
    let at = all.findIndex((link) => row?.contains(link));
    if (at < 0) at = all.findIndex((link) => link.href === last);
    const link = all[at < 0 ? 0 : Math.min(Math.max(at + step, 0), all.length - 1)];
    link?.focus({ preventScroll: true, focusVisible: true });
    link?.closest("tr").scrollIntoView({ block: "nearest" });
  }

  const order = () => find("main #new-batch") || find('.side a[data-go="new"]');
  const search = () => [...document.querySelectorAll("main input[type=search]")].find(isShown);

  search()?.setAttribute("aria-keyshortcuts", "/");

  /* Which lines of the help are true of this page. */
  const present = {
    rows: () => links().length > 0,
    result: () => Boolean(find("main header a[rel=next], main header a[rel=prev]")),
    search: () => Boolean(search()),
    order: () => Boolean(order()),
  };

  function showHelp() {
    help.querySelectorAll("[data-key]").forEach((line) => {
      line.hidden = !present[line.dataset.key]();
    });
    help.showModal();
  }

  const keys = {
    j: () => move(1),
    k: () => move(-1),
    n: () => order()?.click(),
    "/": () => { search()?.focus(); search()?.select(); },
    "?": showHelp,
  };
  const places = { h: "home", b: "batches", p: "projects" };

  /* Single keys can be turned off: speech input types them by accident. */
  const choice = document.getElementById("single-keys");
  try { choice.checked = localStorage.getItem("single-keys") !== "off"; } catch { /* none is kept */ }
  choice.addEventListener("change", () => {
    try { localStorage.setItem("single-keys", choice.checked ? "on" : "off"); } catch { /* none is kept */ }
  });

  const isMac = /Mac|iPhone|iPad/.test(navigator.platform); // where Ctrl-K cuts the line
  function isPaletteKey(event) {
    const withCommand = isMac ? event.metaKey && !event.ctrlKey : event.ctrlKey && !event.metaKey;
    return withCommand && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k";
  }
  function isForThePage(event) { // not a command of the browser, nor text that is typed
    if (event.ctrlKey || event.metaKey || event.altKey || !choice.checked) return false;
    return !event.target.isContentEditable && !event.target.closest("input, textarea, select");
  }

  let going = -Infinity; // when g was pressed
  function actionFor(event, wasGoing) {
    const arrow = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const isStep = "jk".includes(event.key);
    if (find("#drawer[open]") && !isStep) return null; // what is behind it rests
    if (event.repeat && !arrow && !isStep) return null;
    if (arrow && !event.shiftKey && links().includes(event.target)) return () => move(arrow);
    if (event.key === "g") return () => { going = event.timeStamp; };
    return wasGoing && places[event.key] ? () => go(places[event.key]) : keys[event.key];
  }
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || event.keyCode === 229) return;
    if (isPaletteKey(event)) {
      event.preventDefault();
      if (!find("dialog[open]")) openPalette();
      return;
    }
    if (find("dialog[open]:not(#drawer)") || !isForThePage(event)) return;
    const wasGoing = event.timeStamp - going < 1500;
    going = -Infinity;
    const act = actionFor(event, wasGoing);
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
    htmx.trigger(form, "look");
  }

  function activate(option) {
    for (const each of options()) each.setAttribute("aria-selected", String(each === option));
    if (!option) return input.removeAttribute("aria-activedescendant");
    input.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.target.id !== "palette-found") return;
    const number = options().length;
    input.setAttribute("aria-expanded", String(number > 0));
    palette.querySelector("[role=status]").textContent = number
      ? `${number} ${number === 1 ? "place" : "places"}`
      : event.target.textContent.trim();
    activate(options()[0]);
  });
  input.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229) return;
    const all = options();
    const at = all.findIndex(isActive);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && all.length) {
      event.preventDefault();
      activate(all[(at + step + all.length) % all.length]);
    } else if (event.key === "Enter" && at >= 0) {
      event.preventDefault();
      const { ctrlKey, metaKey, shiftKey } = event; // a new tab or window, as with a mouse
      all[at].dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, ctrlKey, metaKey, shiftKey }));
    }
  });
  form.addEventListener("submit", (event) => {
    if (options().length) event.preventDefault();
  });

  /* The links that lead to the same without this script. */
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-opens]");
    if (!opener || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (opener.dataset.opens === "help") showHelp();
    else openPalette();
  });
})();
