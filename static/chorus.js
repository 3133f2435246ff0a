// What the pages gain by a script; all of them work without it.
//
// It keeps a page up to date (`data-live`), lets what is left of a wait tick, copies, tells local times, and knows a
// few keys. It makes no HTML of its own out of what it is told: a page that changed is fetched again, as the server
// renders it for whoever looks, and its parts are put in place of the old ones.

const page = document.body;
const said = document.getElementById("said");
const POLL_MS = 15000;
const SHORTCUTS = "chorus.shortcuts";

const say = (text) => {
  if (said && said.textContent !== text) said.textContent = text;
};

// --- time ------------------------------------------------------------------------------------------------------------

// What is left was counted by the daemon's clock; here it only goes on, so a clock that is wrong does no harm.
const ends = new WeakMap();

const length = (ms) => {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts = [
    [Math.floor(seconds / 86400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return "0s";
  return parts.slice(first, first + 2).filter(([count]) => count > 0).map(([count, unit]) => count + unit).join(" ");
};

const tick = () => {
  for (const time of document.querySelectorAll("time[data-countdown]")) {
    const left = time.nextElementSibling;
    if (!left || !left.classList.contains("left")) continue;
    if (!ends.has(time)) ends.set(time, performance.now() + Number(time.dataset.countdown) * 1000);
    const ms = ends.get(time) - performance.now();
    const text = ms > 0 ? `(in ${length(ms)})` : "(now due)";
    if (left.textContent !== text) left.textContent = text;
  }
};

const localTimes = () => {
  for (const time of document.querySelectorAll("time:not([title])")) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.getTime())) time.title = at.toLocaleString(undefined, { dateStyle: "full", timeStyle: "long" });
  }
};

// --- copying ---------------------------------------------------------------------------------------------------------

const copyButtons = () => {
  for (const block of document.querySelectorAll("[data-copy]:not([data-copies])")) {
    block.dataset.copies = "";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet copy";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy ${block.dataset.copy}`);
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(block.textContent.trim());
        say(`Copied ${block.dataset.copy}.`);
        button.textContent = "Copied";
      } catch {
        const range = document.createRange();
        range.selectNodeContents(block);
        getSelection().removeAllRanges();
        getSelection().addRange(range);
        say("It is marked: copy it with your browser.");
        button.textContent = "Marked";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    block.after(button);
  }
};

const dress = () => {
  localTimes();
  copyButtons();
  tick();
};

// --- keeping up to date ----------------------------------------------------------------------------------------------

let fetching = false;
let again = false;
let tag = null;

// What an element is called, whatever it shows at the moment; a copy button is that of what stands before it.
const called = (one) => {
  const name = one.getAttribute("aria-label") || one.dataset.copy || one.textContent;
  return `${one.localName} ${name} ${one.classList.contains("copy") ? one.previousElementSibling?.textContent : ""}`;
};

// Where the focus is, in words that still mean something once the part was replaced.
const focusIn = (part) => {
  const focused = document.activeElement;
  if (!focused || focused === page || !part.contains(focused)) return null;
  const { id, localName, selectionStart, selectionEnd } = focused;
  return { id, localName, name: called(focused), start: selectionStart, end: selectionEnd };
};

const focusAgain = (part, was) => {
  if (!was) return;
  // Never another button: whoever is about to press one must not press what took its place.
  const alike = [...part.querySelectorAll(was.localName)].find((one) => called(one) === was.name);
  const to = (was.id && document.getElementById(was.id)) || alike || document.getElementById("main");
  to.focus({ preventScroll: true });
  if (typeof was.start === "number" && to.setSelectionRange) {
    try { to.setSelectionRange(was.start, was.end); } catch { /* not a field of text */ }
  }
};

