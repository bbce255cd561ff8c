/* The hint of a term opens on hover and focus. A click opens it without this script. */
"use strict";

(() => {
  const HOVER_DELAY = 150; // milliseconds, so that a pointer on its way opens nothing
  let timer = 0;
  const part = (event) => event.target.closest?.(".term, .hint");
  const hintOf = (element) => element.matches(".hint") ? element : element.nextElementSibling;

  function show(term) {
    if (term.isConnected && !hintOf(term).matches(":popover-open")) hintOf(term).showPopover({ source: term });
  }
  document.addEventListener("pointerover", (event) => {
    const element = part(event);
    if (!element || event.pointerType === "touch") return;
    clearTimeout(timer); // the pointer may move from the term into its hint
    if (element.matches(".term")) timer = setTimeout(() => show(element), HOVER_DELAY);
  });
  document.addEventListener("pointerout", (event) => {
    const element = part(event);
    if (!element || event.pointerType === "touch") return;
    clearTimeout(timer);
    timer = setTimeout(() => hintOf(element).hidePopover(), 2 * HOVER_DELAY);
  });
  document.addEventListener("focusin", (event) => {
    if (event.target.matches(".term:focus-visible")) show(event.target);
  });
  document.addEventListener("focusout", (event) => {
    if (event.target.matches(".term")) hintOf(event.target).hidePopover();
  });
})();
