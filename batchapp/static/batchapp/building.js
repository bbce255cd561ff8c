/* Requests from a table: the chips of the columns insert a name where the cursor is. */
"use strict";

(() => {
  let lastField = null; // the template that the cursor was in
  document.addEventListener("focusin", (event) => {
    if (event.target.matches("[data-template]")) lastField = event.target;
  });
  document.addEventListener("click", (event) => {
    const chip = event.target.closest("[data-insert]");
    const field = lastField?.isConnected ? lastField : document.querySelector("[data-template]");
    if (!chip || !field) return;
    field.setRangeText(chip.dataset.insert, field.selectionStart, field.selectionEnd, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.focus();
  });
  function revealChips() {
    for (const chip of document.querySelectorAll(":is([data-insert], [data-insert-hint])[hidden]")) chip.hidden = false;
  }
  document.addEventListener("htmx:afterSwap", revealChips);
  revealChips();
})();
