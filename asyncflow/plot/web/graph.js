// The page of a graph: it can be moved, enlarged and searched, and tells of each box what is known of it.
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const stage = document.getElementById("stage"), svg = stage.querySelector("svg");
const side = document.getElementById("side"), tip = document.getElementById("tip");
const search = document.getElementById("search");
const size = { width: svg.width.baseVal.value, height: svg.height.baseVal.value };
const boxes = new Map([...svg.querySelectorAll(".af-node")].map(each => [Number(each.dataset.node), each]));
const edges = [...svg.querySelectorAll(".af-edge")];
const nodes = new Map(data.nodes.map(each => [each.number, each]));

// -- where one looks: the part of the picture that the stage shows ------------------------------------------------
const view = { x: 0, y: 0, scale: 1, isWhole: true }; // as long as nobody has moved

function show() {
  if (view.isWhole) whole();
  const { clientWidth: width, clientHeight: height } = stage;
  svg.setAttribute("viewBox", `${view.x} ${view.y} ${width / view.scale} ${height / view.scale}`);
}

// The whole picture if its letters can be read then; else its upper part.
function whole() {
  const { clientWidth: width, clientHeight: height } = stage;
  view.scale = Math.max(Math.min(1.4, width / size.width, height / size.height), Math.min(0.7, width / size.width));
  view.x = (size.width - width / view.scale) / 2;
  view.y = Math.min(0, (size.height - height / view.scale) / 2);
}

function fit() {
  view.isWhole = true;
  show();
}

function zoom(factor, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
  const scale = Math.min(8, Math.max(0.02, view.scale * factor));
  view.x += x / view.scale - x / scale;
  view.y += y / view.scale - y / scale;
  view.scale = scale;
  view.isWhole = false;
  show();
}

function move(x, y) {
  view.x += x / view.scale;
  view.y += y / view.scale;
  view.isWhole = false;
  show();
}

// Bring a box into view, if it is not there.
function reveal(box) {
  const at = box.getBoundingClientRect(), room = stage.getBoundingClientRect();
  if (at.left < room.left || at.right > room.right || at.top < room.top || at.bottom > room.bottom)
    move((at.left + at.right - room.left - room.right) / 2, (at.top + at.bottom - room.top - room.bottom) / 2);
}

// -- what is known of a box ---------------------------------------------------------------------------------------
function made(tag, text = "", properties = {}) {
  const element = Object.assign(document.createElement(tag), properties);
  element.textContent = text; // never HTML: names come from anywhere
  return element;
}

function facts(pairs) {
  const list = made("dl");
  for (const [name, fact] of pairs) list.append(made("dt", name), made("dd", fact));
  return list;
}

function sign(state) {
  const look = data.looks[state];
  const drawn = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  drawn.setAttribute("class", `sign af-${look.name}`);
  drawn.setAttribute("viewBox", "0 0 10 10");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("class", "af-mark");
  path.setAttribute("d", look.mark);
  drawn.append(path);
  return drawn;
}

function open(...content) {
  const close = made("button", "×", { id: "close", title: "Close (Esc)" });
  close.addEventListener("click", () => choose(null));
  side.replaceChildren(close, ...content);
  side.hidden = false;
  side.scrollTop = 0;
}

function choose(number) {
  for (const [each, box] of boxes) box.classList.toggle("chosen", each === number);
  const near = new Set([number]);
  for (const edge of edges) {
    const from = Number(edge.dataset.from), to = Number(edge.dataset.to);
    const touches = number === null || from === number || to === number;
    edge.classList.toggle("faded", !touches);
    if (touches) near.add(from).add(to);
  }
  for (const [each, box] of boxes) {
    const isPart = number === null || near.has(each) || around(number).includes(each) || around(each).includes(number);
    box.classList.toggle("faded", !isPart);
  }
  if (number === null) {
    side.hidden = true;
    show();
    return;
  }
  tellNode(nodes.get(number));
  show();
  reveal(boxes.get(number));
}

function around(number) {
  const outer = [];
  for (let each = nodes.get(number)?.around; each !== undefined && each !== -1; each = nodes.get(each)?.around)
    outer.push(each);
  return outer;
}

