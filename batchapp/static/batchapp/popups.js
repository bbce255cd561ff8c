/* Menus behind a button, and the place of what opens over a page: next to its button, cut off by nothing. */
"use strict";

(() => {
  const EDGE = 8; // pixels between what opens and the edge of the window
  const anchors = new Map(); // what is open -> the element it belongs to

  function place(popup, anchor) {
    const { clientWidth, clientHeight } = document.documentElement;
    const box = anchor.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = popup;
    const isUp = box.bottom + height + EDGE > clientHeight && box.top > clientHeight - box.bottom;
    const left = popup.matches(".options, .fields") ? box.left : box.right - width;
    popup.style.top = `${isUp ? Math.max(box.top - height - 4, EDGE) : box.bottom + 4}px`;
    popup.style.left = `${Math.max(Math.min(left, clientWidth - width - EDGE), EDGE)}px`;
  }
  function open(popup, anchor) {
    if (!popup.matches(":popover-open")) popup.showPopover();
    anchors.set(popup, anchor);
    place(popup, anchor);
  }
  document.addEventListener("portal:open", (event) => open(event.detail.popup, event.detail.anchor));
  function placeAll() {
    for (const [popup, anchor] of anchors) {
      if (popup.isConnected && popup.matches(":popover-open")) place(popup, anchor);
      else anchors.delete(popup);
    }
  }
  addEventListener("scroll", placeAll, true);
  addEventListener("resize", placeAll);

  /* A menu is a <details>: it closes on Esc, on a click elsewhere, when the focus leaves it, and on choosing. */
  const openMenus = () => document.querySelectorAll("details.more[open]");
  const menuOf = (event) => event.target.closest?.("details.more");
  function close(menu, { focus = false } = {}) {
    menu.open = false;
    if (focus) menu.querySelector("summary").focus();
  }
  document.addEventListener("toggle", (event) => {
    const menu = event.target;
    if (!menu.matches?.("details.more")) return;
    const popup = menu.querySelector(":scope > div");
    popup.popover = "manual";
    popup.classList.add("popup");
    if (menu.open) open(popup, menu.querySelector("summary"));
    else if (popup.matches(":popover-open")) popup.hidePopover();
  }, true);
  document.addEventListener("click", (event) => {
    for (const menu of openMenus()) if (!menu.contains(event.target)) close(menu);
    const menu = menuOf(event);
    if (menu && event.target.closest("a, button")) close(menu, { focus: true });
  });
  document.addEventListener("focusout", (event) => {
    const menu = event.relatedTarget && menuOf(event);
    if (menu?.open && !menu.contains(event.relatedTarget)) close(menu);
  });
  document.addEventListener("keydown", (event) => {
    const menu = menuOf(event);
    if (!menu) return;
    if (event.key === "Escape" && menu.open) {
      event.preventDefault();
      return close(menu, { focus: true });
    }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || event.target.matches("input, select, textarea")) return;
    event.preventDefault();
    menu.open = true;
    const items = [...menu.querySelectorAll(":scope > div :is(a, button:enabled)")];
    const index = items.indexOf(event.target) + step;
    setTimeout(() => items[(index + (index < -1 ? 1 : 0) + items.length) % items.length]?.focus()); // after it opened
  });
})();
