/* The number of unread notices in the title of the page, and notifications of the browser. */
"use strict";

(() => {
  const SHOWN = "notice-shown"; // the id of the newest item that some tab has shown
  const bareTitle = () => document.title.replace(/^\(\d+\+?\) /, "");
  const shownId = () => { try { return Number(localStorage.getItem(SHOWN)); } catch { return 0; } };
  const keepShown = (id) => { try { localStorage.setItem(SHOWN, id); } catch { /* then two tabs may show it */ } };
  const isAllowed = () => "Notification" in window && Notification.permission === "granted";

  function show({ id, title, body, url }) {
    if (id <= shownId()) return;
    keepShown(id);
    const notification = new Notification(title, { body, tag: `notice-${id}` });
    notification.addEventListener("click", () => { window.focus(); location.assign(url); });
  }

  document.addEventListener("htmx:load", ({ detail: { elt } }) => {
    if (elt.id !== "inbox-count" || elt.dataset.news === undefined) return;
    const unread = elt.dataset.unread;
    document.title = (unread ? `(${unread}) ` : "") + bareTitle();
    document.querySelectorAll("[data-unread-copy]").forEach((copy) => {
      copy.textContent = unread;
      copy.classList.toggle("none", !unread);
    });
    if (isAllowed()) JSON.parse(elt.dataset.news).reverse().forEach(show);
  });

  /* In the preferences: the browser is asked only by a click. */
  const states = {
    granted: "This browser shows notifications while a page of the portal is open.",
    denied: "This browser was told to show none. Its settings for this address change that.",
    default: "This browser has not been asked yet.",
  };
  function tell() {
    const box = document.getElementById("browser-notices");
    if (!box || !("Notification" in window)) return;
    box.hidden = false;
    box.querySelector("output").textContent = states[Notification.permission];
    box.querySelector("button").hidden = Notification.permission !== "default";
  }
  document.addEventListener("click", (event) => {
    if (!event.target.closest("#browser-notices button")) return;
    Notification.requestPermission().then(tell);
  });
  tell();
})();
