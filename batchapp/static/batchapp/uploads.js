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

  /* Rows. `state` is queued, sending, failed, checking or done. */
  const rows = [];
  const busy = () => rows.filter((row) => ["queued", "sending"].includes(row.state));
  const endsIn = (file, endings) => endings.some((ending) => file.name.toLowerCase().endsWith(ending));

  /* What is certain to be refused is not sent; the portal tells tables from requests by their content. */
  function refusal(file, { files, tables }) {
    const isTable = endsIn(file, tables.endings);
    const next = isTable ? "Its first row must name the columns." : "Choose a file with one request on each line.";
    if (!file.size) return `${clip(file.name)} is empty. ${next}`;
    if (file.name.includes(".") && !endsIn(file, [...files.endings, ...tables.endings, ".xls", ".ods"])) {
      return `${clip(file.name)} is not taken: requests end in ${files.endings.join(", ")}, tables in ${tables.endings.join(", ")}.`;
    }
    const maxBytes = (isTable ? tables : files).max_bytes;
    if (file.size > maxBytes) {
      return `${clip(file.name)} has ${size(file.size)}, and at most ${size(maxBytes)} are taken. Split it into smaller files.`;
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
    row.element.dataset.state = state;
    row.status.className = tone ? `pill ${tone}` : "muted small";
    row.status.textContent = text;
    const hadFocus = row.buttons.contains(document.activeElement);
    row.buttons.replaceChildren(...buttons);
    if (hadFocus) (row.buttons.querySelector("button, a") || row.element).focus();
    row.bar.hidden = !["sending", "checking"].includes(state);
    row.note.hidden = !["queued", "sending"].includes(state) || row.file.size <= LARGE;
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
    (next?.querySelector("button, a") || document.querySelector("[data-drop] input") || document.getElementById("main")).focus();
    announce(`${clip(row.file.name)} is removed.`);
    document.dispatchEvent(new CustomEvent("portal:removed"));
    start();
  }

  function createRow(file, target) {
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
    return row;
  }
  function add(file, target) {
    const isListed = (row) => row.state !== "failed" && row.file.name === file.name
      && row.file.size === file.size && row.file.lastModified === file.lastModified;
    if (rows.some(isListed)) return;
    const row = createRow(file, target);
    const problem = refusal(file, target);
    if (problem) {
      row.isRefused = true;
      fail(row, problem);
    } else queue(row);
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
    const { form, followUp, kind } = row.target;
    const body = form ? new FormData(form) : new FormData();
    body.set("submission", row.submission); // the same at every try, so that the file is stored once
    body.set("then", followUp);
    body.set("file", row.file, row.file.name.slice(-255)); // a part's head may have 1024 bytes
    const request = new XMLHttpRequest();
    row.request = request;
    request.open("POST", row.target[kind].url);
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
    const link = createElement("a", answer.state ? "button slim" : "button slim main", answer.state ? "Open" : "Write its prompt");
    link.href = answer.next;
    link.append(createElement("span", "visually-hidden", ` ${clip(row.file.name)}`));
    if (answer.state) show(row, "checking", "busy", "Checking", link);
    else show(row, "done", "good", "A table", link);
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
    reloadList();
    if (answer.state) pollCheck(row, answer.state, link);
  }
  /* One request at a time: each takes the place of the list, and another answer would find none. */
  let isLoading = false;
  let isStale = false;
  async function reloadList() {
    isStale = true;
    if (isLoading) return;
    isLoading = true;
    while (isStale) {
      isStale = false;
      const list = document.querySelector("#rows[data-files]");
      const place = { target: list, swap: "outerHTML" };
      if (list) await htmx.ajax("GET", location.pathname + location.search, place).catch(() => {});
    }
    isLoading = false;
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

  /* Files chosen or dropped: dropping.js has found their target. */
  document.addEventListener("portal:upload", (event) => {
    const { files, target } = event.detail;
    for (const file of files) add(file, target);
    const queued = rows.filter((row) => row.state === "queued" && row.target === target);
    if (queued.length) announce(`Uploading ${queued.length === 1 ? clip(queued[0].file.name) : `${queued.length} files`}.`);
    start();
  });

  /* Ask before the page is left while a file is being sent. */
  addEventListener("beforeunload", (event) => { if (busy().length) event.preventDefault(); });
})();
