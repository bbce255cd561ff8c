/* A long <select> becomes a field that is searched by typing: it stays, and keeps the value. A field with a <datalist>
   takes any text, and offers the same list. */
"use strict";

(() => {
  const MANY = 8; // options; a <select> with no more of them stays as it is
  const template = document.getElementById("combobox");
  const textOf = (option) => (option.textContent || option.value).replace(/\s+/g, " ").trim();
  let count = 0;

  function createBox(field, label) {
    count += 1;
    const box = template.content.firstElementChild.cloneNode(true);
    const list = box.querySelector("ul");
    list.id = `combobox-list-${count}`;
    list.setAttribute("aria-label", field.getAttribute("aria-label") || textOf(label || field));
    field.before(box);
    return { box, list, input: box.querySelector("input") };
  }
  function enhance(select) {
    const { box, list, input } = createBox(select, select.labels[0]);
    input.id = `combobox-${count}`;
    for (const name of ["aria-label", "aria-describedby", "aria-invalid"]) {
      if (select.hasAttribute(name)) input.setAttribute(name, select.getAttribute(name));
    }
    for (const label of [...select.labels]) label.htmlFor = input.id;
    box.append(select);
    select.tabIndex = -1;
    select.setAttribute("aria-hidden", "true");
    input.disabled = select.disabled;
    const showValue = () => { input.value = select.selectedOptions.length ? textOf(select.selectedOptions[0]) : ""; };
    connect(input, list, {
      options: () => select.options, isChosen: (option) => option.selected, showValue,
      choose: (option) => {
        const isNew = !option.selected;
        option.selected = true;
        if (isNew) for (const kind of ["input", "change"]) select.dispatchEvent(new Event(kind, { bubbles: true }));
      },
    });
    for (const kind of ["input", "change"]) input.addEventListener(kind, (event) => event.stopPropagation()); // only a choice is news
    select.addEventListener("change", showValue);
    select.addEventListener("focus", () => input.focus()); // as the browser does if a choice is missing
    select.form?.addEventListener("reset", () => setTimeout(showValue));
    showValue();
  }
  function enhanceText(field) {
    const { list: datalist } = field;
    const isMany = "many" in field.dataset; // commas between values: the last one is being typed
    const before = () => (isMany ? field.value.slice(0, field.value.lastIndexOf(",") + 1) : "");
    const typed = () => field.value.slice(before().length).trim();
    const isTaken = (option) => before().split(",").some((value) => value.trim() === option.value);
    const { list, input } = createBox(field, field.labels[0]);
    for (const { name, value } of input.attributes) if (name !== "type") field.setAttribute(name, value);
    field.removeAttribute("list");
    input.replaceWith(field);
    connect(field, list, {
      options: () => [...datalist.options].filter((option) => !isMany || !isTaken(option)),
      isChosen: (option) => option.value === typed(), isFree: true, typed,
      choose: (option) => {
        const others = before();
        field.value = isMany ? `${others}${others && " "}${option.value}, ` : option.value;
        for (const kind of ["input", "change"]) field.dispatchEvent(new Event(kind, { bubbles: true }));
      },
    });
  }

  function connect(input, list, { options, isChosen, choose, showValue, isFree, typed }) {
    let active = null; // the row that Enter chooses
    let isChoosing = false;
    const isOpen = () => list.matches(":popover-open");
    input.setAttribute("aria-controls", list.id);

    function activate(row) {
      active?.classList.remove("active");
      active = row;
      if (!row) return input.removeAttribute("aria-activedescendant");
      row.classList.add("active");
      input.setAttribute("aria-activedescendant", row.id);
      row.scrollIntoView({ block: "nearest" });
    }
    function createRow(option, index) {
      const row = document.createElement("li");
      row.id = `${list.id}-${index}`;
      row.setAttribute("role", "option");
      row.setAttribute("aria-selected", String(isChosen(option)));
      row.textContent = textOf(option) || "None";
      row.option = option;
      return row;
    }
    function open(typed = "") {
      const words = typed.toLowerCase().split(/\s+/);
      const fits = (option) => !option.disabled && words.every((word) => textOf(option).toLowerCase().includes(word));
      const rows = [...options()].filter(fits).map(createRow);
      list.replaceChildren(...rows);
      list.hidden = !rows.length;
      list.style.minInlineSize = `${input.offsetWidth}px`;
      document.dispatchEvent(new CustomEvent("portal:open", { detail: { popup: list, anchor: input } }));
      input.setAttribute("aria-expanded", "true");
      const chosen = !typed && rows.find((row) => isChosen(row.option));
      activate(chosen || (!isFree && rows[0]) || null);
    }
    function close() {
      if (isOpen()) list.hidePopover();
      input.setAttribute("aria-expanded", "false");
      activate(null);
      showValue?.();
    }
    function chooseRow(row) {
      isChoosing = true;
      choose(row.option);
      isChoosing = false;
      close();
    }

    function move(step) {
      if (!isOpen()) return open();
      const rows = [...list.children];
      const index = active ? rows.indexOf(active) + step : (step - 1) / 2; // from the first or the last
      activate(rows[(index + rows.length) % rows.length] || null);
    }
    const keys = {
      ArrowDown: () => move(1), ArrowUp: () => move(-1), Escape: close, Enter: () => active && chooseRow(active),
    };

    if (!isFree) input.addEventListener("focus", () => input.select());
    input.addEventListener("click", () => { if (!isOpen()) open(); });
    input.addEventListener("blur", close);
    input.addEventListener("input", () => { if (!isChoosing && document.activeElement === input) open(typed ? typed() : input.value.trim()); });
    input.addEventListener("keydown", (event) => {
      const act = keys[event.key];
      if (!act || (!isOpen() && !event.key.startsWith("Arrow"))) return;
      if (event.key === "Enter" && isFree && !active) return close(); // and the form is sent
      event.preventDefault();
      act();
    });
    list.addEventListener("mousedown", (event) => event.preventDefault()); // the focus stays in the field
    list.addEventListener("click", (event) => {
      const row = event.target.closest("li");
      if (row) chooseRow(row);
    });
  }

  function enhanceAll() {
    for (const select of document.querySelectorAll("select:not([aria-hidden], [multiple])")) {
      if (select.options.length > MANY) enhance(select);
    }
    for (const field of document.querySelectorAll("input[list]")) if (field.list?.options.length) enhanceText(field);
  }
  document.addEventListener("htmx:afterSettle", enhanceAll);
  enhanceAll();
})();
