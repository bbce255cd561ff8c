/* Requests from a table: buttons insert column names at the cursor, and the first row is rendered while typing. */
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

  const PIECE = /\{\{|\}\}|\{([^{}]+)\}|[{}]|[^{}]+/g;
  function render(template, row) { // same rules as the server; null while the template is not valid
    let text = "";
    for (const [piece, column] of template.matchAll(PIECE)) {
      if (column !== undefined) {
        if (!Object.hasOwn(row, piece)) return null;
        text += row[piece];
      } else if (piece === "{" || piece === "}") return null;
      else text += piece === "{{" || piece === "}}" ? piece[0] : piece;
    }
    return text;
  }
  function showFirstRow() {
    const field = document.querySelector("[name=prompt][data-template]");
    const box = document.querySelector("[data-live]");
    const row = document.getElementById("first-row");
    if (!field || !box || !row) return;
    const text = field.value && render(field.value, JSON.parse(row.textContent));
    box.hidden = !text;
    if (text) box.querySelector(".answer").textContent = text;
  }
  function revealChips() {
    for (const chip of document.querySelectorAll("[data-insert][hidden]")) chip.hidden = false;
    showFirstRow();
  }
  document.addEventListener("input", (event) => { if (event.target.matches("[data-template]")) showFirstRow(); });
  document.addEventListener("htmx:afterSwap", revealChips);
  revealChips();
})();