function tellNode(node) {
  const content = [made("h2", node.label)];
  const states = Object.entries(node.states);
  if (states.length) {
    const list = made("ul");
    for (const [state, count] of states) {
      const item = made("li", `${count.toLocaleString("en")} ${data.looks[state].words}`);
      item.prepend(sign(state));
      list.append(item);
    }
    content.push(list);
  }
  if (node.stories.length === 1 && node.count === 1) content.splice(1, 1, ...story(node.stories[0], node.details));
  else content.push(facts(node.details), ...storyList(node));
  for (const [title, ends] of [["waits for", linked(node, "to", "from")], ["is waited for by", linked(node, "from", "to")]])
    if (ends.length) content.push(made("h3", title), nodeList(ends));
  open(...content);
}

function linked(node, end, other) {
  const found = edges.filter(each => Number(each.dataset[end]) === node.number);
  return [...new Set(found.map(each => Number(each.dataset[other])))].filter(each => nodes.has(each));
}

function nodeList(numbers) {
  const list = made("ul");
  for (const number of numbers) {
    const item = made("li"), button = made("button", nodes.get(number).label);
    button.addEventListener("click", () => choose(number));
    item.append(button);
    list.append(item);
  }
  return list;
}

function storyList(node) {
  const told = node.stories.length, title = made("h3", `${node.count.toLocaleString("en")} tasks`);
  const content = [title];
  if (told < node.count)
    content.push(made("p", `The ${told} that are asked for first:`, { className: "note" }));
  const list = made("ol");
  for (const each of node.stories) {
    const item = made("li"), button = made("button", each.label);
    if (each.state) button.prepend(sign(each.state));
    button.addEventListener("click", () => tellStory(each, node));
    item.append(button);
    list.append(item);
  }
  return [...content, list];
}

function tellStory(told, node) {
  const back = made("button", `← ${node.label}`);
  back.addEventListener("click", () => tellNode(node));
  open(back, made("h2", told.label), ...story(told));
}

function story(told, more = []) {
  const content = [];
  if (told.state) {
    const state = made("p", data.looks[told.state].words);
    state.prepend(sign(told.state));
    content.push(state);
  }
  const details = new Map(told.source ? [["called at", told.source]] : []);
  for (const [name, fact] of [...more, ...told.details]) if (!details.has(name)) details.set(name, fact);
  content.push(facts(details));
  if (told.lines.length) content.push(made("pre", told.lines.join("\n")));
  return content;
}

// -- search: names of boxes, numbers and stories of tasks ----------------------------------------------------------
function found(words) {
  const hits = [];
  const number = /^#?(\d+)$/.exec(words)?.[1];
  for (const node of data.nodes) {
    if (node.label.toLowerCase().includes(words)) hits.push([node.label, () => choose(node.number)]);
    for (const each of node.stories) {
      const text = `${each.label} ${each.source} ${each.details.flat().join(" ")}`.toLowerCase();
      if (node.stories.length > 1 && text.includes(words))
        hits.push([each.label, () => { choose(node.number); tellStory(each, node); }]);
      if (hits.length > 200) return hits;
    }
    if (number !== undefined && holds(node, Number(number)) && !node.stories.some(each => each.label.endsWith(`(#${number})`)))
      hits.push([`#${number}, one of ${node.label}`, () => choose(node.number)]);
  }
  return hits;
}

// The numbers of a box's tasks are kept as [first, how many follow it without a gap] by turns.
function holds(node, id) {
  for (let place = 0; place < node.ids.length; place += 2)
    if (id >= node.ids[place] && id < node.ids[place] + node.ids[place + 1]) return true;
  return false;
}

function look() {
  const words = search.value.trim().toLowerCase();
  for (const [number, box] of boxes) {
    const node = nodes.get(number);
    box.classList.toggle("faded", words !== "" && node !== undefined && !node.label.toLowerCase().includes(words));
  }
  for (const edge of edges) edge.classList.toggle("faded", words !== "");
  if (!words) {
    side.hidden = true;
    show();
    return;
  }
  const hits = found(words), list = made("ol");
  for (const [label, act] of hits.slice(0, 200)) {
    const item = made("li"), button = made("button", label);
    button.addEventListener("click", act);
    item.append(button);
    list.append(item);
  }
  const told = hits.length > 200 ? "more than 200 found" : `${hits.length} found`;
  open(made("h2", told), list);
  show();
}

