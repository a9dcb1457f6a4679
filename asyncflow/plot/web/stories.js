"use strict";
// The stories of tasks: reads what `packed.py` has written, finds tasks, and tells of each what is known.
// Everything is put into the page as text: no name can become anything else.
const asyncflowStories = (() => {
  const MOMENTS = ["called", "ready", "staged", "submitted", "loading", "started", "finished", "over"];
  const GLYPHS = {
    PENDING: "○", READY: "◎", SUBMITTED: "↑", RUNNING: "▶", CANCELLING: "◪", SUCCEEDED: "✓", FAILED: "✗",
    UPSTREAM_FAILED: "!", SKIPPED: "»", CANCELLED: "⊘",
  };

  function make(tag, given, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(given || {})) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.filter((each) => each !== null && each !== undefined));
    return node;
  }

  function seconds(duration) {
    const short = (number) => String(Number(number.toPrecision(3)));
    if (duration > 0 && duration < 0.9995e-3) return `${short(duration * 1e6)} µs`;
    if (duration > 0 && duration < 0.9995) return `${short(duration * 1e3)} ms`;
    if (duration < 119.5) return `${short(duration)} s`;
    if (duration < 7200) return `${Math.floor(Math.round(duration) / 60)} min ${Math.round(duration) % 60} s`;
    const minutes = Math.round(duration / 60);
    return `${Math.floor(minutes / 60).toLocaleString("en")} h ${minutes % 60} min`;
  }

  // -- reading -----------------------------------------------------------------------------------------

  async function read(element) {
    const bytes = Uint8Array.from(atob(element.textContent.trim()), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return unpacked(await new Response(stream).arrayBuffer());
  }

  function unpacked(buffer) {
    const size = new DataView(buffer).getUint32(0, true);
    const data = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, size)));
    const bytes = new Uint8Array(buffer, 4 + size);
    const columns = {};
    let at = 0;
    for (const [name, count] of data.columns) {
      const column = new Uint32Array(count);
      for (let place = 0; place < count; place++)
        column[place] = (bytes[at + place] | (bytes[at + count + place] << 8) | (bytes[at + 2 * count + place] << 16)
          | (bytes[at + 3 * count + place] << 24)) >>> 0;
      columns[name] = column;
      at += 4 * count;
    }
    return laidOut(data, columns);
  }

  const unfolded = (number) => (number & 1 ? -(number + 1) / 2 : number / 2);

  function summed(column) {
    const values = new Float64Array(column.length);
    let value = 0;
    for (let place = 0; place < column.length; place++) values[place] = value += unfolded(column[place]);
    return values;
  }

  function laidOut(data, columns) {
    const count = columns.id.length;
    data.size = count;
    data.id = summed(columns.id);
    for (const name of ["where", "state", "worker", "block", "critical"]) data[name] = columns[name];
    let ticks = summed(columns.called);
    data.times = [ticks.map((tick) => tick * data.unit)];
    for (let number = 1; number < MOMENTS.length; number++) {
      const later = columns[`time${number}`];
      ticks = ticks.map((tick, place) => tick + later[place]);
      data.times.push(ticks.map((tick) => tick * data.unit));
    }
    data.placeOf = new Map();
    for (let place = 0; place < count; place++) data.placeOf.set(data.id[place], place);
    data.starts = new Uint32Array(count + 1);
    for (let place = 0; place < count; place++) data.starts[place + 1] = data.starts[place] + columns.needs[place];
    data.needs = new Float64Array(columns.need.length);
    for (let place = 0; place < count; place++)
      for (let at = data.starts[place]; at < data.starts[place + 1]; at++)
        data.needs[at] = data.id[place] - unfolded(columns.need[at]);
    data.parts = new Map(data.parts);
    data.labels = new Map(data.labels);
    data.facts = new Map();
    summed(columns.factTask).forEach((place, at) => {
      const pair = [data.texts[columns.factName[at]], data.texts[columns.factText[at]]];
      if (data.facts.has(place)) data.facts.get(place).push(pair);
      else data.facts.set(place, [pair]);
    });
    data.bars = bars(data, columns, "bars");
    data.path = bars(data, columns, "path");
    return data;
  }

  function bars(data, columns, name) {
    const tasks = summed(columns[`${name}Task`]);
    const begin = new Float64Array(tasks.length), end = new Float64Array(tasks.length);
    const [started, finished] = [data.times[5], data.times[6]];
    for (let at = 0; at < tasks.length; at++) {
      const task = tasks[at];
      begin[at] = (task < 0 ? 0 : started[task]) + unfolded(columns[`${name}Begin`][at]) * data.unit;
      end[at] = (task < 0 ? 0 : finished[task]) + unfolded(columns[`${name}End`][at]) * data.unit;
    }
    return { row: summed(columns[`${name}Row`]), what: columns[`${name}What`], task: tasks, begin, end };
  }

  // -- one task ----------------------------------------------------------------------------------------

  function label(data, task) {
    const own = data.labels.has(task) ? `[${data.labels.get(task)}]` : "";
    return `${data.wheres[data.where[task]].name}${own} (#${data.id[task]})`;
  }
  const stateOf = (data, task) => data.states[data.state[task] - 1];

  // What a task was at, one after another: [category, from, until].
  function parts(data, task) {
    const given = data.parts.get(task)
      || data.wheres[data.where[task]].phases.map((phase, at) => [phase, data.times[at + 1][task]]);
    const found = [];
    let since = data.times[0][task];
    for (const [category, until] of given)
      if (until > since) {
        if (found.length && found[found.length - 1][0] === category) found[found.length - 1][2] = until;
        else found.push([category, since, until]);
        since = until;
      }
    return found;
  }

  function dependents(data, task) {
    if (!data.dependents) {
      data.dependents = new Map();
      for (let place = 0; place < data.size; place++)
        for (let at = data.starts[place]; at < data.starts[place + 1]; at++) {
          const need = data.placeOf.get(data.needs[at]);
          if (need === undefined) continue;
          if (data.dependents.has(need)) data.dependents.get(need).push(place);
          else data.dependents.set(need, [place]);
        }
    }
    return data.dependents.get(task) || [];
  }

  function links(data, tasks, pick, more) {
    const shown = tasks.slice(0, 12).map((task) =>
      make("button", { type: "button", class: "task", onclick: () => pick(task) }, label(data, task)));
    const left = tasks.length - shown.length + (more || 0);
    const list = make("span", { class: "tasks" }, ...shown);
    if (left > 0) list.append(make("span", { class: "more" }, `and ${left.toLocaleString("en")} more`));
    return list;
  }

  function times(data, task) {
    const total = data.times[7][task] - data.times[0][task];
    const strip = make("div", { class: "strip", "aria-hidden": "true" });
    const body = make("tbody");
    for (const [category, since, until] of parts(data, task)) {
      const name = data.categories[category];
      const piece = make("i", { class: `cat-${name}`, title: `${name} ${seconds(until - since)}` });
      piece.style.flexGrow = String(total ? (until - since) / total : 0);
      strip.append(piece);
      body.append(make("tr", {}, make("td", {}, make("i", { class: `dot cat-${name}` }), name),
        make("td", { class: "number" }, seconds(until - since)), make("td", { class: "number" }, seconds(since))));
    }
    const head = make("tr", {}, ...["spent on", "time", "from"].map((name, at) =>
      make("th", { class: at ? "number" : undefined }, name)));
    return make("div", { class: "times" }, strip, make("table", {}, make("thead", {}, head), body));
  }

  function story(data, task, pick) {
    const where = data.wheres[data.where[task]];
    const state = stateOf(data, task);
    const list = make("dl");
    const fact = (name, value) => list.append(make("dt", {}, name), make("dd", {}, value));
    fact("called", `at ${where.called_at || "?"}, ${seconds(data.times[0][task])} after the beginning`);
    const worker = data.workers[data.worker[task]];
    fact("where", where.place + (worker ? `, ${worker}` : ""));
    if (where.workflow) fact("workflow", where.workflow);
    const needs = Array.from(data.needs.subarray(data.starts[task], data.starts[task + 1]));
    const known = needs.map((id) => data.placeOf.get(id)).filter((each) => each !== undefined);
    if (needs.length) fact("waited for", links(data, known, pick, needs.length - known.length));
    const later = dependents(data, task);
    if (later.length) fact("needed by", links(data, later, pick));
    const block = data.placeOf.get(data.block[task]);
    if (block !== undefined) fact("inside", links(data, [block], pick));
    for (const [name, text] of data.facts.get(task) || [])
      fact(name, name === "error" ? make("pre", {}, text) : text);
    return make("article", { class: "story", "data-task": String(data.id[task]) },
      make("h3", {}, make("span", { class: `state ${state.toLowerCase().replace(/_/g, "-")}` },
        `${GLYPHS[state]} ${state}`), label(data, task)),
      data.critical[task] ? make("p", { class: "note" }, "On the critical path.") : null,
      times(data, task), list);
  }

  // -- finding -----------------------------------------------------------------------------------------

  function matches(data, text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const found = [];
    if (!words.length) return found;
    const names = data.wheres.map((where) => `${where.name} ${where.called_at} ${where.place} ${where.workflow}`.toLowerCase());
    const states = data.states.map((state) => state.toLowerCase());
    const workers = data.workers.map((worker) => worker.toLowerCase());
    for (let task = 0; task < data.size; task++) {
      const has = (word) => word.startsWith("#") ? `#${data.id[task]}` === word
        : names[data.where[task]].includes(word) || states[data.state[task] - 1] === word
        || (data.labels.get(task) || "").toLowerCase().includes(word)
        || workers[data.worker[task]].includes(word) || String(data.id[task]) === word
        || (data.facts.get(task) || []).some(([, fact]) => fact.toLowerCase().includes(word));
      if (words.every(has)) found.push(task);
    }
    return found;
  }

  function finder(data, { pick, found }) {
    const list = make("ul", { class: "found", hidden: true });
    const count = make("span", { class: "count", role: "status" });
    const field = make("input", {
      type: "search", placeholder: "find tasks: name, #4, failed, worker, error", "aria-label": "find tasks",
      oninput: () => look(), onkeydown: (event) => {
        if (event.key === "Enter" && list.firstChild) list.querySelector("button").click();
        if (event.key === "Escape") { field.value = ""; look(); }
      },
    });
    function look() {
      const tasks = matches(data, field.value);
      list.replaceChildren(...tasks.slice(0, 30).map((task) => {
        const state = stateOf(data, task);
        const run = data.times[6][task] - data.times[5][task];
        return make("li", {}, make("button", { type: "button", class: "task", onclick: () => pick(task) },
          make("span", { class: `state ${state.toLowerCase().replace(/_/g, "-")}` }, GLYPHS[state]),
          ` ${label(data, task)}`, make("span", { class: "more" }, ` ran ${seconds(run)}`)));
      }));
      list.hidden = !tasks.length;
      count.textContent = field.value.trim() ? `${tasks.length.toLocaleString("en")} of ${data.size.toLocaleString("en")}` : "";
      if (found) found(field.value.trim() ? tasks : null);
    }
    return { root: make("div", { class: "finder" }, field, count, list), look: (text) => { field.value = text; look(); } };
  }

  return { read, unpacked, parts, story, matches, finder, label, stateOf, seconds, make, dependents };
})();