const keep = (old, fresh) => {
  const opened = [...old.querySelectorAll("details")].map((one) => one.open);
  fresh.querySelectorAll("details").forEach((one, index) => { if (index < opened.length) one.open = opened[index]; });
  for (const field of old.querySelectorAll("input:not([type=hidden]), select, textarea")) {
    const twin = field.id && fresh.querySelector(`#${CSS.escape(field.id)}`);
    if (!twin) continue;
    if (field.type === "checkbox" || field.type === "radio") twin.checked = field.checked;
    else twin.value = field.value;
  }
};

const scrolled = (part) => [...part.querySelectorAll(".scroll")].map((one) => [one.scrollLeft, one.scrollTop]);

const replace = (old, fresh) => {
  // Copy buttons are the script's own and not the page's.
  const bare = old.cloneNode(true);
  for (const button of bare.querySelectorAll(".copy")) button.remove();
  for (const block of bare.querySelectorAll("[data-copies]")) delete block.dataset.copies;
  for (const time of bare.querySelectorAll("time[title]")) time.removeAttribute("title");
  for (const open of bare.querySelectorAll("details")) open.open = false;
  const stripped = fresh.cloneNode(true);
  for (const open of stripped.querySelectorAll("details")) open.open = false;
  for (const one of [bare, stripped]) {
    for (const left of one.querySelectorAll(".left")) left.textContent = "";
    for (const time of one.querySelectorAll("[data-countdown]")) time.dataset.countdown = "";
  }
  if (bare.isEqualNode(stripped)) return false;
  const focus = focusIn(old);
  const places = scrolled(old);
  keep(old, fresh);
  old.replaceWith(fresh);
  fresh.querySelectorAll(".scroll").forEach((one, index) => {
    if (places[index]) [one.scrollLeft, one.scrollTop] = places[index];
  });
  // The focus may have been on a copy button.
  dress();
  focusAgain(fresh, focus);
  fresh.classList.add("changed");
  return true;
};

const refresh = async () => {
  if (fetching) {
    again = true;
    return;
  }
  fetching = true;
  try {
    const headers = { "X-Fragment": "live" };
    if (tag) headers["If-None-Match"] = tag;
    const answer = await fetch(location.href, { headers, credentials: "same-origin", redirect: "manual" });
    if (answer.type === "opaqueredirect" || answer.status === 401) {
      say("You are signed out. Load the page again to sign in.");
      stop();
      return;
    }
    if (answer.status === 304) return;
    if (!answer.ok) throw new Error(String(answer.status));
    tag = answer.headers.get("ETag");
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    let changed = 0;
    const place = scrollY;
    for (const old of document.querySelectorAll("[data-live]")) {
      const twin = fresh.querySelector(`[data-live="${CSS.escape(old.dataset.live)}"]`);
      if (twin && replace(old, document.importNode(twin, true))) changed += 1;
    }
    // Parts that came or went change the page as a whole.
    const names = (root) => [...root.querySelectorAll("[data-live]")].map((one) => one.dataset.live).join(" ");
    if (names(document) !== names(fresh)) {
      const main = fresh.getElementById("main");
      if (main) replace(document.getElementById("main"), document.importNode(main, true));
      changed += 1;
    }
    if (changed) {
      scrollTo({ top: place, behavior: "instant" });
      const verdict = document.querySelector(".verdict");
      say(`Changed just now.${verdict ? ` ${verdict.textContent.trim()}` : ""}`);
    }
  } catch {
    say("Chorus does not answer. What you see may be old; it is asked again.");
  } finally {
    fetching = false;
    if (again) {
      again = false;
      setTimeout(refresh, 200);
    }
  }
};

let polling = 0;
let stream = null;

const poll = () => {
  if (!polling) polling = setInterval(() => { if (!document.hidden) refresh(); }, POLL_MS);
};

const unpoll = () => {
  clearInterval(polling);
  polling = 0;
};

const stop = () => {
  unpoll();
  if (stream) stream.close();
};

