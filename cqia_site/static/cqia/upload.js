/* Dropping files, and how much of them is sent. Everything works without this script. */
"use strict";
(() => {
  const upload = () => document.querySelector("form.upload");
  const files = () => [...upload().elements.uploads.files];
  const size = (bytes) => bytes < 1024 ** 2 ? `${Math.ceil(bytes / 1024).toLocaleString()} KB` : `${(bytes / 1024 ** 2).toFixed(1)} MB`;
  let isSent = false;

  function list() {
    const place = upload().querySelector(".chosen");
    place.replaceChildren(...files().map((file) => {
      const item = document.createElement("li"), weight = document.createElement("span");
      weight.className = "muted number";
      weight.textContent = size(file.size);
      item.append(file.name, " ", weight);
      return item;
    }));
  }

  function say(text, isBad) {
    const place = upload().querySelector(".sending");
    place.hidden = false;
    place.querySelector("progress").hidden = isBad;
    place.querySelector("p").className = isBad ? "error" : "muted";
    place.querySelector("p").textContent = text;
  }

  for (const sign of ["dragenter", "dragover"]) document.addEventListener(sign, (event) => {
    if (!upload() || !event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    upload().querySelector(".drop").classList.add("over");
  });
  for (const sign of ["dragleave", "drop"]) document.addEventListener(sign, (event) => {
    if (upload() && (sign === "drop" || !event.relatedTarget)) upload().querySelector(".drop").classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    if (!upload() || !event.dataTransfer?.files.length) return;
    event.preventDefault();
    upload().elements.uploads.files = event.dataTransfer.files;
    list();
  });
  document.addEventListener("change", (event) => { if (event.target.matches?.("form.upload [name=uploads]")) list(); });

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target !== upload()) return;
    const total = files().reduce((sum, file) => sum + file.size, 0);
    const problem = !files().length ? upload().dataset.none : total > Number(upload().dataset.limit) ? upload().dataset.tooLarge : "";
    isSent = false;
    if (problem) { event.preventDefault(); say(problem, true); }
  });
  document.addEventListener("htmx:xhr:progress", (event) => {
    const { lengthComputable, loaded, total } = event.detail;
    if (event.target !== upload() || !lengthComputable || isSent) return;
    const percent = Math.floor(loaded * 100 / total);
    isSent = loaded >= total;
    upload().querySelector("progress").value = percent;
    const facts = { percent, sent: size(loaded), total: size(total) };
    say(isSent ? upload().dataset.looking : upload().dataset.sending.replace(/\{(\w+)\}/g, (_, name) => facts[name]), false);
  });

  for (const failure of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) document.addEventListener(failure, (event) => {
    if (event.target === upload()) say(upload().dataset.failed, true);
    for (const note of document.querySelectorAll(".broken")) note.hidden = false;
  });
})();
