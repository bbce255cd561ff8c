/* Dialogs and forms, where HTML alone is not enough. Every page works without it. */
"use strict";

(() => {
  const say = (text) => document.dispatchEvent(new CustomEvent("portal:say", { detail: text }));

  /* Dialogs and the drawer: a link that targets one brings what is also a page of its own. */
  document.addEventListener("htmx:afterSwap", (event) => {
    const dialog = event.target;
    if (!dialog.matches("#dialog, #drawer")) return;
    if (!dialog.open) dialog.showModal();
    prepare();
  });
  document.addEventListener("click", (event) => {
    const dialog = event.target.closest("dialog");
    if (dialog && (event.target === dialog || event.target.closest("[data-close]"))) {
      event.preventDefault();
      dialog.close();
    }
  });

  /* With Ctrl, Cmd or Shift a link opens elsewhere, as links do, whatever it brings in here. */
  document.addEventListener("click", (event) => {
    const isElsewhere = event.ctrlKey || event.metaKey || event.shiftKey;
    if (isElsewhere && event.target.closest("a[hx-get]")) event.stopPropagation();
  }, true);

  /* A refused form is a page too: show its sentence. A fragment keeps what it last showed. */
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.boosted && event.detail.xhr.status >= 400) event.detail.shouldSwap = true;
  });

  /* A form is sent once; coming Back makes it whole again. */
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "post" || event.target.matches("[data-upload]")) return;
    setTimeout(() => event.target.querySelectorAll("button").forEach((each) => { each.disabled = true; }));
  });
  addEventListener("pageshow", () => {
    prepare();
    document.querySelectorAll("form button[disabled]").forEach((each) => { each.disabled = false; });
  });

  /* Toasts: good news leaves by itself, unless somebody is at it; bad news stays. */
  const PATIENCE = 4000; // milliseconds, and as much again for every eighty letters
  function dismiss(toast) {
    toast.classList.add("leaving");
    setTimeout(() => toast.remove(), 250);
  }
  function watch(toast) {
    const wait = PATIENCE * (1 + toast.textContent.trim().length / 80);
    const leave = () => toast.matches(":hover, :focus-within") ? setTimeout(leave, PATIENCE) : dismiss(toast);
    setTimeout(leave, wait);
  }
  document.addEventListener("click", (event) => {
    const toast = event.target.closest("[data-dismiss]")?.closest("[data-toast]");
    if (toast) dismiss(toast);
  });

  /* Copying: the button shows where there is a clipboard, and tells that it is done. */
  async function copy(button) {
    const text = button.closest(".code, .copy").querySelector("pre, code").textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      return say("The browser did not let us copy. Select the text and copy it yourself.");
    }
    button.classList.add("copied");
    say("Copied.");
    setTimeout(() => button.classList.remove("copied"), 2000);
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
  });

  /* What scripts add to a page that came whole, or to a piece that came later. */
  function prepare() {
    if (navigator.clipboard) document.querySelectorAll("[data-copy]").forEach((each) => { each.hidden = false; });
    document.querySelectorAll("[data-toast].success:not([data-watched])").forEach((toast) => {
      toast.dataset.watched = "";
      watch(toast);
    });
  }
  document.addEventListener("htmx:afterSettle", prepare);
  prepare();
})();
