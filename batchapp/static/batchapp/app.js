/* What HTML cannot do alone. Every page works without it. */
"use strict";

(() => {
  const MIB = 1024 * 1024;

  /* Dialogs: a link with hx-target="#dialog" brings a form that is also a page of its own. */
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.target.id === "dialog" && !event.target.open) event.target.showModal();
  });
  document.addEventListener("click", (event) => {
    const dialog = event.target.closest("dialog");
    if (dialog && (event.target === dialog || event.target.closest("[data-close]"))) {
      event.preventDefault();
      dialog.close();
    }
  });

  /* A refused form is a page too: show its sentence. A fragment keeps what it last showed. */
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.boosted && event.detail.xhr.status >= 400) event.detail.shouldSwap = true;
  });

  /* Polling: not in a hidden tab, and a portal that does not answer is said to. */
  document.addEventListener("htmx:beforeRequest", (event) => {
    const trigger = event.detail.elt.getAttribute("hx-trigger") || "";
    if (document.hidden && trigger.startsWith("every")) event.preventDefault();
  });
  const offline = (is) => document.documentElement.classList.toggle("is-offline", is);
  document.addEventListener("htmx:sendError", () => offline(true));
  document.addEventListener("htmx:responseError", (event) => offline(event.detail.xhr.status >= 500));
  document.addEventListener("htmx:afterOnLoad", () => offline(false));

  /* Uploads: what was chosen, what is too large, how far it is. */
  const find = (form, part) => form.querySelector(`[data-${part}]`);

  function describe(form) {
    const input = form.querySelector("input[type=file]");
    const files = [...input.files];
    const limit = Number(input.dataset.maxBytes) || Infinity;
    const total = files.reduce((sum, file) => sum + file.size, 0);
    find(form, "chosen").textContent = files
      .map((file) => `${file.name} (${(file.size / MIB).toFixed(file.size < MIB ? 3 : 1)} MiB)`)
      .join(", ");
    const faults = files
      .filter((file) => file.size > limit || !file.size)
      .map((file) => file.size
        ? `${file.name} is larger than ${Math.floor(limit / MIB)} MiB. Split it into smaller files.`
        : `${file.name} is empty. Choose a file with one request on each line.`);
    if (total > Number(form.dataset.maxTotal)) {
      faults.push("These are too many bytes for one upload. Send fewer files at once.");
    }
    find(form, "faults").textContent = faults.join(" ");
    return !faults.length;
  }

  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-upload]");
    if (form) describe(form);
  });
  document.addEventListener("htmx:beforeRequest", (event) => {
    const form = event.detail.elt;
    if (!form.matches("form[data-upload]")) return;
    if (!describe(form)) event.preventDefault();
    else find(form, "progress").hidden = false;
  });
  document.addEventListener("htmx:xhr:progress", (event) => {
    const form = event.target;
    if (!form.matches("form[data-upload]") || !event.detail.lengthComputable) return;
    const bar = form.querySelector("progress");
    const share = event.detail.loaded / event.detail.total;
    if (form.dataset.sent) return;
    bar.value = share;
    find(form, "stage").textContent = share < 1 ? `Uploading: ${Math.floor(share * 100)} %` : "Uploaded. The portal stores the file…";
    if (share >= 1) {
      form.dataset.sent = "yes";
      bar.removeAttribute("value");
    }
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const form = event.detail.elt;
    if (!form.matches("form[data-upload]")) return;
    delete form.dataset.sent;
    find(form, "progress").hidden = true;
  });

  /* The drop zone. */
  for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      const zone = event.target.closest?.("[data-drop]");
      if (!event.dataTransfer?.types.includes("Files")) return;
      if (!zone) {
        if (kind === "dragover" || kind === "drop") event.preventDefault(); // the page stays
        return;
      }
      event.preventDefault();
      zone.classList.toggle("over", kind === "dragenter" || kind === "dragover");
      if (kind !== "drop") return;
      const input = zone.querySelector("input[type=file]");
      input.files = event.dataTransfer.files;
      input.dispatchEvent(new Event("change", { bubbles: true }));
    });
  }

  /* A form is sent once; coming Back makes it whole again. */
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "post" || event.target.matches("[data-upload]")) return;
    setTimeout(() => event.target.querySelectorAll("button").forEach((each) => { each.disabled = true; }));
  });
  addEventListener("pageshow", () => {
    document.querySelectorAll("form button[disabled]").forEach((each) => { each.disabled = false; });
  });
})();
