/* Dialogs and forms, where HTML alone is not enough. Every page works without it. */
"use strict";

(() => {
  const announce = (text) => document.dispatchEvent(new CustomEvent("portal:announce", { detail: text }));

  /* Dialogs and the drawer show what is also a page of its own. */
  const isDialog = (element) => element.matches("#dialog, #drawer");
  let lastRequest = null; // a response to an earlier request must not replace the response to this one
  let opener = null;
  const wide = matchMedia("(min-width: 80rem)");
  document.addEventListener("htmx:beforeSend", (event) => {
    if (isDialog(event.detail.target)) lastRequest = event.detail.xhr;
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (isDialog(event.detail.target) && event.detail.xhr !== lastRequest) event.detail.shouldSwap = false;
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    const dialog = event.target;
    if (!isDialog(dialog)) return;
    if (dialog.open) showOther(dialog);
    else open(dialog);
    revealControls();
  });

  function open(dialog) {
    opener = document.activeElement;
    const isDocked = dialog.id === "drawer" && wide.matches && opener.closest(".results") !== null;
    dialog.classList.toggle("docked", isDocked); // then the page beside it stays in use
    if (isDocked) dialog.show();
    else dialog.showModal();
    dialog.scrollTop = 0;
  }
  function showOther(dialog) { // for example the next result
    dialog.scrollTop = 0;
    if (!dialog.contains(document.activeElement)) dialog.querySelector("[rel=next], [rel=prev], [data-close]")?.focus();
    announce(dialog.querySelector("h1")?.textContent || "");
  }
  /* Not on "close", which comes a moment later: what was opened in between is wanted. */
  document.addEventListener("cancel", (event) => {
    if (isDialog(event.target)) lastRequest = null;
  }, true);
  document.addEventListener("close", (event) => {
    if (!isDialog(event.target)) return;
    const { activeElement } = document;
    const isLost = activeElement === document.body || event.target.contains(activeElement);
    if (isLost && opener?.id) document.getElementById(opener.id)?.focus(); // a poll may have replaced it
  }, true);

  /* If the response to a link is an error, open its page: it says what is wrong. */
  document.addEventListener("htmx:responseError", (event) => {
    const { elt } = event.detail;
    if (elt.matches("a[href]")) location.assign(elt.href);
  });

  document.addEventListener("click", (event) => {
    const dialog = event.target.closest("dialog");
    const isBackdrop = event.target === dialog && !dialog?.matches(".docked");
    if (dialog && (isBackdrop || event.target.closest("[data-close]"))) {
      event.preventDefault();
      if (isDialog(dialog)) lastRequest = null;
      dialog.close();
    }
  });

  /* With Ctrl, Cmd or Shift a link opens elsewhere, as links do, whatever it would load here. */
  document.addEventListener("click", (event) => {
    const isElsewhere = event.ctrlKey || event.metaKey || event.shiftKey;
    if (isElsewhere && event.target.closest("a[hx-get]")) event.stopPropagation();
  }, true);

  /* Filters apply themselves: where htmx does not do it, the form is sent. Their button is for pages without scripts. */
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form.filters:not([hx-get])");
    if (form?.querySelector("button.no-script")) form.requestSubmit();
  });
  /* A chip with a range of days fills in the two days of its form, so that the other filters stay as they are. */
  function markRange(box, chosen) {
    box.querySelectorAll("[aria-current]").forEach((each) => { each.removeAttribute("aria-current"); });
    chosen.setAttribute("aria-current", "true");
    const shown = box.querySelector(":scope > summary > [data-shown]");
    if (shown) shown.textContent = chosen.matches("a") ? chosen.textContent : "Chosen days";
  }
  document.addEventListener("click", (event) => {
    const chip = event.target.closest("form [data-first]");
    if (!chip || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const { first, last } = chip.closest("form").elements;
    [first.value, last.value] = [chip.dataset.first, chip.dataset.last];
    first.dispatchEvent(new Event("change", { bubbles: true }));
    markRange(chip.closest(".more, .chips"), chip);
  });
  document.addEventListener("change", (event) => {
    const own = event.target.closest("#own-days");
    if (own) markRange(own.closest(".chips") || own, own.querySelector("summary"));
  });

  /* A refused form is a page too: show its sentence. A fragment keeps what it last showed. */
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.boosted && event.detail.xhr.status >= 400) event.detail.shouldSwap = true;
  });

  /* A form is sent once; coming Back makes it whole again, but for what the page itself has disabled. */
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "post" || event.target.matches("[data-upload]")) return;
    setTimeout(() => event.target.querySelectorAll("button").forEach((each) => { each.disabled = true; }));
  });
  addEventListener("pageshow", () => {
    revealControls();
    document.querySelectorAll("form button[disabled]:not([data-impossible])").forEach((each) => { each.disabled = false; });
  });

  /* A form in a row shows its button once there is something to save. */
  document.addEventListener("change", (event) => event.target.closest("[data-changes]")?.classList.add("changed"));

  /* Toasts: a success disappears by itself, unless the pointer or the focus is in it; an error stays. */
  const TOAST_TIME = 4000; // milliseconds, and as much again for every eighty letters
  function dismiss(toast) {
    toast.classList.add("leaving");
    setTimeout(() => toast.remove(), 250);
  }
  function dismissLater(toast) {
    const wait = TOAST_TIME * (1 + toast.textContent.trim().length / 80);
    const leave = () => toast.matches(":hover, :focus-within") ? setTimeout(leave, TOAST_TIME) : dismiss(toast);
    setTimeout(leave, wait);
  }
  document.addEventListener("click", (event) => {
    const toast = event.target.closest("[data-dismiss]")?.closest("[data-toast]");
    if (!toast) return;
    const others = [...document.querySelectorAll("[data-toast]:not(.leaving) [data-dismiss]")];
    dismiss(toast);
    const next = others.find((each) => !toast.contains(each)) || document.getElementById("main");
    next.focus({ preventScroll: true });
  });

  /* Copying: the button shows where there is a clipboard, and tells that it is done. */
  async function copy(button) {
    const text = button.closest(".code, .copy, .turn").querySelector("pre, code, .answer").textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      return announce("The browser did not let us copy. Select the text and copy it yourself.");
    }
    button.classList.add("copied");
    announce("Copied.");
    setTimeout(() => button.classList.remove("copied"), 2000);
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
  });

  /* Show the buttons that need scripts, in a whole page and in fragments. */
  function revealControls() {
    if (navigator.clipboard) document.querySelectorAll("[data-copy]").forEach((each) => { each.hidden = false; });
    document.querySelectorAll("[data-toast].success:not([data-watched])").forEach((toast) => {
      toast.dataset.watched = "";
      dismissLater(toast);
    });
  }
  document.addEventListener("htmx:afterSettle", revealControls);
  revealControls();
})();