// -- mouse, fingers and keys --------------------------------------------------------------------------------------
const held = new Map();
let moved = false;

stage.addEventListener("pointerdown", event => {
  held.set(event.pointerId, [event.clientX, event.clientY]);
  if (held.size === 1) moved = false;
});
window.addEventListener("pointermove", event => {
  const before = held.get(event.pointerId);
  if (!before) return hover(event);
  const now = [event.clientX, event.clientY];
  if (held.size === 1) {
    if (!moved && Math.hypot(now[0] - before[0], now[1] - before[1]) < 4) return;
    moved = true;
    stage.classList.add("held");
    tip.hidden = true;
    move(before[0] - now[0], before[1] - now[1]);
  } else {
    const other = [...held].find(([id]) => id !== event.pointerId)[1];
    const apart = point => Math.hypot(point[0] - other[0], point[1] - other[1]);
    const room = stage.getBoundingClientRect();
    moved = true;
    zoom(apart(now) / Math.max(1, apart(before)), (now[0] + other[0]) / 2 - room.left, (now[1] + other[1]) / 2 - room.top);
  }
  held.set(event.pointerId, now);
});
for (const kind of ["pointerup", "pointercancel"])
  window.addEventListener(kind, event => {
    held.delete(event.pointerId);
    stage.classList.remove("held");
  });
stage.addEventListener("click", event => {
  if (moved) return;
  const box = event.target.closest(".af-node");
  choose(box ? Number(box.dataset.node) : null);
});
stage.addEventListener("wheel", event => {
  event.preventDefault();
  const room = stage.getBoundingClientRect();
  const step = event.deltaMode ? event.deltaY * 30 : event.deltaY;
  zoom(Math.exp(-step / 500), event.clientX - room.left, event.clientY - room.top);
}, { passive: false });
stage.addEventListener("pointerleave", () => { tip.hidden = true; });

function hover(event) {
  const told = event.target.closest?.("[data-told]");
  tip.hidden = !told;
  if (!told) return;
  tip.textContent = told.dataset.told;
  const left = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8);
  const below = event.clientY + 16 + tip.offsetHeight < window.innerHeight;
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${below ? event.clientY + 16 : Math.max(8, event.clientY - tip.offsetHeight - 10)}px`;
}

const keys = {
  "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), "0": fit, "/": () => search.focus(),
  ArrowLeft: () => move(-60, 0), ArrowRight: () => move(60, 0), ArrowUp: () => move(0, -60), ArrowDown: () => move(0, 60),
};
window.addEventListener("keydown", event => {
  if (event.key === "Escape") {
    search.value = "";
    choose(null);
    document.activeElement.blur();
    return;
  }
  const box = document.activeElement.closest?.(".af-node");
  if (box && (event.key === "Enter" || event.key === " ")) {
    event.preventDefault();
    choose(Number(box.dataset.node));
    return;
  }
  if (event.target === search || event.ctrlKey || event.metaKey || event.altKey) return;
  if (side.contains(event.target) && event.key.startsWith("Arrow")) return;
  const act = keys[event.key];
  if (act) {
    event.preventDefault();
    act();
  }
});
search.addEventListener("input", look);
search.addEventListener("keydown", event => {
  if (event.key === "Enter") side.querySelector("li > button")?.click();
});
for (const [id, act] of [["closer", () => zoom(1.25)], ["farther", () => zoom(0.8)], ["whole", fit]])
  document.getElementById(id).addEventListener("click", act);

// Each box can be reached by the keyboard, and says at once what a browser would say later.
for (const title of svg.querySelectorAll(":scope g > title")) {
  const told = title.parentElement;
  told.dataset.told = title.textContent;
  told.setAttribute("aria-label", title.textContent);
  title.remove();
}
for (const box of boxes.values()) {
  box.setAttribute("tabindex", "0");
  box.setAttribute("role", "button");
  box.addEventListener("focus", () => { if (box.matches(":focus-visible")) reveal(box); });
}
svg.setAttribute("role", "group");
new ResizeObserver(show).observe(stage);
window.addEventListener("beforeprint", () => svg.setAttribute("viewBox", `0 0 ${size.width} ${size.height}`));
window.addEventListener("afterprint", show);
fit();
