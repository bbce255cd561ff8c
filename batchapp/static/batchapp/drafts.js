/* Drafts survive a session that ends before the form is sent; a button shows a secret. */
"use strict";

(() => {
  /* Keep the values of a POST form when it is sent, in this tab only. Fill them in again only for the
     same person, after the sign-in page. Any other page shows that the form arrived: then forget them. */
  const KEY = "draft";
  const PRIVATE = /password|secret|token|key$/i;

  function readDraft() {
    try {
      return JSON.parse(sessionStorage.getItem(KEY));
    } catch { return null; }
  }
  function saveDraft(draft) {
    try {
      sessionStorage.setItem(KEY, JSON.stringify(draft));
    } catch { removeDraft(); } // the draft is too large to store
  }
  function removeDraft() {
    try {
      sessionStorage.removeItem(KEY);
    } catch { /* without storage there is no draft */ }
  }

  const address = (url) => { const { pathname, search } = new URL(url, location.href); return pathname + search; };
  const target = (form) => address(form.getAttribute("action") || location.href);
  const isTyped = (field) => field.name && !field.disabled && !PRIVATE.test(field.name)
    && !field.matches("button, fieldset, output, object, [type=hidden], [type=password], [type=file], "
      + "[type=submit], [type=image], [type=reset], [data-shown]");
  const typedFields = (form) => [...form.elements].filter(isTyped);
  const isTicked = (field) => field.type === "checkbox" || field.type === "radio";

  /* Two functions that tell the forms of a page apart: by fields and buttons, then by hidden values. */
  const formFields = (form) => [...new Set([...form.elements]
    .filter((each) => each.name && each.type !== "hidden" && each.type !== "image")
    .map((each) => (each.matches("button") ? `${each.name}=${each.value}` : each.name)))].sort().join();
  const hiddenValues = (form) => [...form.querySelectorAll("[type=hidden]")]
    .filter((each) => !["csrfmiddlewaretoken", "submission", "next"].includes(each.name))
    .map((each) => `${each.name}=${each.value}`).join();

  function values(form) {
    return typedFields(form).flatMap((field) => {
      if (isTicked(field)) return field.checked ? [[field.name, field.value]] : [];
      if (field.multiple && field.options) return [...field.selectedOptions].map((each) => [field.name, each.value]);
      return [[field.name, field.value]];
    });
  }

  const accepts = (field, value) => !field.options || [...field.options].some((each) => each.value === value);

  function enterValue(field, values) { // removes the value that it enters from the list; returns false without one
    if (isTicked(field)) field.checked = values.includes(field.value);
    else if (field.multiple && field.options) for (const each of field.options) each.selected = values.includes(each.value);
    else if (!values.length) return false;
    else if (accepts(field, values[0])) field.value = values.shift();
    return true;
  }

  function fillForm(form, savedValues) {
    const remaining = new Map();
    for (const [name, value] of savedValues) remaining.set(name, [...(remaining.get(name) || []), value]);
    for (const field of typedFields(form)) {
      if (!enterValue(field, remaining.get(field.name) || [])) continue;
      for (let box = field.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
      for (const kind of ["input", "change"]) field.dispatchEvent(new Event(kind, { bubbles: true }));
    }
  }

  function showNote(form) {
    const note = document.createElement("p");
    note.className = "note info";
    note.setAttribute("role", "status");
    note.textContent = "What you typed is still here. Look it over, and send it again.";
    form.prepend(note);
    note.scrollIntoView({ block: "center" });
    document.dispatchEvent(new CustomEvent("portal:announce", { detail: note.textContent }));
  }

  function restore(draft) {
    const candidates = [...document.querySelectorAll("form")]
      .filter((form) => form.method === "post" && target(form) === draft.target && formFields(form) === draft.formFields);
    const form = candidates.find((each) => hiddenValues(each) === draft.hiddenValues) || candidates[0];
    if (!form) return;
    fillForm(form, draft.values);
    showNote(form);
  }

  const person = document.body.dataset.person || "";
  const signIn = document.querySelector("form[data-sign-in]");
  const draft = readDraft();
  if (draft && signIn) {
    const next = signIn.elements.next?.value || "";
    if (next && [draft.target, draft.page].includes(address(next))) saveDraft({ ...draft, isSigningIn: true });
    else removeDraft(); // the person signed out, or sent what no page can show again
  } else if (draft) {
    removeDraft();
    const page = address(location.href);
    if (draft.isSigningIn && draft.person === person && [draft.target, draft.page].includes(page)) restore(draft);
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    form.querySelectorAll("[data-shown]").forEach(hide);
    if (form.method !== "post" || form.matches("[data-sign-in]")) return;
    removeDraft();
    if (!person || !typedFields(form).length) return;
    saveDraft({ person, page: address(location.href), target: target(form), formFields: formFields(form), hiddenValues: hiddenValues(form), values: values(form) });
  }, true);

  /* A button shows a secret while it is typed; it is hidden again when the form is sent. */
  const buttonOf = (field) => document.querySelector(`[data-show="${CSS.escape(field.id)}"]`);
  function hide(field) {
    field.type = "password";
    delete field.dataset.shown;
    buttonOf(field)?.setAttribute("aria-pressed", "false");
  }
  function revealButtons(root) {
    root.querySelectorAll("[data-show][hidden]").forEach((each) => { each.hidden = false; });
  }
  revealButtons(document);
  document.addEventListener("htmx:afterSwap", (event) => revealButtons(event.target));
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-show]");
    const field = button && document.getElementById(button.dataset.show);
    if (!field) return;
    if ("shown" in field.dataset) {
      hide(field);
    } else {
      field.type = "text";
      field.dataset.shown = "";
      button.setAttribute("aria-pressed", "true");
    }
    field.focus();
  });
})();
