// Passkeys: buttons that work only where the browser has them, and what went wrong in a sentence.

document.addEventListener("DOMContentLoaded", () => {
  for (const button of document.querySelectorAll("[data-passkey]")) {
    button.hidden = !window.PublicKeyCredential;
  }
});

document.addEventListener("allauth.error", (event) => {
  const note = document.querySelector("[data-passkey-error]");
  if (note) {
    event.preventDefault();
    note.hidden = false;
  }
});