const listen = () => {
  if (typeof EventSource !== "function") {
    poll();
    return;
  }
  const zone = page.dataset.zone;
  stream = new EventSource(zone ? `/events?zone=${encodeURIComponent(zone)}` : "/events");
  stream.addEventListener("open", unpoll);
  // The daemon tells of the zone that was asked for alone.
  stream.addEventListener("changed", () => refresh());
  stream.addEventListener("error", () => {
    poll();
    // A stream that was refused is not opened again by the browser.
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, POLL_MS * 4);
  });
  addEventListener("pagehide", () => stream.close(), { once: true });
};

// --- keys ------------------------------------------------------------------------------------------------------------

const wanted = () => {
  try { return localStorage.getItem(SHORTCUTS) !== "off"; } catch { return true; }
};

const want = (on) => {
  try { localStorage.setItem(SHORTCUTS, on ? "on" : "off"); } catch { /* for this page only, then */ }
};

const PLACES = { o: "/", z: "/zones", p: "/operators", r: "/parents", s: "/statistics", a: "/audit" };

let after = "";

const help = () => {
  let box = document.getElementById("keys");
  if (!box) {
    box = document.createElement("dialog");
    box.id = "keys";
    box.setAttribute("aria-label", "Keys");
    const rows = [
      ["/", "search"], ["g o", "overview"], ["g z", "zones"], ["g p", "operators"], ["g r", "parents"],
      ["g s", "statistics"], ["g a", "audit"], ["?", "these keys"],
    ];
    const list = document.createElement("ul");
    for (const [keys, text] of rows) {
      const row = document.createElement("li");
      const key = document.createElement("kbd");
      key.textContent = keys;
      row.append(key, ` ${text}`);
      list.append(row);
    }
    const off = document.createElement("button");
    off.type = "button";
    off.className = "quiet";
    const close = document.createElement("button");
    close.type = "button";
    close.textContent = "Close";
    const label = () => { off.textContent = wanted() ? "Switch the keys off" : "Switch the keys on"; };
    label();
    off.addEventListener("click", () => {
      want(!wanted());
      label();
      hint();
      say(wanted() ? "The keys are on." : "The keys are off.");
    });
    close.addEventListener("click", () => box.close());
    box.append(list, off, " ", close);
    page.append(box);
  }
  if (!box.open) box.showModal();
};

const hint = () => {
  const place = document.getElementById("keys-hint");
  if (!place) return;
  place.textContent = "";
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet copy";
  button.textContent = wanted() ? "Keys: on (?)" : "Keys: off";
  button.addEventListener("click", help);
  place.append(button);
};

const typing = (target) => target instanceof Element && target.closest("input, textarea, select, [contenteditable]");

const pressed = (event) => {
  if (!wanted() || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  if (document.querySelector("dialog[open]")) return;
  const before = after;
  after = "";
  if (before === "g" && PLACES[event.key]) {
    // Only where the visitor may go: the navigation has no other links.
    const link = document.querySelector(`.places a[href="${PLACES[event.key]}"]`);
    if (link) link.click();
  } else if (event.key === "g") {
    after = "g";
    setTimeout(() => { after = ""; }, 1500);
  } else if (event.key === "/") {
    const search = document.querySelector("[data-search]");
    event.preventDefault();
    if (search) search.focus();
    else document.querySelector('.places a[href="/zones"]')?.click();
  } else if (event.key === "?") {
    event.preventDefault();
    help();
  }
};

// --- beginning -------------------------------------------------------------------------------------------------------

// The address of a page that tells what was done would tell it again to whoever it is handed to.
if (new URLSearchParams(location.search).has("notice")) {
  const bare = new URL(location.href);
  bare.searchParams.delete("notice");
  history.replaceState(null, "", bare);
}

for (const field of document.querySelectorAll("[data-send]")) {
  field.addEventListener("change", () => field.form.requestSubmit());
  for (const button of field.form.querySelectorAll("[data-hide]")) button.hidden = true;
}

// A form that was sent is not sent twice.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  say("Sent; Chorus is at work.");
});
addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});

document.addEventListener("keydown", pressed);
hint();
dress();
setInterval(tick, 1000);
if ("stream" in page.dataset) {
  listen();
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
}
