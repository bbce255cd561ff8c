/* Files dragged over a page: an overlay names the project they would go to; uploads.js sends them. */
"use strict";

(() => {
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  const overlay = document.createElement("div");
  overlay.className = "drop-overlay";
  document.body.append(overlay);

  function showOverlay(isShown) {
    const form = document.querySelector("[data-sending]");
    const project = form?.dataset.project || document.getElementById("main")?.dataset.dropName;
    document.querySelector("[data-drop]")?.classList.toggle("over", isShown);
    overlay.textContent = project ? `Drop to upload to ${project}` : "Files cannot be dropped on this page";
    overlay.classList.toggle("shown", isShown);
  }

  document.addEventListener("dragenter", (event) => { if (hasFiles(event)) showOverlay(true); });
  document.addEventListener("dragover", (event) => { if (hasFiles(event)) event.preventDefault(); }); // the page stays
  document.addEventListener("dragleave", (event) => { if (hasFiles(event) && !event.relatedTarget) showOverlay(false); });
  document.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    showOverlay(false);
    const items = [...event.dataTransfer.items].filter((item) => item.kind === "file");
    const entries = items.map((item) => item.webkitGetAsEntry?.());
    const folders = entries.filter((entry) => entry?.isDirectory).map((entry) => entry.name);
    const files = [...event.dataTransfer.files].filter((file) => !folders.includes(file.name));
    document.dispatchEvent(new CustomEvent("portal:dropped", { detail: { files, folders } }));
  });
})();
