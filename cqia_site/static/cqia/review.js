/* Keys, drafts and heartbeat of the workbench. Everything works without this script; with it, faster. */
"use strict";
(() => {
  const DRAFT_AFTER = 2000, HEARTBEAT = 120000, IDLE_AFTER = 600000, JUST_ARRIVED = 350, AFTER_COMPOSITION = 60;
  let arrived = 0, composed = -AFTER_COMPOSITION, active = Date.now(), draftTimer = 0, draftRequest = null;

  const workbench = () => document.getElementById("workbench");
  const form = () => document.getElementById("record-form");
  const status = () => document.getElementById("status");
  const isField = (node) => node.matches?.("textarea, select, input:not([type=radio]), [contenteditable]");
  const isShown = (node) => node.offsetParent !== null || getComputedStyle(node).position === "fixed";

  /* A record that has only just come is not decided by the second click of a double click meant for the last one. */
  const isTooSoon = () => performance.now() - arrived < JUST_ARRIVED;

  document.addEventListener("click", (event) => {
    if (isTooSoon() && event.target.closest?.(".bar, #status")) { event.preventDefault(); event.stopImmediatePropagation(); }
    for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  }, true);

  document.addEventListener("toggle", (event) => {
    if (event.target.open && event.target.matches?.(".bar details")) event.target.querySelector("button, input").focus();
  }, true);

  /* Keys: those printed on the buttons. Never while an input method composes, never while typing, but for chords. */
  document.addEventListener("compositionend", () => { composed = performance.now(); }, true);
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229 || performance.now() - composed < AFTER_COMPOSITION) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) return void (press(event, ".bar .primary:enabled"));
    if (event.key === "Escape") return void leave();
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (isField(event.target)) {
      if (event.key === "Enter" && event.target.matches("[data-enter]")) press(event, "button", event.target.parentElement);
      return;
    }
    const open = document.querySelector(".bar details[open]");
    const key = CSS.escape(event.key.toLowerCase());
    if (open && press(event, `[data-key="${key}"]`, open.querySelector(".panel"))) return;
    if (press(event, `:is(.bar > *, .bar > details > summary, .empty *)[data-key="${key}"]:not(:disabled)`)) return;
    const field = document.querySelector(`[data-focus-key="${key}"]`);
    if (field) { event.preventDefault(); field.focus(); }
  });

  function press(event, selector, within = document) {
    const button = [...within.querySelectorAll(selector)].find(isShown);
    if (!button) return false;
    event.preventDefault();
    button.click();
    return true;
  }

  function leave() {
    const open = document.querySelector("details.menu[open]");
    if (open) { open.open = false; open.querySelector("summary").focus(); } else workbench()?.querySelector("h1")?.focus();
  }

  /* Nothing typed is lost: to the server two seconds after the last change, and into this window meanwhile. */
  const store = () => `cqia:typed:${workbench()?.dataset.record}`;
  const named = (name) => [...form().querySelectorAll(`[name="${name}"]`)];
  const typed = () => [...form().querySelectorAll("textarea, select, input:not([type=hidden])")]
    .map((field) => [field.name, field.type === "radio" ? field.checked : field.value]);

  document.addEventListener("input", (event) => {
    active = Date.now();
    if (!event.target.closest("#record-form") || !workbench().dataset.draft) return;
    sessionStorage.setItem(store(), JSON.stringify({ seen: form().elements.seen_revision.value, typed: typed() }));
    if (event.target.value) addLabelField(event.target);
    clearTimeout(draftTimer);
    draftTimer = setTimeout(saveDraft, DRAFT_AFTER);
  });
  document.addEventListener("visibilitychange", () => { if (document.hidden && draftTimer) saveDraft(true); });
  for (const sign of ["keydown", "pointerdown"]) document.addEventListener(sign, () => { active = Date.now(); }, true);

  async function saveDraft(keepalive = false) {
    clearTimeout(draftTimer);
    draftTimer = 0;
    if (!workbench()?.dataset.draft) return;
    const record = store();
    draftRequest = new AbortController();
    const answer = await send(workbench().dataset.draft, new URLSearchParams(new FormData(form())), { keepalive, signal: draftRequest.signal });
    if (draftRequest.signal.aborted) return;
    if (answer?.status === 204) sessionStorage.removeItem(record);
    if (record === store()) note(answer?.status === 204 ? "saved" : "kept");
  }

  function send(address, body, options) {
    const headers = { "X-CSRFToken": form().elements.csrfmiddlewaretoken.value, "HX-Request": "true", "HX-Current-URL": location.href };
    return fetch(address, { method: "POST", headers, body, ...options }).catch(() => null);
  }

  function note(which) {
    const place = document.getElementById("draft-note");
    const time = new Date().toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
    place.textContent = which === "lost" ? place.dataset[which] : `${place.dataset[which]} ${time}`;
    place.hidden = false;
  }

  function restore() {
    const kept = JSON.parse(sessionStorage.getItem(store()) ?? "null");
    if (!kept || !workbench().dataset.draft || kept.seen !== form().elements.seen_revision.value) return;
    const places = {};
    for (const [name, value] of kept.typed) {
      const place = places[name] = (places[name] ?? -1) + 1;
      const field = named(name)[place] ?? addLabelField(named(name).at(-1));
      if (field?.type === "radio") field.checked = value; else if (field) field.value = value;
    }
    note("kept");
    saveDraft();
  }

  function addLabelField(field) {
    if (!field?.matches(".words input:last-child")) return null;
    const next = field.cloneNode();
    next.value = "";
    next.removeAttribute("value");
    next.placeholder = "＋";
    field.after(next);
    return next;
  }

  /* The claim lives as long as somebody is at the page. */
  setInterval(async () => {
    const address = workbench()?.dataset.extend;
    if (!address || document.hidden || Date.now() - active > IDLE_AFTER) return;
    const answer = await send(address, new URLSearchParams());
    if (answer?.status === 409 && workbench().dataset.extend === address) note("lost");
  }, HEARTBEAT);

  /* htmx: what is under way, what failed, what has come. */
  document.addEventListener("htmx:beforeRequest", () => { clearTimeout(draftTimer); draftTimer = 0; draftRequest?.abort(); });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const isDone = event.detail.xhr.status < 300 && !event.detail.xhr.getResponseHeader("HX-Redirect");
    if (isDone && workbench()) sessionStorage.removeItem(store());
  });
  document.addEventListener("htmx:afterSwap", (event) => { if (event.detail.target?.id === "workbench") begin(); });
  for (const failure of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) {
    document.addEventListener(failure, () => {
      const sentence = document.createElement("span");
      sentence.className = "bad";
      sentence.textContent = status().dataset.failed;
      status().replaceChildren(sentence);
    });
  }

  function begin() {
    arrived = performance.now();
    active = Date.now();
    if (form()) restore();
  }
  begin();
})();
