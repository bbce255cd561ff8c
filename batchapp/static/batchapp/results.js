/* The table of results beside a result in a docked pane: Esc closes it, and the row it shows is marked. */
"use strict";

(() => {
  const drawer = document.getElementById("drawer");
  if (!drawer) return;

  function mark(id) {
    document.querySelectorAll(".results .lead > a[aria-current]").forEach((each) => { each.removeAttribute("aria-current"); });
    const link = id && document.getElementById(id);
    link?.setAttribute("aria-current", "true");
    link?.closest("tr").scrollIntoView({ block: "nearest" });
  }
  document.addEventListener("htmx:afterSwap", (event) => {
    const line = drawer.querySelector("[data-result-line]");
    if (event.target === drawer) mark(line && `line-${line.dataset.resultLine}`);
  });
  drawer.addEventListener("close", () => mark(null));

  /* A dialog that is not modal does not close on Esc by itself. */
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented || !drawer.matches(".docked[open]")) return;
    if (document.querySelector("dialog[open]:not(#drawer)") || event.target.closest("details.more[open], :popover-open")) return;
    event.preventDefault();
    drawer.dispatchEvent(new Event("cancel")); // as a modal one does: what was asked for is not wanted any more
    drawer.close();
  });
})();
