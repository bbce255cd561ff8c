/* Files that are chosen, or dropped anywhere on a page: they go to the zone of the page, to its project, or to a
   project that the person chooses; uploads.js sends them. */
"use strict";

(() => {
  const announce = (text) => document.dispatchEvent(new CustomEvent("portal:announce", { detail: text }));
  const main = () => document.getElementById("main");
  const zones = () => [...document.querySelectorAll("main [data-drop]")];
  const zoneOf = (element) => element?.closest?.("[data-drop]") || zones()[0];

  /* Where files go: a target has the addresses and limits of uploads.js, a list for rows, and a place for errors. */
  function zoneTarget(zone) {
    const form = zone.closest("form");
    const facts = form.dataset.target || form.querySelector("select")?.selectedOptions[0]?.dataset.target;
    return facts && {
      ...JSON.parse(facts), form, kind: form.dataset.takes || "files", followUp: form.elements.then?.value || "",
      list: form.querySelector("[data-queue]"), errors: form.querySelector("[data-errors]"),
    };
  }
  let panel = null; // for uploads on a page without a zone
  let panelTarget = null;
  function openPanel(title) {
    panel?.remove();
    panel = document.createElement("section");
    panel.className = "card uploads";
    panel.setAttribute("aria-label", title);
    panel.innerHTML = '<div class="row apart"><b></b><button class="button slim" type="button">Close</button></div>'
      + '<div class="errorlist"></div><ol class="queue"></ol>';
    panel.querySelector("b").textContent = title;
    panel.querySelector("button").addEventListener("click", () => {
      if (panel.querySelector("[data-state=queued], [data-state=sending]")) say("Files are still being sent. Cancel them first, or wait.", panel);
      else panel.remove();
    });
    document.body.append(panel);
    return { list: panel.querySelector("ol"), errors: panel.querySelector(".errorlist") };
  }
  document.addEventListener("portal:removed", () => { if (panel && !panel.querySelector("li")) panel.remove(); });
  function openTarget(facts, followUp = "") {
    if (panelTarget?.project !== facts.project || !panel.isConnected) {
      panelTarget = { ...facts, kind: "files", followUp, ...openPanel(`Uploads to ${facts.project}`) };
    }
    return panelTarget;
  }
  async function projectTarget() {
    const { dropUrl, dropThen } = main().dataset;
    const answer = await fetch(dropUrl, { headers: { Accept: "application/json" } });
    if (!answer.ok || !answer.headers.get("Content-Type")?.includes("json")) throw new Error();
    return openTarget(await answer.json(), dropThen);
  }
  function say(text, place) {
    const errors = place?.querySelector("[data-errors], .errorlist") || openPanel("Uploads").errors;
    errors.textContent = text;
    announce(text);
  }

  /* A page without a project asks which one; the files wait in memory until one is chosen. */
  let waiting = null;
  async function askProject(files, followUp) {
    const answer = await fetch(main().dataset.dropChoose, { headers: { "HX-Request": "true" } });
    if (!answer.ok || answer.redirected) throw new Error();
    const dialog = document.getElementById("dialog");
    dialog.innerHTML = await answer.text();
    const projects = dialog.querySelectorAll("[data-target]");
    waiting = { files, followUp };
    if (projects.length === 1) choose(projects[0]);
    else dialog.showModal();
  }
  function choose(link) {
    const { files, followUp } = waiting;
    waiting = null;
    send(files, openTarget(JSON.parse(link.dataset.target), followUp));
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest("#dialog [data-target]");
    if (!link || !waiting) return;
    event.preventDefault();
    document.getElementById("dialog").close();
    choose(link);
  });

  const send = (files, target) => {
    target.errors.textContent = "";
    document.dispatchEvent(new CustomEvent("portal:upload", { detail: { files, target } }));
  };
  async function take(files, zone) {
    const form = zone?.closest("form");
    if (form && !form.matches("[data-upload]")) return submit(form, files); // the page of its answer comes next
    const target = zone && zoneTarget(zone);
    if (target) return send(files, target);
    if (!document.body.dataset.person) return say("Sign in first. Then drop the files again.");
    try {
      if (main()?.dataset.dropUrl) send(files, await projectTarget());
      else await askProject(files, form?.elements.then?.value);
    } catch {
      say("The portal does not answer. Drop the files again when it is back.");
    }
  }
  function submit(form, files) {
    const input = form.querySelector("input[type=file]");
    const endings = input.accept.split(",").filter((each) => each.startsWith("."));
    if (!endings.some((ending) => files[0].name.toLowerCase().endsWith(ending))) {
      return say(`${files[0].name} is not taken here. Choose a file that ends in ${endings.join(", ")}.`, form);
    }
    const carried = new DataTransfer();
    carried.items.add(files[0]);
    input.files = carried.files;
    form.querySelector("[data-chosen]").textContent = files[0].name;
    form.querySelector(".no-script")?.classList.remove("no-script"); // wanted again if a field of the form is refused
    form.requestSubmit(form.querySelector("button.main"));
  }

  /* Choosing is as good as dropping. */
  document.addEventListener("change", (event) => {
    const input = event.target;
    if (!input.matches("[data-drop] input[type=file]") || !input.files.length) return;
    const files = [...input.files];
    if (input.closest("[data-upload]")) input.value = ""; // so that the same file can be chosen again
    take(files, zoneOf(input));
  });

  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  const isOver = (event) => hasFiles(event) || event.target.closest?.("[data-drop]"); // text over a zone
  const overlay = document.createElement("div");
  overlay.className = "drop-overlay";
  document.body.append(overlay);

  function showOverlay(isShown, zone) {
    zone?.classList.toggle("over", isShown);
    const project = main()?.dataset.dropName;
    const place = project ? `Drop to upload to ${project}` : "Drop, and choose the project";
    overlay.textContent = zone?.dataset.over || place;
    overlay.classList.toggle("shown", isShown);
  }

  document.addEventListener("dragenter", (event) => { if (hasFiles(event)) showOverlay(true, zoneOf(event.target)); });
  document.addEventListener("dragover", (event) => { if (isOver(event)) event.preventDefault(); }); // the page stays
  document.addEventListener("dragleave", (event) => {
    if (hasFiles(event) && !event.relatedTarget) showOverlay(false, zoneOf(event.target));
  });
  document.addEventListener("drop", (event) => {
    if (!isOver(event)) return;
    event.preventDefault();
    const zone = zoneOf(event.target);
    showOverlay(false, zone);
    if (!hasFiles(event)) return say("That is text, not a file. Paste it instead, or save it as a file.", zone.closest("form"));
    const items = [...event.dataTransfer.items].filter((item) => item.kind === "file");
    const entries = items.map((item) => item.webkitGetAsEntry?.());
    const folders = entries.filter((entry) => entry?.isDirectory).map((entry) => entry.name);
    const files = [...event.dataTransfer.files].filter((file) => !folders.includes(file.name));
    dropped(files, folders, zone);
  });
  async function dropped(files, folders, zone) {
    if (files.length) await take(files, zone);
    else if (!folders.length) return say("No file arrived. Save it on your computer first, then drop it from there.", zone?.closest("form"));
    if (folders.length) say(`${folders.join(", ").slice(0, 200)}: a folder cannot be uploaded. Drop the files in it.`, zone?.closest("form") || panel);
  }

  for (const input of document.querySelectorAll("form[data-upload] input[type=file]")) input.required = false; // rows count
  document.addEventListener("submit", (event) => { // pasted lines are sent as a file
    const form = event.target;
    if (!form.matches("[data-upload]") || !form.elements.pasted || form.querySelector("[data-drop]")) return;
    event.preventDefault();
    const zone = form.closest("section").querySelector("[data-drop]");
    const target = zoneTarget(zone);
    const name = form.elements.name.value.trim() || "pasted.jsonl";
    const hasEnding = target.files.endings.some((ending) => name.toLowerCase().endsWith(ending));
    send([new File([form.elements.pasted.value], hasEnding ? name : `${name}.jsonl`)], target);
  });
})();
