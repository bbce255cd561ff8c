/* A long <select> becomes a field that is searched by typing. The <select> stays, and keeps the value. */
"use strict";

(() => {
  const MANY = 8; // options; a <select> with no more of them stays as it is
  const template = document.getElementById("combobox");
  const textOf = (option) => option.textContent.replace(/\s+/g, " ").trim();
  let count = 0;

  function enhance(select) {
    count += 1;
    const box = template.content.firstElementChild.cloneNode(true);
    const [input, list] = box.children;
    input.id = `combobox-${count}`;
    list.id = `combobox-list-${count}`;
    input.setAttribute("aria-controls", list.id);
    for (const name of ["aria-label", "aria-describedby", "aria-invalid"]) {
      if (select.hasAttribute(name)) input.setAttribute(name, select.getAttribute(name));
    }
    list.setAttribute("aria-label", select.getAttribute("aria-label") || textOf(select.labels[0] || select));
    for (const label of [...select.labels]) label.htmlFor = input.id;
    select.before(box);
    box.append(select);
    select.tabIndex = -1;
    select.setAttribute("aria-hidden", "true");
    input.disabled = select.disabled;
    connect(select, input, list);
  }

  function connect(select, input, list) {
    let active = null; // the row that Enter chooses
    const isOpen = () => list.matches(":popover-open");
    const showValue = () => { input.value = select.selectedOptions.length ? textOf(select.selectedOptions[0]) : ""; };

    function activate(row) {
      active?.classList.remove("active");
      active = row;
      if (!row) return input.removeAttribute("aria-activedescendant");
      row.classList.add("active");
      input.setAttribute("aria-activedescendant", row.id);
      row.scrollIntoView({ block: "nearest" });
    }
    function createRow(option) {
      const row = document.createElement("li");
      row.id = `${list.id}-${option.index}`;
      row.setAttribute("role", "option");
      row.setAttribute("aria-selected", String(option.selected));
      row.textContent = textOf(option) || "None";
      row.option = option;
      return row;
    }
    function open(typed = "") {
      const words = typed.toLowerCase().split(/\s+/);
      const fits = (option) => !option.disabled && words.every((word) => textOf(option).toLowerCase().includes(word));
      const rows = [...select.options].filter(fits).map(createRow);
      list.replaceChildren(...rows);
      list.hidden = !rows.length;
      list.style.minInlineSize = `${input.offsetWidth}px`;
      document.dispatchEvent(new CustomEvent("portal:open", { detail: { popup: list, anchor: input } }));
      input.setAttribute("aria-expanded", "true");
      activate((!typed && rows.find((row) => row.option.selected)) || rows[0]);
    }
    function close() {
      if (isOpen()) list.hidePopover();
      input.setAttribute("aria-expanded", "false");
      activate(null);
      showValue();
    }
    function choose(row) {
      const isNew = !row.option.selected;
      row.option.selected = true;
      close();
      if (isNew) for (const kind of ["input", "change"]) select.dispatchEvent(new Event(kind, { bubbles: true }));
    }

    input.addEventListener("focus", () => input.select());
    input.addEventListener("click", () => { if (!isOpen()) open(); });
    input.addEventListener("blur", close);
    input.addEventListener("input", (event) => {
      event.stopPropagation(); // only a choice is news to the form
      open(input.value.trim());
    });
    input.addEventListener("change", (event) => event.stopPropagation());
    input.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step && !(isOpen() && ["Enter", "Escape"].includes(event.key))) return;
      event.preventDefault();
      if (event.key === "Escape") close();
      else if (event.key === "Enter") { if (active) choose(active); }
      else if (!isOpen()) open();
      else {
        const rows = [...list.children];
        activate(rows[(rows.indexOf(active) + step + rows.length) % rows.length] || null);
      }
    });
    list.addEventListener("mousedown", (event) => event.preventDefault()); // the focus stays in the field
    list.addEventListener("click", (event) => {
      const row = event.target.closest("li");
      if (row) choose(row);
    });
    select.addEventListener("change", showValue);
    select.addEventListener("focus", () => input.focus()); // as the browser does if a choice is missing
    select.form?.addEventListener("reset", () => setTimeout(showValue));
    showValue();
  }

  function enhanceAll() {
    for (const select of document.querySelectorAll("select:not([aria-hidden], [multiple])")) {
      if (select.options.length > MANY) enhance(select);
    }
  }
  document.addEventListener("htmx:afterSettle", enhanceAll);
  enhanceAll();
})();
