/* Files dragged over any place of a page: a veil says where they would go; uploads.js sends them. */
"use strict";

(() => {
  const carries = (event) => event.dataTransfer?.types.includes("Files");
  const veil = document.createElement("div");
  veil.className = "over-all";
  document.body.append(veil);

  function cover(is) {
    const form = document.querySelector("[data-sending]");
    const project = form?.dataset.project || document.getElementById("main")?.dataset.dropName;
    document.querySelector("[data-drop]")?.classList.toggle("over", is);
    veil.textContent = project ? `Drop to upload to ${project}` : "Files cannot be dropped on this page";
    veil.classList.toggle("shown", is);
  }

  document.addEventListener("dragenter", (event) => { if (carries(event)) cover(true); });
  document.addEventListener("dragover", (event) => { if (carries(event)) event.preventDefault(); }); // the page stays
  document.addEventListener("dragleave", (event) => { if (carries(event) && !event.relatedTarget) cover(false); });
  document.addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    cover(false);
    const items = [...event.dataTransfer.items].filter((item) => item.kind === "file");
    const entries = items.map((item) => item.webkitGetAsEntry?.());
    const folders = entries.filter((entry) => entry?.isDirectory).map((entry) => entry.name);
    const files = [...event.dataTransfer.files].filter((file) => !folders.includes(file.name));
    document.dispatchEvent(new CustomEvent("portal:dropped", { detail: { files, folders } }));
  });
})();
