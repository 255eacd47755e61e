// Keeps the page as it is now: puts changed sections in place and lets times run in between. Without it the page reloads itself.
"use strict";

let ahead = 0;        // how far the server's clock is ahead of this one, in seconds
let lostAt = null;    // when the stream broke off

const now = () => Date.now() / 1000;
const setClock = () => { ahead = document.getElementById("made").dataset.madeAt - now(); };

// As `duration` in figures.py.
function duration(length) {
  const whole = Math.max(0, Math.floor(length + 0.5));
  for (const [size, unit, partSize, part] of [[86400, "d", 3600, "h"], [3600, "h", 60, "min"], [60, "min", 1, "s"]]) {
    if (whole >= size) {
      const rest = Math.floor(whole % size / partSize);
      return `${Math.floor(whole / size)} ${unit}` + (rest ? ` ${rest} ${part}` : "");
    }
  }
  return `${whole} s`;
}

// Makes `old` like `fresh` and touches nothing else: focus, selection, what is open and how far it is scrolled stay.
function become(old, fresh) {
  if (old.nodeName !== fresh.nodeName) return old.replaceWith(fresh);
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const {name} of [...old.attributes]) if (name !== "open" && !fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const {name, value} of fresh.attributes) if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  becomeInside(old, fresh);
}

function becomeInside(old, fresh) {
  const before = [...old.childNodes], after = [...fresh.childNodes];
  after.forEach((node, place) => before[place] ? become(before[place], node) : old.append(node));
  before.slice(after.length).forEach(node => node.remove());
}

function show(sections) {
  for (const [name, html] of Object.entries(sections)) {
    const fresh = document.createElement("template");
    fresh.innerHTML = html;
    const place = document.getElementById(`${name}-body`) || document.getElementById(name);
    if (place) becomeInside(place, fresh.content);
  }
  if (sections.clock) setClock();
  document.title = `${document.getElementById("sentence").dataset.title} – Nylas proxy`;
}

function run() {
  const there = now() + ahead;
  for (const time of document.querySelectorAll("time[data-until], time[data-since]")) {
    const text = duration("until" in time.dataset ? time.dataset.until - there : there - time.dataset.since);
    if (time.textContent !== text) time.textContent = text;
  }
  const lost = document.getElementById("lost");
  lost.hidden = lostAt === null;
  if (lostAt !== null) lost.textContent = `No connection to the proxy for ${duration(now() - lostAt)}: what is below may be out of date.`;
}

function watch() {
  const source = new EventSource("events");
  source.onmessage = event => { lostAt = null; show(JSON.parse(event.data)); run(); };
  source.onerror = () => {
    lostAt ??= now();
    run();
    if (source.readyState === EventSource.CLOSED) setTimeout(watch, 5000);   // it was refused, which a browser takes for final
  };
}

setClock();
setInterval(run, 1000);
watch();
