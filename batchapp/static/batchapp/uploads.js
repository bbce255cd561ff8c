/* Uploads: each file has a row with its progress, its findings and its error. */
"use strict";

(() => {
  const MIB = 1024 * 1024;
  const LARGE = 50 * MIB;
  const MAX_PARALLEL = 2;
  const POLL_INTERVAL = 1000; // milliseconds, at a file that is being checked
  const LONGEST_NAME = 80;

  const announce = (text) => document.dispatchEvent(new CustomEvent("portal:announce", { detail: text }));
  const clip = (name) => {
    const letters = [...name];
    return letters.length > LONGEST_NAME ? `${letters.slice(0, 50).join("")}…${letters.slice(-25).join("")}` : name;
  };
  const size = (bytes) => {
    if (bytes < 1024) return `${bytes} ${bytes === 1 ? "byte" : "bytes"}`;
    return bytes < MIB ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / MIB).toFixed(1)} MiB`;
  };
  function createElement(tag, classes = "", text = "") {
    const element = document.createElement(tag);
    if (classes) element.className = classes;
    element.textContent = text;
    return element;
  }
  function randomId() { // crypto.randomUUID is there on https only
    return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }
  function token() { // of the cookie, which a new sign-in in another tab changes
    const cookie = /(?:^|; )csrftoken=([^;]+)/.exec(document.cookie);
    return cookie?.[1] || JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
  }

  /* The target of uploads on this page: its form, or the project of the page. */
  const section = () => document.querySelector("[data-sending]");
  const main = () => document.getElementById("main");

  function formTarget(top) {
    const form = top.querySelector("form[data-upload]");
    return {
      url: form.action,
      project: top.dataset.project,
      followUp: form.elements.then.value,
      maxBytes: Number(top.dataset.maxBytes),
      endings: top.dataset.accept.split(","),
      list: top.querySelector("[data-queue]"),
      errors: top.querySelector("[data-errors]"),
    };
  }
  function showError(target, text) {
    target.errors.textContent = text;
    announce(text);
  }
  let panel = null;
  function openPanel(title) {
    panel?.remove();
    panel = createElement("section", "card uploads");
    panel.setAttribute("aria-label", title);
    const list = createElement("ol", "queue");
    const errors = createElement("div", "errorlist");
    const close = createElement("button", "button slim", "Close");
    close.type = "button";
    close.addEventListener("click", () => {
      if (!busy().length) panel.remove();
      else showError({ errors }, "Files are still being sent. Cancel them first, or wait.");
    });
    const head = createElement("div", "row apart");
    head.append(createElement("b", "", title), close);
    panel.append(head, errors, list);
    document.body.append(panel);
    return { list, errors };
  }
  let openTarget = null; // the target on a page without an upload form
  async function projectTarget() {
    const { dropUrl, dropName } = main().dataset;
    if (openTarget && panel.isConnected) return openTarget;
    const answer = await fetch(dropUrl, { headers: { Accept: "application/json" } });
    if (!answer.ok || !answer.headers.get("Content-Type")?.includes("json")) throw new Error();
    const limits = await answer.json();
    const elements = openPanel(`Uploads to ${dropName || limits.project}`);
    openTarget = { url: dropUrl, project: limits.project, followUp: main().dataset.dropThen || "", maxBytes: limits.max_bytes, endings: limits.endings, ...elements };
    return openTarget;
  }

  /* Rows. `state` is waiting (chosen), queued, sending, failed, checking or done. */
  const rows = [];
  const busy = () => rows.filter((row) => ["queued", "sending"].includes(row.state));

  function refusal(file, target) {
    if (!file.size) return `${clip(file.name)} is empty. Choose a file with one request on each line.`;
    const name = file.name.toLowerCase();
    if (name.includes(".") && !target.endings.some((ending) => name.endsWith(ending))) {
      return `${clip(file.name)} is not taken: request files end in ${target.endings.join(", ")}. Export your requests as JSONL, one on each line.`;
    }
    if (file.size > target.maxBytes) {
      return `${clip(file.name)} has ${size(file.size)}, and at most ${size(target.maxBytes)} are taken. Split it into smaller files.`;
    }
    return "";
  }

  function button(row, text, onClick) {
    const element = createElement("button", "button slim", text);
    element.type = "button";
    element.append(createElement("span", "visually-hidden", ` ${clip(row.file.name)}`));
    element.addEventListener("click", onClick);
    return element;
  }
  function show(row, state, tone, text, ...buttons) {
    row.state = state;
    row.status.className = tone ? `pill ${tone}` : "muted small";
    row.status.textContent = text;
    const hadFocus = row.buttons.contains(document.activeElement);
    row.buttons.replaceChildren(...buttons);
    if (hadFocus) (row.buttons.querySelector("button, a") || row.element).focus();
    row.bar.hidden = !["sending", "checking"].includes(state);
    row.note.hidden = !["waiting", "queued", "sending"].includes(state) || row.file.size <= LARGE;
  }
  function fail(row, text) {
    const retryButtons = row.isRefused ? [] : [button(row, "Try again", () => { queue(row); start(); })];
    show(row, "failed", "bad", "Not uploaded", ...retryButtons, button(row, "Remove", () => remove(row)));
    row.error.textContent = text;
    announce(`${clip(row.file.name)} was not uploaded. ${text}`);
  }
  function remove(row) {
    row.request?.abort();
    clearTimeout(row.pollTimer);
    rows.splice(rows.indexOf(row), 1);
    const next = row.element.nextElementSibling || row.element.previousElementSibling;
    row.element.remove();
    row.target.list.hidden = !row.target.list.children.length;
    if (panel && !panel.querySelector("li")) panel.remove();
    (next?.querySelector("button, a") || section()?.querySelector("input[type=file]") || main()).focus();
    announce(`${clip(row.file.name)} is removed.`);
    start();
  }

  function add(file, target) {
    const isListed = (row) => row.state !== "failed" && row.file.name === file.name
      && row.file.size === file.size && row.file.lastModified === file.lastModified;
    if (rows.some(isListed)) return;
    const row = { file, target, submission: randomId(), element: createElement("li") };
    const line = createElement("div", "row");
    const name = createElement("p", "strong"); // wraps, however long
    name.append(createElement("bdi", "", clip(file.name)));
    name.title = file.name;
    row.status = createElement("span");
    row.buttons = createElement("span", "row");
    line.append(name, createElement("span", "muted small nowrap", size(file.size)), row.status, row.buttons);
    row.bar = createElement("progress");
    row.bar.max = 1;
    row.bar.setAttribute("aria-label", clip(file.name));
    row.error = createElement("div", "errorlist");
    row.duplicate = createElement("p", "small");
    row.note = createElement("p", "note warn small", "This file is large: sending and checking it takes a while.");
    row.element.tabIndex = -1;
    row.element.append(line, row.bar, row.note, row.error, row.duplicate);
    target.list.append(row.element);
    target.list.hidden = false;
    rows.push(row);
    show(row, "waiting", "", "Not sent yet", button(row, "Remove", () => remove(row)));
    const problem = refusal(file, target);
    if (problem) {
      row.isRefused = true;
      fail(row, problem);
    }
  }

  /* Sending: a request for each file, two at a time. */
  function queue(row) {
    row.error.textContent = "";
    row.bar.removeAttribute("value");
    show(row, "queued", "quiet", "Waiting for its turn", button(row, "Cancel", () => cancel(row)));
  }
  function start() {
    const freeSlots = MAX_PARALLEL - rows.filter((row) => row.state === "sending").length;
    rows.filter((row) => row.state === "queued").slice(0, Math.max(freeSlots, 0)).forEach(send);
  }
  function cancel(row) {
    row.request?.abort();
    fail(row, "You cancelled it.");
    start();
  }
  function send(row) {
    const body = new FormData();
    body.append("submission", row.submission); // the same at every try, so that the file is stored once
    body.append("then", row.target.followUp);
    body.append("file", row.file, row.file.name.slice(-255)); // a part's head may have 1024 bytes
    const request = new XMLHttpRequest();
    row.request = request;
    request.open("POST", row.target.url);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("X-CSRFToken", token());
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      if (row.state !== "sending" || !total) return;
      const share = Math.min(loaded / total, 1);
      if (share < 1) row.bar.value = share;
      else row.bar.removeAttribute("value");
      row.status.textContent = share < 1
        ? `${size(Math.floor(share * row.file.size))} of ${size(row.file.size)} sent`
        : "Sent. The portal stores the file…";
    });
    request.addEventListener("load", () => handleAnswer(row, request));
    request.addEventListener("error", () => {
      fail(row, navigator.onLine ? "The connection broke off, or the file changed meanwhile. Try again." : "There is no network. Try again when it is back.");
      start();
    });
    show(row, "sending", "busy", `0 of ${size(row.file.size)} sent`, button(row, "Cancel", () => cancel(row)));
    request.send(body);
  }
  function handleAnswer(row, request) {
    if (row.state !== "sending") return;
    if (request.status === 201) showStored(row, JSON.parse(request.responseText).files[0]);
    else fail(row, refusalText(request));
    start();
  }
  function refusalText(request) {
    const text = request.responseText;
    if (request.getResponseHeader("Content-Type")?.includes("json")) return JSON.parse(text).error;
    if (request.status === 200) return "You are signed out. Sign in in another tab, then try again.";
    if (request.status >= 500) return "The portal could not store it. Try again in a minute.";
    const page = new DOMParser().parseFromString(text, "text/html");
    const sentence = page.querySelector("#main section p")?.textContent.trim();
    if (sentence) return sentence;
    return request.status === 413 ? "It is larger than what this server lets through. Split it into smaller files." : "The portal did not take it. Load the page again, then try again.";
  }

  /* A stored file: open its page if it is the only one, else poll its check until that has ended. */
  function showStored(row, answer) {
    const link = createElement("a", "button slim", "Open");
    link.href = answer.next;
    link.append(createElement("span", "visually-hidden", ` ${clip(row.file.name)}`));
    show(row, "checking", "busy", "Checking", link);
    row.bar.removeAttribute("value");
    if (answer.duplicate) {
      const duplicate = createElement("a", "", answer.duplicate.text);
      duplicate.href = answer.duplicate.url;
      row.duplicate.replaceChildren(duplicate);
    }
    if (rows.length === 1) {
      announce(`${clip(row.file.name)} is uploaded.`);
      row.state = "done";
      location.assign(answer.next);
      return;
    }
    const list = document.querySelector("#rows[data-files]");
    if (list) htmx.ajax("GET", location.pathname + location.search, { target: list, swap: "outerHTML" }).catch(() => {});
    pollCheck(row, answer.state, link);
  }
  async function pollCheck(row, url, link) {
    const wait = () => { row.pollTimer = setTimeout(() => pollCheck(row, url, link), POLL_INTERVAL); };
    let answer;
    try {
      const response = await fetch(url, { headers: { Accept: "application/json" } });
      if (response.status === 404) return show(row, "done", "quiet", "Deleted", button(row, "Remove", () => remove(row)));
      answer = await response.json();
    } catch {
      return wait(); // the portal is away: its banner says so
    }
    if (!row.element.isConnected) return;
    row.status.textContent = answer.text;
    if (answer.is_moving) return wait();
    show(row, "done", answer.tone, answer.text, link);
    announce(`${clip(row.file.name)}: ${answer.text}`);
  }

  /* Files chosen or dropped. */
  function addFiles(files, target, { now }) {
    target.errors.textContent = "";
    for (const file of files) add(file, target);
    if (now) sendAll(target);
  }
  function sendAll(target) {
    const waiting = rows.filter((row) => row.state === "waiting" && row.target.list === target.list);
    waiting.forEach(queue);
    if (waiting.length) announce(`Uploading ${waiting.length === 1 ? clip(waiting[0].file.name) : `${waiting.length} files`}.`);
    start();
    return waiting.length;
  }
  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-sending] input[type=file]")) return;
    addFiles([...event.target.files], formTarget(section()), { now: false });
    event.target.value = ""; // so that the same file can be chosen again
  });
  document.querySelectorAll("[data-sending] input[type=file]").forEach((element) => { element.required = false; }); // rows count
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-upload]")) return;
    event.preventDefault();
    const target = formTarget(section());
    const pasted = event.target.elements.pasted;
    if (!pasted) {
      if (!sendAll(target)) showError(target, "Choose a file first: JSONL, one request on each line.");
      return;
    }
    const name = event.target.elements.name.value.trim() || "pasted.jsonl";
    const hasEnding = target.endings.some((ending) => name.toLowerCase().endsWith(ending));
    addFiles([new File([pasted.value], hasEnding ? name : `${name}.jsonl`)], target, { now: true });
  });

  /* Take in what was dropped anywhere on the page. */
  document.addEventListener("portal:dropped", async (event) => {
    const { files, folders } = event.detail;
    const refuse = (text) => showError(openPanel("Uploads"), text);
    if (!section() && !main()?.dataset.dropUrl) {
      return refuse("Files are taken in a project only, by its members. Open the project's files, and drop them there.");
    }
    let target;
    try {
      target = section() ? formTarget(section()) : await projectTarget();
    } catch {
      return refuse("The portal does not answer. Drop the files again when it is back.");
    }
    addFiles(files, target, { now: true });
    if (folders.length) showError(target, `${folders.map(clip).join(", ")}: a folder cannot be uploaded. Drop the files in it.`);
  });

  /* Ask before the page is left while a file is being sent. */
  addEventListener("beforeunload", (event) => { if (busy().length) event.preventDefault(); });
})();
