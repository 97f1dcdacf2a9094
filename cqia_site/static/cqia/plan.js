/* What is cut is what the plan shows, and the plan shows what is chosen. Everything works without this script. */
"use strict";
(() => {
  const choice = document.getElementById("choice"), cut = document.querySelector("#cut button");
  const written = (data) => new URLSearchParams(data).toString();
  const chosen = () => written(new FormData(choice));

  function asItCame() {
    const copy = choice.cloneNode(true);
    copy.reset();
    return written(new FormData(copy));
  }
  let counted = asItCame();

  const hold = () => { cut.disabled = chosen() !== counted; };
  const isBroken = (is) => { choice.querySelector(".broken").hidden = !is; };

  choice.addEventListener("change", hold);
  document.addEventListener("htmx:afterSwap", ({ detail }) => {
    if (detail.requestConfig.elt !== choice) return;
    counted = written(detail.requestConfig.formData);
    hold();
    isBroken(false);
  });
  for (const failure of ["htmx:sendError", "htmx:timeout", "htmx:responseError"])
    choice.addEventListener(failure, () => isBroken(true));

  /* What was chosen before the scripts came, or restored by the browser, is counted too. */
  document.addEventListener("DOMContentLoaded", () => {
    if (chosen() !== counted) choice.dispatchEvent(new Event("change"));
  });
})();
