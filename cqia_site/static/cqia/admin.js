/* The search fields of Django's forms bear no name for those who hear the page: each gets that of its label. */
"use strict";
window.addEventListener("load", () => {
  for (const select of document.querySelectorAll("select.admin-autocomplete")) {
    const label = document.querySelector(`label[for="${select.id}"]`);
    for (const part of select.parentElement.querySelectorAll("[role=combobox], [role=textbox]")) {
      part.setAttribute("aria-label", label.textContent.trim());
      part.removeAttribute("aria-labelledby");
    }
  }
});
