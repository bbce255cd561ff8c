/* Files on their way: each has a row that says how far it is, what was found, and what went wrong. */
"use strict";

(() => {
  const MIB = 1024 * 1024;
  const LARGE = 50 * MIB;
  const AT_ONCE = 2;
  const LOOK_EVERY = 1000; // milliseconds, at a file that is being checked
  const LONGEST_NAME = 80;

  const say = (text) => document.dispatchEvent(new CustomEvent("portal:say", { detail: text }));
  const clip = (name) => {
    const letters = [...name];
    return letters.length > LONGEST_NAME ? `${letters.slice(0, 50).join("")}…${letters.slice(-25).join("")}` : name;
  };
  const size = (bytes) => {
    if (bytes < 1024) return `${bytes} ${bytes === 1 ? "byte" : "bytes"}`;
    return bytes < MIB ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / MIB).toFixed(1)} MiB`;
  };
  function make(tag, classes = "", text = "") {
    const element = document.createElement(tag);
    if (classes) element.className = classes;
    element.textContent = text;
    return element;
  }
  function number() { // crypto.randomUUID is there on https only
    return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }
  function token() { // of the cookie, which a new sign-in in another tab changes
    const cookie = /(?:^|; )csrftoken=([^;]+)/.exec(document.cookie);
    return cookie?.[1] || JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
  }

  /* Where files go from this page: its form, or what its project takes. */
  const section = () => document.querySelector("[data-sending]");
  const main = () => document.getElementById("main");

  function formPlace(top) {
    const form = top.querySelector("form[data-upload]");
    return {
      url: form.action,
      project: top.dataset.project,
      followUp: form.elements.then.value,
      maxBytes: Number(top.dataset.maxBytes),
      endings: top.dataset.accept.split(","),
      list: top.querySelector("[data-queue]"),
      faults: top.querySelector("[data-faults]"),
    };
  }
  function complain(place, text) {
    place.faults.textContent = text;
    say(text);
  }
  let panel = null;
  function openPanel(title) {
    panel?.remove();
    panel = make("section", "card uploads");
    panel.setAttribute("aria-label", title);
    const list = make("ol", "queue");
    const faults = make("div", "errorlist");
    const close = make("button", "button slim", "Close");
    close.type = "button";
    close.addEventListener("click", () => {
      if (!busy().length) panel.remove();
      else complain({ faults }, "Files are still being sent. Cancel them first, or wait.");
    });
    const head = make("div", "row apart");
    head.append(make("b", "", title), close);
    panel.append(head, faults, list);
    document.body.append(panel);
    return { list, faults };
  }
  let elsewhere = null; // the place that a page without a form leads to
  async function projectPlace() {
    const { dropUrl, dropName } = main().dataset;
    if (elsewhere && panel.isConnected) return elsewhere;
    const answer = await fetch(dropUrl, { headers: { Accept: "application/json" } });
    if (!answer.ok || !answer.headers.get("Content-Type")?.includes("json")) throw new Error();
    const limits = await answer.json();
    const parts = openPanel(`Uploads to ${dropName || limits.project}`);
    elsewhere = { url: dropUrl, project: limits.project, followUp: main().dataset.dropThen || "", maxBytes: limits.max_bytes, endings: limits.endings, ...parts };
    return elsewhere;
  }

  /* Rows. `state` is waiting (chosen), queued, sending, failed, checking or done. */
  const rows = [];
  const busy = () => rows.filter((row) => ["queued", "sending"].includes(row.state));

  function refusal(file, place) {
    if (!file.size) return `${clip(file.name)} is empty. Choose a file with one request on each line.`;
    const name = file.name.toLowerCase();
    if (name.includes(".") && !place.endings.some((ending) => name.endsWith(ending))) {
      return `${clip(file.name)} is not taken: request files end in ${place.endings.join(", ")}. Export your requests as JSONL, one on each line.`;
    }
    if (file.size > place.maxBytes) {
      return `${clip(file.name)} has ${size(file.size)}, and at most ${size(place.maxBytes)} are taken. Split it into smaller files.`;
    }
    return "";
  }

  function button(row, text, act) {
    const each = make("button", "button slim", text);
    each.type = "button";
    each.append(make("span", "said", ` ${clip(row.file.name)}`));
    each.addEventListener("click", act);
    return each;
  }
  function show(row, state, tone, text, ...acts) {
    row.state = state;
    row.status.className = tone ? `pill ${tone}` : "muted small";
    row.status.textContent = text;
    const held = row.acts.contains(document.activeElement);
    row.acts.replaceChildren(...acts);
    if (held) (row.acts.querySelector("button, a") || row.element).focus();
    row.bar.hidden = !["sending", "checking"].includes(state);
    row.note.hidden = !["waiting", "queued", "sending"].includes(state) || row.file.size <= LARGE;
  }
  function fail(row, text) {
    const again = row.refused ? [] : [button(row, "Try again", () => { queue(row); start(); })];
    show(row, "failed", "bad", "Not uploaded", ...again, button(row, "Remove", () => remove(row)));
    row.fault.textContent = text;
    say(`${clip(row.file.name)} was not uploaded. ${text}`);
  }
  function remove(row) {
    row.request?.abort();
    clearTimeout(row.look);
    rows.splice(rows.indexOf(row), 1);
    const next = row.element.nextElementSibling || row.element.previousElementSibling;
    row.element.remove();
    row.place.list.hidden = !row.place.list.children.length;
    if (panel && !panel.querySelector("li")) panel.remove();
    (next?.querySelector("button, a") || section()?.querySelector("input[type=file]") || main()).focus();
    say(`${clip(row.file.name)} is removed.`);
    start();
  }

  function add(file, place) {
    const isThere = (row) => row.state !== "failed" && row.file.name === file.name
      && row.file.size === file.size && row.file.lastModified === file.lastModified;
    if (rows.some(isThere)) return;
    const row = { file, place, submission: number(), element: make("li") };
    const line = make("div", "row");
    const name = make("p", "strong"); // wraps, however long
    name.append(make("bdi", "", clip(file.name)));
    name.title = file.name;
    row.status = make("span");
    row.acts = make("span", "row");
    line.append(name, make("span", "muted small nowrap", size(file.size)), row.status, row.acts);
    row.bar = make("progress");
    row.bar.max = 1;
    row.bar.setAttribute("aria-label", clip(file.name));
    row.fault = make("div", "errorlist");
    row.twin = make("p", "small");
    row.note = make("p", "note warn small", "This file is large: sending and checking it takes a while.");
    row.element.tabIndex = -1;
    row.element.append(line, row.bar, row.note, row.fault, row.twin);
    place.list.append(row.element);
    place.list.hidden = false;
    rows.push(row);
    show(row, "waiting", "", "Not sent yet", button(row, "Remove", () => remove(row)));
    const why = refusal(file, place);
    if (why) {
      row.refused = true;
      fail(row, why);
    }
  }

  /* Sending: a request for each file, two at a time. */
  function queue(row) {
    row.fault.textContent = "";
    row.bar.removeAttribute("value");
    show(row, "queued", "quiet", "Waiting for its turn", button(row, "Cancel", () => cancel(row)));
  }
  function start() {
    const free = AT_ONCE - rows.filter((row) => row.state === "sending").length;
    rows.filter((row) => row.state === "queued").slice(0, Math.max(free, 0)).forEach(send);
  }
  function cancel(row) {
    row.request?.abort();
    fail(row, "You cancelled it.");
    start();
  }
  function send(row) {
    const body = new FormData();
    body.append("submission", row.submission); // the same at every try: it comes in once
    body.append("then", row.place.followUp);
    body.append("file", row.file, row.file.name.slice(-255)); // a part's head may have 1024 bytes
    const request = new XMLHttpRequest();
    row.request = request;
    request.open("POST", row.place.url);
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
    request.addEventListener("load", () => answered(row, request));
    request.addEventListener("error", () => {
      fail(row, navigator.onLine ? "The connection broke off, or the file changed meanwhile. Try again." : "There is no network. Try again when it is back.");
      start();
    });
    show(row, "sending", "busy", `0 of ${size(row.file.size)} sent`, button(row, "Cancel", () => cancel(row)));
    request.send(body);
  }
  function answered(row, request) {
    if (row.state !== "sending") return;
    if (request.status === 201) stored(row, JSON.parse(request.responseText).files[0]);
    else fail(row, reason(request));
    start();
  }
  function reason(request) {
    const text = request.responseText;
    if (request.getResponseHeader("Content-Type")?.includes("json")) return JSON.parse(text).error;
    if (request.status === 200) return "You are signed out. Sign in in another tab, then try again.";
    if (request.status >= 500) return "The portal could not store it. Try again in a minute.";
    const page = new DOMParser().parseFromString(text, "text/html");
    const sentence = page.querySelector("#main section p")?.textContent.trim();
    if (sentence) return sentence;
    return request.status === 413 ? "It is larger than what this server lets through. Split it into smaller files." : "The portal did not take it. Load the page again, then try again.";
  }

  /* Stored: to its page if it came alone, else looked at until its check is over. */
  function stored(row, answer) {
    const link = make("a", "button slim", "Open");
    link.href = answer.next;
    link.append(make("span", "said", ` ${clip(row.file.name)}`));
    show(row, "checking", "busy", "Checking", link);
    row.bar.removeAttribute("value");
    if (answer.twin) {
      const twin = make("a", "", answer.twin.text);
      twin.href = answer.twin.url;
      row.twin.replaceChildren(twin);
    }
    if (rows.length === 1) {
      say(`${clip(row.file.name)} is uploaded.`);
      row.state = "done";
      location.assign(answer.next);
      return;
    }
    const list = document.querySelector("#rows[data-files]");
    if (list) htmx.ajax("GET", location.pathname + location.search, { target: list, swap: "outerHTML" }).catch(() => {});
    look(row, answer.state, link);
  }
  async function look(row, url, link) {
    const wait = () => { row.look = setTimeout(() => look(row, url, link), LOOK_EVERY); };
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
    say(`${clip(row.file.name)}: ${answer.text}`);
  }

  /* What a page hands over. */
  function take(files, place, { now }) {
    place.faults.textContent = "";
    for (const file of files) add(file, place);
    if (now) sendAll(place);
  }
  function sendAll(place) {
    const waiting = rows.filter((row) => row.state === "waiting" && row.place.list === place.list);
    waiting.forEach(queue);
    if (waiting.length) say(`Uploading ${waiting.length === 1 ? clip(waiting[0].file.name) : `${waiting.length} files`}.`);
    start();
    return waiting.length;
  }
  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-sending] input[type=file]")) return;
    take([...event.target.files], formPlace(section()), { now: false });
    event.target.value = ""; // so that the same file can be chosen again
  });
  document.querySelectorAll("[data-sending] input[type=file]").forEach((each) => { each.required = false; }); // rows count
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-upload]")) return;
    event.preventDefault();
    const place = formPlace(section());
    const pasted = event.target.elements.pasted;
    if (!pasted) {
      if (!sendAll(place)) complain(place, "Choose a file first: JSONL, one request on each line.");
      return;
    }
    const name = event.target.elements.name.value.trim() || "pasted.jsonl";
    const ends = place.endings.some((ending) => name.toLowerCase().endsWith(ending));
    take([new File([pasted.value], ends ? name : `${name}.jsonl`)], place, { now: true });
  });

  /* What was dropped, wherever on the page. */
  document.addEventListener("portal:dropped", async (event) => {
    const { files, folders } = event.detail;
    const refuse = (text) => complain(openPanel("Uploads"), text);
    if (!section() && !main()?.dataset.dropUrl) {
      return refuse("Files are taken in a project only, by its members. Open the project's files, and drop them there.");
    }
    let place;
    try {
      place = section() ? formPlace(section()) : await projectPlace();
    } catch {
      return refuse("The portal does not answer. Drop the files again when it is back.");
    }
    take(files, place, { now: true });
    if (folders.length) complain(place, `${folders.map(clip).join(", ")}: a folder cannot be uploaded. Drop the files in it.`);
  });

  /* Whoever leaves while something is sent is asked first. */
  addEventListener("beforeunload", (event) => { if (busy().length) event.preventDefault(); });
})();
