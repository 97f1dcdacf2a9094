/* Keys, drafts, heartbeat and what lies beside the texts. Everything works without this script; with it, faster. */
"use strict";
(() => {
  const DRAFT_AFTER = 2000, LOOK_AFTER = 500, HEARTBEAT = 120000, IDLE_AFTER = 600000;
  const JUST_ARRIVED = 350, AFTER_COMPOSITION = 60;
  let arrived = 0, composed = -AFTER_COMPOSITION, active = Date.now(), view = "";
  let draftTimer = 0, draftRequest = null, lookTimer = 0, lookRequest = null, cameFrom = null;

  const workbench = () => document.getElementById("workbench");
  const form = () => document.getElementById("record-form");
  const status = () => document.getElementById("status");
  const drawer = () => document.getElementById("drawer");
  const isField = (node) => node.matches?.("textarea, select, input:not([type=radio]), [contenteditable]");
  const isShown = (node) => node.offsetParent !== null || getComputedStyle(node).position === "fixed";

  /* A record that has only just come is not decided by the second click of a double click meant for the last one. */
  const isTooSoon = () => performance.now() - arrived < JUST_ARRIVED;

  document.addEventListener("click", (event) => {
    if (isTooSoon() && event.target.closest?.(".bar, #status")) { event.preventDefault(); event.stopImmediatePropagation(); }
    for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
    const on = (selector) => event.target.closest?.(selector);
    if (on('.bar [value="edited"]') && !ownWording().open) { event.preventDefault(); event.stopPropagation(); showOwnWording(); return; }
    const acts = [["[data-view]", toggleView], ["[data-drawer]", openDrawer], ["[data-close]", closeDrawer], ["[data-places]", goTo], ["[data-take]", take]];
    for (const [selector, act] of acts) if (on(selector)) { event.preventDefault(); event.stopPropagation(); act(on(selector)); }
  }, true);

  const enter = (menu) => {
    if (menu.open && menu.matches?.(".bar details") && !menu.querySelector(".panel :focus")) menu.querySelector("button, input").focus();
  };
  document.addEventListener("toggle", (event) => enter(event.target), true);

  /* Keys: those printed on the buttons. Never while an input method composes, never while typing, but for chords. */
  document.addEventListener("compositionend", () => { composed = performance.now(); }, true);
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229 || performance.now() - composed < AFTER_COMPOSITION) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) return void chord(event);
    if (event.key === "Escape") return void leave();
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (isField(event.target)) {
      if (event.key === "Enter" && event.target.matches("[data-enter]")) press(event, "button", event.target.parentElement);
      return;
    }
    if (isComing()) return;  // what is typed ahead into a comment decides nothing
    const open = document.querySelector(".bar details[open]");
    const key = CSS.escape(event.key.toLowerCase());
    if (open) {  // no other key counts: a slip behind the one that opened it would decide
      if (!press(event, `[data-key="${key}"]`, open.querySelector(".panel"))) press(event, `summary[data-key="${key}"]`, open);
      return;
    }
    if (press(event, `:is(.bar > *, .bar > details > summary, .empty *, .lead *, .tools > *, .release, .views > *, .own-wording > summary)[data-key="${key}"]:not(:disabled)`)) return;
    const field = document.querySelector(`[data-focus-key="${key}"]`);
    if (field) { event.preventDefault(); field.focus(); return; }
    if (event.key === "?" && document.getElementById("keys")) { event.preventDefault(); showKeys(); }
    if (event.key === "l") focusFirst(event, ".words input:last-child");
    if (event.key === "f") nextFinding(event);
  });

  function chord(event) {
    const own = event.target.matches?.("[data-chord]") ? event.target.form.querySelector("button")
      : event.target.closest?.(".own-wording")?.querySelector('[value="edited"]');
    if (own) { event.preventDefault(); own.click(); }
    else if (!ownWording()) press(event, ".bar .primary:enabled");  // a settler chooses one of several, by its own key
  }

  function press(event, selector, within = document) {
    const button = [...within.querySelectorAll(selector)].find(isShown);
    if (!button) return false;
    event.preventDefault();
    if (button.matches("input")) button.focus(); else button.click();
    if (button.matches(".own-wording > summary")) showOwnWording();
    else if (button.matches("summary")) enter(button.parentElement);  // `toggle` comes later, and the next key may come before it
    return true;
  }

  /* The settler's own wording: shown before it can be approved. */
  const ownWording = () => document.querySelector(".own-wording");
  function showOwnWording() {
    ownWording().open = true;
    ownWording().querySelector('[name="output"]').focus();
  }

  function focusFirst(event, selector) {
    const field = document.querySelector(selector);
    if (field) { event.preventDefault(); field.focus(); }
  }

  function leave() {
    const open = document.querySelector("details.menu[open]");
    if (open) { open.open = false; open.querySelector("summary").focus(); }
    else if (drawer() && !drawer().hidden) closeDrawer();
    else workbench()?.querySelector("h1")?.focus();
  }

  /* The drawer: guideline, comments, keys. The record stays where it is. */
  function openDrawer(link) {
    cameFrom = document.activeElement;
    if (!window.htmx) { location.assign(link.href); return; }
    showDrawer(link.firstChild.textContent.trim(), link.dataset.drawer);
    document.getElementById("drawer-content").replaceChildren();
    // Settled at once: a form that is there, but not htmx's yet, would lead away from the record when it is sent.
    htmx.ajax("GET", link.getAttribute("href"), { target: "#drawer-content", swap: "innerHTML settle:0ms" });
  }

  const isComing = () => drawer() && !drawer().hidden && !document.getElementById("drawer-content").hasChildNodes();

  function showDrawer(title, width = "") {
    drawer().className = `drawer ${width}`;
    document.getElementById("drawer-title").textContent = title;
    drawer().hidden = false;
    drawer().focus();
  }

  function showKeys() {
    cameFrom = document.activeElement;
    document.getElementById("drawer-content").replaceChildren(document.getElementById("keys").content.cloneNode(true));
    showDrawer(document.getElementById("keys").dataset.title);
  }

  function closeDrawer() {
    drawer().hidden = true;
    (cameFrom?.isConnected ? cameFrom : workbench()?.querySelector("h1"))?.focus();
  }

  /* What deserves a look: to its place in the text, from one place to the next. */
  function goTo(button) {
    const field = document.getElementById(button.dataset.go), places = button.dataset.places.split(" ");
    const next = (Number(button.dataset.at ?? -1) + 1) % places.length;
    button.dataset.at = next;
    const [start, end] = places[next].split("-").map(Number);
    field.focus();
    field.setSelectionRange(start, end);
  }

  function nextFinding(event) {
    const all = [...document.querySelectorAll(".findings [data-places]")];
    if (!all.length) return void say("unflagged");
    event.preventDefault();
    const now = workbench().dataset.finding ?? -1, next = (Number(now) + 1) % all.length;
    workbench().dataset.finding = next;
    goTo(all[next]);
  }

  function take(button) {
    const field = document.getElementById(button.dataset.take);
    field.value = button.parentElement.querySelector("pre").textContent;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.focus();
  }

  /* Changes and preview beside the texts, of what is typed by now. */
  function toggleView(button) {
    view = view === button.dataset.view ? "" : button.dataset.view;
    showView();
    if (view) look();
  }

  function showView() {
    for (const button of document.querySelectorAll("[data-view]")) button.setAttribute("aria-pressed", button.dataset.view === view);
    workbench().classList.toggle("comparing", view !== "");
    if (!view) for (const place of document.querySelectorAll(".beside")) place.replaceChildren();
  }

  async function look() {
    clearTimeout(lookTimer);
    lookRequest?.abort();
    const request = lookRequest = new AbortController(), body = new URLSearchParams(new FormData(form()));
    const waits = setTimeout(() => { document.getElementById("looking").hidden = false; }, 300);
    body.set("view", view);
    const answer = await send(workbench().dataset.look, body, { signal: request.signal });
    const page = answer?.ok ? new DOMParser().parseFromString(await answer.text().catch(() => ""), "text/html") : null;
    clearTimeout(waits);
    if (request !== lookRequest || request.signal.aborted) return;
    document.getElementById("looking").hidden = true;
    for (const part of page?.querySelectorAll("[data-looked] > [id]") ?? []) document.getElementById(part.id)?.replaceWith(document.adoptNode(part));
  }

  /* Nothing typed is lost: to the server within two seconds, also while somebody types on, and into this browser meanwhile. */
  const store = () => `cqia:typed:${workbench()?.dataset.person}:${workbench()?.dataset.record}${form()?.elements.base ? `:${form().elements.base.value}` : ""}`;
  const named = (name) => [...form().querySelectorAll(`[name="${name}"]`)];
  const typed = () => [...form().querySelectorAll("textarea, select, input:not([type=hidden])")]
    .map((field) => [field.name, field.type === "radio" ? field.checked : field.value]);

  document.addEventListener("input", (event) => {
    active = Date.now();
    if (!event.target.closest("#record-form") || !workbench().dataset.draft) return;
    if (event.target.value) addLabelField(event.target);
    if (event.target.matches(".words input")) markNewLabel(event.target);
    const name = event.target.name;
    for (const place of [`mirror_${name}`, `findings_${name}`]) document.getElementById(place)?.classList.add("stale");
    draftTimer ||= setTimeout(saveDraft, DRAFT_AFTER);
    keep();
    clearTimeout(lookTimer);
    if (view) lookTimer = setTimeout(look, LOOK_AFTER);
  });

  /* Into the browser at the next quiet moment, so that a long text does not slow down the keys. */
  let keeping = 0;
  function keep() { keeping ||= setTimeout(keepNow, 200); }
  function keepNow() {
    clearTimeout(keeping);
    if (keeping && form()) localStorage.setItem(store(), JSON.stringify({ seen: form().elements.seen_revision.value, at: Date.now(), typed: typed() }));
    keeping = 0;
  }

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) return void beat();
    keepNow();
    if (draftTimer) saveDraft(true);
  });
  for (const sign of ["keydown", "pointerdown"]) document.addEventListener(sign, () => { active = Date.now(); }, true);

  async function saveDraft(keepalive = false) {
    clearTimeout(draftTimer);
    draftTimer = 0;
    if (!workbench()?.dataset.draft) return;
    const record = store(), request = draftRequest = new AbortController();
    const answer = await send(workbench().dataset.draft, new URLSearchParams(new FormData(form())), { keepalive, signal: request.signal });
    if (request.signal.aborted) return;
    const isSaved = answer?.status === 204;
    if (isSaved && !draftTimer && !keeping) localStorage.removeItem(record);
    if (record !== store()) return;
    note(isSaved ? "saved" : "kept");
    if (!isSaved || view || !document.querySelector(".mirror.stale")) return;
    clearTimeout(lookTimer);
    lookTimer = setTimeout(look, LOOK_AFTER);
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
    const kept = JSON.parse(localStorage.getItem(store()) ?? "null");
    if (!kept || !workbench().dataset.draft || kept.seen !== form().elements.seen_revision.value) return;
    if (kept.at < Number(workbench().dataset.draftAt ?? 0)) return;  // typed on elsewhere since
    const places = {};
    for (const [name, value] of kept.typed) {
      const place = places[name] = (places[name] ?? -1) + 1;
      const field = named(name)[place] ?? addLabelField(named(name).at(-1));
      const fold = field?.closest("details:not(.menu)");
      if (fold && field.value !== value) fold.open = true;
      if (field?.type === "radio") field.checked = value; else if (field) field.value = value;
    }
    for (const mirror of document.querySelectorAll(".mirror, .findings")) mirror.classList.add("stale");
    note("kept");
    saveDraft();
  }

  /* A comment that is not sent yet stays in this browser, whatever closes its drawer or page. */
  const commentStore = (field) => `cqia:comment:${workbench()?.dataset.person}:${field.form.getAttribute("action")}`;
  document.addEventListener("input", ({ target }) => {
    if (target.id === "id_comment") localStorage.setItem(commentStore(target), target.value);
  });
  function restoreComment() {
    const field = document.getElementById("id_comment");
    if (field && !field.value) field.value = localStorage.getItem(commentStore(field)) ?? "";
  }
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const field = document.getElementById("id_comment");
    if (detail.target?.id === "comments" && field && detail.xhr.status < 300) localStorage.removeItem(commentStore(field));
  });
  document.addEventListener("htmx:afterSwap", ({ detail }) => {
    restoreComment();
    if (detail.target?.id === "drawer-content") document.getElementById("id_comment")?.focus();
  });

  /* Labels: another empty field after the last one; a word that the vocabulary does not have is seen to be new. */
  function addLabelField(field) {
    if (!field?.matches(".words input:last-child")) return null;
    const next = field.cloneNode();
    next.value = "";
    next.removeAttribute("value");
    next.placeholder = "＋";
    field.after(next);
    return next;
  }

  const vocabularies = {};
  function markNewLabel(field) {
    const list = field.getAttribute("list");
    vocabularies[list] ??= new Set([...document.querySelectorAll(`#${list} option`)].map((option) => option.value));
    const isNew = field.value.trim() !== "" && !vocabularies[list].has(field.value.trim());
    field.classList.toggle("new", isNew);
    field.title = isNew ? field.closest("fieldset").dataset.new : "";
  }

  /* The claim lives as long as somebody is at the page, and ends soon after they left it. */
  async function beat() {
    const address = workbench()?.dataset.extend;
    if (!address || document.hidden || Date.now() - active > IDLE_AFTER) return;
    const answer = await send(address, new URLSearchParams());
    if (answer?.status === 409 && workbench().dataset.extend === address) note("lost");
  }
  setInterval(beat, HEARTBEAT);
  addEventListener("pagehide", () => {
    keepNow();
    if (!workbench()?.dataset.leave || !form()) return;
    const body = new FormData();
    body.set("csrfmiddlewaretoken", form().elements.csrfmiddlewaretoken.value);
    navigator.sendBeacon(workbench().dataset.leave, body);
  });
  addEventListener("pageshow", (event) => { if (event.persisted) beat(); });

  /* htmx: what is under way, what failed, what has come. */
  const isOfTheRecord = (event) => event.detail.target?.id === "workbench";
  const sendsTheRecord = (node) => form()?.contains(node);
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (!isOfTheRecord(event)) return;
    clearTimeout(lookTimer);
    lookRequest?.abort();
    keepNow();
    if (!sendsTheRecord(event.detail.elt)) { if (draftTimer) saveDraft(); return; }  // what is typed stays behind: an undo takes its place
    clearTimeout(draftTimer);
    draftTimer = 0;
    draftRequest?.abort();
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (!isOfTheRecord(event)) return;
    const isDone = event.detail.xhr.status < 300 && !event.detail.xhr.getResponseHeader("HX-Redirect");
    if (isDone && workbench() && sendsTheRecord(event.detail.requestConfig.elt)) localStorage.removeItem(store());
    for (const menu of document.querySelectorAll(".bar details[open]")) menu.open = false;  // else it closes the one that comes open
  });
  document.addEventListener("htmx:afterSwap", (event) => { if (isOfTheRecord(event)) begin(); });
  for (const failure of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) {
    document.addEventListener(failure, () => {
      say("failed", "bad");
      if (isComing()) closeDrawer();
    });
  }

  function say(which, kind = "") {
    const sentence = document.createElement("span");
    sentence.className = kind;
    sentence.textContent = status()?.dataset[which];
    status()?.replaceChildren(sentence);
  }

  function begin() {
    arrived = performance.now();
    active = Date.now();
    if (!form()) return;
    restore();
    for (const field of document.querySelectorAll(".words input")) markNewLabel(field);
    if (view) { showView(); look(); }
  }
  begin();
  beat();
})();
