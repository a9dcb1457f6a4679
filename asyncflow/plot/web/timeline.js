"use strict";
// A timeline that can be moved through: lanes of bars on a canvas, drawn anew at each move, however many there are.
// Bars narrower than a pixel become bands as high as they are busy. `labels` tells where text stands, for whoever checks.
class AsyncflowTimeline {
  static RIGHT = 14;
  static TOP = 26;
  static ROWS = 12; // of a lane; one that has more is drawn by how much there was at once, until it is opened
  static AREA = 54;

  constructor(root, data, pick) {
    Object.assign(this, { root, data, pick, from: 0, until: data.seconds || 1, left: 150, chosen: -1, matched: null, byState: false });
    this.opened = new Set();
    this.colours = {};
    this.layOut();
    this.build();
    new ResizeObserver(() => this.resized()).observe(this.view);
    for (const query of ["(prefers-color-scheme: dark)", "print"])
      matchMedia(query).addEventListener("change", () => { this.colours = {}; this.draw(); });
    this.resized();
  }

  // -- what is where -----------------------------------------------------------------------------------

  layOut() {
    const { bars, lanes, size } = this.data;
    const rows = lanes.reduce((sum, lane) => sum + lane[3], 0);
    this.stretch = Array.from({ length: rows }, () => [0, 0]);
    for (let at = 0; at < bars.row.length;) {
      const row = bars.row[at], first = at;
      while (at < bars.row.length && bars.row[at] === row) at++;
      this.stretch[row] = [first, at];
    }
    this.isShaded = lanes.flatMap(([, , , rows, isShaded]) => Array(rows).fill(isShaded));
    this.barOf = new Int32Array(size).fill(-1);
    for (let at = 0; at < bars.task.length; at++)
      if (bars.task[at] >= 0 && (this.barOf[bars.task[at]] < 0 || bars.end[at] > bars.end[this.barOf[bars.task[at]]]))
        this.barOf[bars.task[at]] = at;
    this.place();
  }

  // Where lanes and series stand, from the top of what can be scrolled.
  place() {
    const { lanes, series, path } = this.data;
    const T = AsyncflowTimeline;
    const plain = lanes.reduce((sum, lane) => sum + (lane[3] <= T.ROWS ? lane[3] : 0), 0);
    const high = Math.max(3, Math.min(22, Math.floor(480 / Math.max(plain, 1))));
    this.items = [];
    this.rowTop = new Float64Array(this.stretch.length).fill(-1);
    let y = 4;
    if (path.row.length) {
      this.items.push({ kind: "path", top: y, height: 18 });
      y += 26;
    }
    let group = null;
    lanes.forEach(([of, name, first, rows], lane) => {
      if (of !== group) {
        group = of;
        this.items.push({ kind: "group", top: y, height: 18, name: of });
        y += 20;
      }
      const isMany = rows > T.ROWS, isOpen = this.opened.has(lane);
      const row = isMany ? 9 : high;
      const height = isMany && !isOpen ? T.AREA : rows * row;
      const alone = lanes.filter((each) => each[0] === of).length === 1 && of.includes(name);
      this.items.push({ kind: isMany && !isOpen ? "area" : "lane", top: y, height, row, first, rows, lane, isMany, isOpen,
        name: alone ? "" : name });
      if (!isMany || isOpen) for (let at = 0; at < rows; at++) this.rowTop[first + at] = y + at * row;
      y += height + (high > 6 ? 2 : 0);
      if (lanes[lane + 1] && lanes[lane + 1][0] !== of) y += 6;
    });
    for (const each of series) {
      y += 6;
      this.items.push({ kind: "group", top: y, height: 18, name: each.name, note: each.note });
      this.items.push({ kind: "series", top: y + 20, height: T.AREA, series: each });
      y += 20 + T.AREA;
    }
    this.height = y + 8;
  }

  build() {
    const { make } = asyncflowStories;
    const button = (name, title, does) => make("button", { type: "button", title, "aria-label": title, onclick: does }, name);
    const tools = make("div", { class: "tools" },
      button("−", "zoom out (-)", () => this.zoom(2)), button("+", "zoom in (+)", () => this.zoom(0.5)),
      button("all", "the whole run (0)", () => this.show(0, this.data.seconds || 1)),
      this.toggle = button("colour by state", "colours tell functions or states", () => {
        this.byState = !this.byState;
        this.toggle.textContent = this.byState ? "colour by function" : "colour by state";
        this.draw();
        this.legend();
      }),
      ...this.data.marks.map(([, name, task]) => button(name, `go to ${name}`, () => {
        this.choose(task, true);
        this.pick(task);
      })),
      make("span", { class: "hint" }, "drag to move · Ctrl + wheel to zoom · click a bar for its story"));
    this.canvas = make("canvas", { role: "img", "aria-label": `Timeline: ${this.data.title}` });
    this.space = make("div", { class: "space" }, this.canvas);
    this.tip = make("div", { class: "tip", hidden: true });
    this.view = make("div", { class: "view", tabindex: "0" }, this.space);
    this.keys = make("div", { class: "legend" });
    this.root.replaceChildren(tools, this.keys, make("div", { class: "frame" }, this.view, this.tip));
    this.legend();
    this.listen();
  }

  legend() {
    const { make } = asyncflowStories;
    const { data } = this;
    const whats = new Set([...data.bars.what, ...data.path.what]);
    for (const each of data.series) for (const layer of each.layers) if (layer.what !== null) whats.add(layer.what);
    const swatch = (colour, pattern, words, isWait) => {
      const box = make("i", { class: `swatch ${pattern}${isWait ? " wait" : ""}` });
      box.style.setProperty("--colour", `var(--af-${colour})`);
      return make("span", {}, box, words);
    };
    const named = this.byState ? [["succeeded", "succeeded"]] : data.functions;
    const rest = [...whats].sort((a, b) => a - b).filter((what) => what !== 0).map((what) => data.whats[what]);
    this.keys.replaceChildren(...named.map(([name, colour]) => swatch(this.byState ? "succeeded" : colour, "", name)),
      ...rest.map((look) => swatch(look.colour, look.pattern, look.words, look.wait)),
      ...(data.critical.some(Boolean) ? [swatch("critical", "line", "on the critical path")] : []));
  }

  // -- moving ------------------------------------------------------------------------------------------

  get scale() { return (this.width - this.left - AsyncflowTimeline.RIGHT) / (this.until - this.from); }
  x(time) { return this.left + (time - this.from) * this.scale; }
  time(x) { return this.from + (x - this.left) / this.scale; }

  show(from, until) {
    const all = this.data.seconds || 1, least = Math.max(all * 1e-7, this.data.unit * 20);
    const length = Math.min(Math.max(until - from, least), all);
    this.from = Math.min(Math.max(from, 0), all - length);
    this.until = this.from + length;
    this.later();
  }

  zoom(factor, at) {
    const middle = at === undefined ? (this.from + this.until) / 2 : at;
    this.show(middle - (middle - this.from) * factor, middle + (this.until - middle) * factor);
  }

  move(share) {
    const by = (this.until - this.from) * share;
    this.show(this.from + by, this.until + by);
  }

  // Show a task: chosen, in sight, and wide enough to be seen.
  choose(task, isAsked) {
    this.chosen = task;
    const bar = task < 0 ? -1 : this.barOf[task];
    if (bar >= 0 && isAsked) {
      const { begin, end, row } = this.data.bars;
      const wide = (end[bar] - begin[bar]) * this.scale;
      if (wide < 12 || begin[bar] < this.from || end[bar] > this.until) {
        const length = Math.max((end[bar] - begin[bar]) * 12, (this.data.seconds || 1) * 1e-6);
        const middle = (begin[bar] + end[bar]) / 2;
        this.show(middle - length / 2, middle + length / 2);
      }
      const top = this.rowTop[row[bar]];
      if (top >= 0 && (top < this.view.scrollTop || top > this.view.scrollTop + this.view.clientHeight - 60))
        this.view.scrollTop = Math.max(0, top - this.view.clientHeight / 2);
    }
    this.later();
  }

  match(tasks) {
    this.matched = tasks && new Uint8Array(this.data.size);
    if (tasks) for (const task of tasks) this.matched[task] = 1;
    this.later();
  }

  later() {
    if (this.waits) return;
    this.waits = true;
    requestAnimationFrame(() => { this.waits = false; this.draw(); });
  }

  resized() {
    this.width = this.view.clientWidth;
    this.left = this.width < 640 ? 92 : 150; // where the axis begins
    this.space.style.height = `${this.height + AsyncflowTimeline.TOP}px`;
    this.shown = Math.min(this.view.clientHeight, this.height + AsyncflowTimeline.TOP) || 100;
    const ratio = devicePixelRatio || 1;
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.shown * ratio);
    this.canvas.style.height = `${this.shown}px`;
    this.draw();
  }

  listen() {
    const { view } = this;
    const held = new Map();
    let last = null, moved = 0;
    const spot = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    view.addEventListener("scroll", () => this.later());
    view.addEventListener("wheel", (event) => {
      const isFree = view.scrollHeight <= view.clientHeight + 1 && view.dataset.alone;
      if (event.ctrlKey || event.metaKey || (isFree && !event.shiftKey && Math.abs(event.deltaY) > Math.abs(event.deltaX))) {
        event.preventDefault();
        this.zoom(Math.exp(Math.max(-0.5, Math.min(0.5, event.deltaY * 0.003))), this.time(spot(event)[0]));
      } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        event.preventDefault();
        this.move((event.deltaX || event.deltaY) / this.width);
      }
    }, { passive: false });
    this.canvas.addEventListener("pointerdown", (event) => {
      held.set(event.pointerId, spot(event));
      this.canvas.setPointerCapture(event.pointerId);
      last = spot(event);
      moved = 0;
    });
    this.canvas.addEventListener("pointermove", (event) => {
      const now = spot(event);
      if (held.size === 2 && held.has(event.pointerId)) { // two fingers
        const other = [...held].find(([id]) => id !== event.pointerId)[1];
        const before = Math.abs(held.get(event.pointerId)[0] - other[0]), after = Math.abs(now[0] - other[0]);
        if (before > 10 && after > 10) this.zoom(before / after, this.time((now[0] + other[0]) / 2));
        held.set(event.pointerId, now);
        moved += 9;
      } else if (held.size === 1) {
        moved += Math.abs(now[0] - last[0]) + Math.abs(now[1] - last[1]);
        const by = (last[0] - now[0]) / this.scale;
        if (moved > 3) {
          this.show(this.from + by, this.until + by);
          view.scrollTop += last[1] - now[1];
        }
        last = now;
      } else this.hover(...now);
    });
    for (const name of ["pointerup", "pointercancel"])
      this.canvas.addEventListener(name, (event) => {
        held.delete(event.pointerId);
        if (name === "pointerup" && moved <= 3) this.press(...spot(event));
      });
    this.canvas.addEventListener("pointerleave", () => this.hover(-1, -1));
    this.canvas.addEventListener("dblclick", (event) => this.zoom(0.4, this.time(spot(event)[0])));
    view.addEventListener("keydown", (event) => {
      const does = { "+": () => this.zoom(0.5), "=": () => this.zoom(0.5), "-": () => this.zoom(2),
        0: () => this.show(0, this.data.seconds || 1), ArrowLeft: () => this.move(-0.2), ArrowRight: () => this.move(0.2) }[event.key];
      if (does && !event.ctrlKey && !event.metaKey) { event.preventDefault(); does(); }
    });
  }

  // -- pointing ----------------------------------------------------------------------------------------

  under(x, y) {
    const top = y - AsyncflowTimeline.TOP + this.view.scrollTop;
    const item = this.items.find((each) => top >= each.top && top < each.top + each.height);
    if (!item || y < AsyncflowTimeline.TOP) return {};
    if (item.kind === "path") return { item, bars: this.data.path, at: this.nearest(this.data.path, 0, this.data.path.row.length, x) };
    if (item.kind !== "lane") return { item };
    const row = item.first + Math.min(item.rows - 1, Math.floor((top - item.top) / item.row));
    return { item, bars: this.data.bars, at: this.nearest(this.data.bars, ...this.stretch[row], x) };
  }

  nearest(bars, first, last, x) {
    let found = -1, least = 3;
    for (let at = this.firstSeen(bars, first, last); at < last && this.x(bars.begin[at]) < x + 4; at++) {
      const away = Math.max(this.x(bars.begin[at]) - x, x - this.x(bars.end[at]), 0);
      if (away < least || (away === least && found >= 0)) [found, least] = [at, away];
    }
    return found;
  }

  firstSeen(bars, first, last) {
    let low = first, high = last;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (bars.end[middle] < this.from) low = middle + 1; else high = middle;
    }
    return low;
  }

  press(x, y) {
    const { item, bars, at } = this.under(x, y);
    if (item && item.isMany && x < this.left || item && item.kind === "area") {
      if (!this.opened.delete(item.lane)) this.opened.add(item.lane);
      this.place();
      this.resized();
    } else {
      const task = bars && at >= 0 ? bars.task[at] : -1;
      this.choose(task);
      this.pick(task);
    }
  }

  hover(x, y) {
    const { seconds, label } = asyncflowStories;
    const { item, bars, at } = x < 0 ? {} : this.under(x, y);
    const lines = [];
    if (bars && at >= 0) {
      const what = this.data.whats[bars.what[at]], task = bars.task[at];
      lines.push(task < 0 ? what.words : label(this.data, task));
      lines.push(`${what.words} ${seconds(bars.end[at] - bars.begin[at])}`);
      lines.push(`from ${seconds(bars.begin[at])} to ${seconds(bars.end[at])}`);
    } else if (item && item.kind === "series" && x > this.left) {
      for (const layer of item.series.layers) {
        const place = Math.min(layer.values.length - 1, Math.floor((this.time(x) / this.data.seconds) * layer.values.length));
        lines.push(`${layer.name}: ${layer.values[place].toLocaleString("en")} ${item.series.unit}`);
      }
    } else if (item && item.kind === "area") lines.push(`${item.rows.toLocaleString("en")} at once at most; click to see each`);
    this.canvas.style.cursor = bars && at >= 0 ? "pointer" : "grab";
    this.tip.hidden = !lines.length;
    if (!lines.length) return;
    this.tip.replaceChildren(...lines.map((line) => asyncflowStories.make("div", {}, line)));
    const box = this.tip.getBoundingClientRect();
    this.tip.style.left = `${Math.max(4, Math.min(x + 14, this.width - box.width - 8))}px`;
    this.tip.style.top = `${y + 18 + box.height > this.shown ? Math.max(2, y - box.height - 10) : y + 18}px`;
  }

  // -- drawing -----------------------------------------------------------------------------------------

  colour(name) {
    return (this.colours[name] ||= getComputedStyle(this.root).getPropertyValue(`--af-${name}`).trim() || "#888");
  }

  pattern(name, of) {
    const key = `${name}/${of}`;
    if (this.colours[key]) return this.colours[key];
    const size = { hatched: 6, rising: 8, dotted: 5, shaded: 4 }[name];
    const tile = new OffscreenCanvas(size * 2, size * 2), pen = tile.getContext("2d");
    pen.scale(2, 2);
    pen.strokeStyle = this.colour(of);
    pen.stroke(new Path2D({ hatched: "M-1 1L1 -1M0 6L6 0M5 7L7 5", rising: "M-1 -1L9 9M-1 7L1 9M7 -1L9 1",
      dotted: "M2 2.5H3", shaded: "M0 2H4" }[name]));
    const made = this.pen.createPattern(tile, "repeat");
    made.setTransform(new DOMMatrix().scale(0.5));
    return (this.colours[key] = made);
  }

  draw() {
    if (!this.width || !this.canvas.getContext) return;
    const pen = (this.pen = this.canvas.getContext("2d"));
    const ratio = devicePixelRatio || 1, T = AsyncflowTimeline;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = this.colour("bg");
    pen.fillRect(0, 0, this.width, this.shown);
    this.labels = [];
    this.ticks = this.ticksOf(this.from, this.until, Math.max(2, Math.floor((this.width - this.left) / 84)));
    pen.fillStyle = this.colour("grid");
    for (const [time] of this.ticks) pen.fillRect(Math.round(this.x(time)), T.TOP, 1, this.shown);
    const shift = T.TOP - this.view.scrollTop;
    this.free = T.TOP + 2;
    for (const item of this.items)
      if (item.top + item.height + shift > T.TOP && item.top + shift < this.shown) this.item(item, item.top + shift);
    this.arrows(shift);
    this.axis();
  }

  axis() {
    const { pen } = this, T = AsyncflowTimeline;
    pen.fillStyle = this.colour("bg");
    pen.fillRect(0, 0, this.width, T.TOP);
    this.labels = this.labels.filter((each) => each.y > T.TOP || each.y + each.h > T.TOP + 6);
    for (const [time, name] of this.ticks) this.word(name, this.x(time), 16, { align: "center", colour: "muted" });
    pen.fillStyle = this.colour("line");
    pen.fillRect(this.left, T.TOP - 2, this.width - this.left - T.RIGHT, 1);
    for (const [time] of this.data.marks.slice(0, 1)) {
      const x = this.x(time);
      if (x < this.left || x > this.width - T.RIGHT) continue;
      pen.strokeStyle = this.colour("failed");
      pen.setLineDash([3, 3]);
      pen.beginPath();
      pen.moveTo(x, T.TOP - 2);
      pen.lineTo(x, this.shown);
      pen.stroke();
      pen.setLineDash([]);
    }
  }

  ticksOf(from, until, most) {
    const least = (until - from) / most;
    const long = [60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 432000, 864000];
    let step = long.find((each) => each >= least) || Math.ceil(least / 864000) * 864000;
    if (least <= 30) {
      const power = 10 ** Math.floor(Math.log10(least));
      step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= least * (1 - 1e-9));
      if (step > 30) step = 60;
    }
    const found = [];
    for (let at = Math.ceil(from / step - 1e-9); at * step <= until * (1 + 1e-12); at++) found.push([at * step, this.tick(at * step, step)]);
    return found;
  }

  tick(time, step) {
    if (step >= 60) {
      const minutes = Math.round(time / 60);
      return [[Math.floor(minutes / 1440), "d"], [Math.floor(minutes / 60) % 24, "h"], [minutes % 60, "min"]]
        .filter(([number]) => number).map(([number, unit]) => `${number} ${unit}`).join(" ") || "0";
    }
    let [scale, unit] = [[1, "s"], [1e-3, "ms"], [1e-6, "µs"]].find(([each]) => step >= each * 0.0999) || [1e-9, "ns"];
    if (this.until >= 1 && unit !== "s") [scale, unit] = [1, "s"];
    const digits = Math.max(0, Math.ceil(-Math.log10(step / scale) - 1e-9));
    return `${(time / scale).toFixed(digits)} ${unit}`;
  }

  // Text that does not leave its room; where it stands is noted.
  word(text, x, y, { align = "left", colour = "fg", bold = false, most = Infinity, ground = null } = {}) {
    const { pen } = this;
    pen.font = `${bold ? "bold " : ""}11px Arial, Helvetica, 'Liberation Sans', Arimo, sans-serif`;
    let shown = text, wide = pen.measureText(text).width;
    if (wide > most) {
      let end = Math.min(text.length, Math.ceil(most / 4));
      do shown = `${text.slice(0, --end)}…`; while (end > 1 && pen.measureText(shown).width > most);
      if (end <= 1) return 0;
      wide = pen.measureText(shown).width;
    }
    let left = align === "center" ? x - wide / 2 : align === "right" ? x - wide : x;
    left = Math.min(left, this.width - wide - 1);
    pen.textAlign = "left";
    if (ground) {
      pen.lineWidth = 3;
      pen.lineJoin = "round";
      pen.strokeStyle = this.colour(ground);
      pen.strokeText(shown, left, y);
      pen.lineWidth = 1;
    }
    pen.fillStyle = this.colour(colour);
    pen.fillText(shown, left, y);
    this.labels.push({ text: shown, x: left, y: y - 9, w: wide, h: 11 });
    return wide;
  }

  item(item, top) {
    const { pen } = this, T = AsyncflowTimeline;
    const right = this.left - 8;
    if (item.kind === "group") {
      const wide = this.word(item.name, 8, top + 13, { bold: true, most: this.width - 16 });
      if (item.note && wide + 24 < this.width) this.word(item.note, 16 + wide, top + 13, { colour: "muted", most: this.width - wide - 24 });
      this.free = top + 15;
    } else if (item.kind === "path") {
      this.word("critical path", right, top + 13, { align: "right", bold: true });
      this.row(this.data.path, 0, this.data.path.row.length, top, 16, true);
    } else if (item.kind === "series") this.stack(item.series.layers.map((layer) => [layer.values, ...this.looksOf(layer)]),
      top, item.series.top);
    else {
      const name = item.isMany ? `${item.isOpen ? "▾" : "▸"} ${item.name || "at once"}` : item.name;
      const middle = top + (item.kind === "area" ? item.height : Math.min(item.height, 22)) / 2 + 4;
      if (name && middle - 9 >= this.free) {
        if (this.word(name, right, middle, { align: "right", colour: "muted", most: right - 10 })) this.free = middle + 2;
      }
      if (item.kind === "area") this.area(item, top);
      else for (let at = 0; at < item.rows; at++) {
        const y = top + at * item.row;
        if (y + item.row > T.TOP && y < this.shown)
          this.row(this.data.bars, ...this.stretch[item.first + at], y, item.row > 6 ? item.row * 0.86 : item.row, false);
      }
    }
    pen.globalAlpha = 1;
  }

  // The colour of a bar, its pattern, and whether it is a wait.
  look(bars, at) {
    const what = this.data.whats[bars.what[at]], task = bars.task[at];
    const code = bars.what[at];
    if (!this.byState && (code === 0 || code === 3) && task >= 0) {
      const of = this.data.functionOf[this.data.where[task]];
      if (of >= 0) return this.data.functions[of][1];
    }
    return what;
  }

  fill(look, x, y, wide, high) {
    this.paint(look, () => this.pen.fillRect(x, y, wide, high), wide > 1);
  }

  // Colour, and a pattern over it: waits are shades of their colour with a pattern in it.
  paint(look, put, hasRoom) {
    const { pen } = this, alpha = pen.globalAlpha;
    if (typeof look === "string") {
      pen.fillStyle = this.colour(look);
      put();
      return;
    }
    if (look.wait) pen.globalAlpha = alpha * (look.pattern ? 0.22 : 0.5);
    pen.fillStyle = this.colour(look.colour);
    put();
    pen.globalAlpha = alpha;
    if (look.pattern && hasRoom) {
      pen.fillStyle = this.pattern(look.pattern, look.wait ? look.colour : "bg");
      put();
    }
  }

  row(bars, first, last, top, high, isPath) {
    const { pen } = this, T = AsyncflowTimeline;
    const seen = this.firstSeen(bars, first, last), least = 1 / this.scale;
    const clip = this.width - T.RIGHT;
    const band = { begin: 0, end: 0, busy: 0, count: 0, sums: new Map(), critical: false, matched: false };
    const failed = []; // where, to be drawn over what comes next to it
    const end = () => {
      if (!band.count) return;
      const x = Math.round(Math.max(this.x(band.begin), this.left));
      const wide = Math.max(Math.round(Math.min(this.x(band.end), clip)) - x, 1);
      const part = high < 6 ? 1 : Math.min(1, Math.max(band.busy / Math.max(band.end - band.begin, 1e-12), 0.12));
      let most = null;
      for (const [look, sum] of band.sums) if (most === null || sum > band.sums.get(most)) most = look;
      pen.globalAlpha = band.matched ? 1 : 0.2;
      this.fill(most, x, top + high * (1 - part), wide, high * part);
      if (band.critical) this.underline(x, top, wide, high);
      Object.assign(band, { count: 0, busy: 0, critical: false, matched: false });
      band.sums.clear();
    };
    for (let at = seen; at < last && bars.begin[at] <= this.until; at++) {
      const [begin, finish, task] = [bars.begin[at], bars.end[at], bars.task[at]];
      const isMatched = !this.matched || (task >= 0 && this.matched[task] === 1);
      const isWide = finish - begin >= least;
      if (band.count && (isWide || begin - band.end >= least || begin - band.begin >= 4 * least)) end();
      const look = this.look(bars, at);
      const hasFailed = bars.what[at] === 1 || bars.what[at] === 2;
      const critical = !isPath && task >= 0 && this.data.critical[task];
      if (!isPath) this.gap(bars, at, top, high, at > first ? bars.end[at - 1] : 0);
      if (!isWide) {
        if (!band.count) band.begin = begin;
        band.end = finish;
        band.busy += finish - begin;
        band.count++;
        band.sums.set(look, (band.sums.get(look) || 0) + finish - begin);
        if (hasFailed && isMatched) failed.push(Math.max(this.x(begin), this.left));
        band.critical ||= critical;
        band.matched ||= isMatched;
        continue;
      }
      const x = Math.max(this.x(begin), this.left), wide = Math.min(this.x(finish), clip) - x;
      if (wide <= 0) continue;
      pen.globalAlpha = isMatched ? 1 : 0.2;
      this.fill(look, x, top, wide > 4 ? wide - 0.6 : wide, high);
      if (hasFailed && isMatched && wide < 3) failed.push(x);
      if (critical) this.underline(x, top, wide, high);
      if (task === this.chosen && task >= 0) this.ring(x, top, wide, high);
      if (wide > 26 && high >= 11) this.name(bars, at, x, wide, top + high / 2 + 4, hasFailed);
    }
    end();
    pen.globalAlpha = 1;
    this.failures(failed, top, high);
    const next = this.nextOf(bars, seen, last);
    if (!isPath && next >= 0) this.gap(bars, next, top, high, next > first ? bars.end[next - 1] : 0);
  }

  // The first bar of a row that begins after what is seen: a worker may wait for it now.
  nextOf(bars, first, last) {
    let low = first, high = last;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (bars.begin[middle] <= this.until) low = middle + 1; else high = middle;
    }
    return low < last ? low : -1;
  }

  name(bars, at, x, wide, y, hasFailed) {
    const what = this.data.whats[bars.what[at]], task = bars.task[at];
    const most = wide - 8;
    if (what.wait) this.word(bars.what[at] === 9 ? "code" : what.words, x + 4, y, { most, ground: "bg" });
    else if (task >= 0) this.word((hasFailed ? "✗ " : "") + asyncflowStories.label(this.data, task), x + 4, y,
      { most, colour: "bg", ground: hasFailed ? "failed" : null });
  }

  ring(x, top, wide, high) {
    for (const [colour, width] of [["bg", 5], ["critical", 2]]) {
      this.pen.strokeStyle = this.colour(colour);
      this.pen.lineWidth = width;
      this.pen.strokeRect(x, top, wide, high);
    }
    this.pen.lineWidth = 1;
  }

  underline(x, top, wide, high) {
    if (high < 5) return;
    this.pen.fillStyle = this.colour("critical");
    this.pen.fillRect(x, top + high - 2.5, wide, 2.5);
  }

  failures(places, top, high) {
    this.pen.fillStyle = this.colour("failed");
    let before = -9;
    for (const x of places) if (x >= before + 1) {
      this.pen.fillRect(x, top, 1.5, high * 0.4);
      before = x;
    }
  }

  // What the task waited for that a worker without work ran next.
  gap(bars, at, top, high, since) {
    if (!this.isShaded[bars.row[at]]) return;
    const task = bars.task[at], begin = bars.begin[at], T = AsyncflowTimeline;
    if (task < 0 || (begin - since) * this.scale < 2) return;
    this.pen.globalAlpha = 1;
    const of = { dependency: 10, staging: 11, limit: 12, queue: 13, start: 14, retry: 16 };
    for (const [category, from, until] of asyncflowStories.parts(this.data, task)) {
      const code = of[this.data.categories[category]];
      const x = Math.max(this.x(Math.max(from, since)), this.left), end = Math.min(this.x(Math.min(until, begin)), this.width - T.RIGHT);
      if (code !== undefined && end - x > 0.5) this.fill(this.data.whats[code], x, top + high * 0.22, end - x, high * 0.56);
    }
  }

  // -- areas -------------------------------------------------------------------------------------------

  looksOf(layer) {
    if (layer.what === null) return ["cat-3"];
    return [layer.what === 0 ? "cat-2" : this.data.whats[layer.what]];
  }

  stack(layers, top, most) {
    const { pen } = this, T = AsyncflowTimeline, high = T.AREA;
    this.word(most, this.left - 8, top + 10, { align: "right", colour: "muted" });
    this.word("0", this.left - 8, top + high - 1, { align: "right", colour: "muted" });
    pen.fillStyle = this.colour("box");
    pen.fillRect(this.left, top, this.width - this.left - T.RIGHT, high);
    const count = layers[0][0].length;
    let highest = 0;
    for (let at = 0; at < count; at++) highest = Math.max(highest, layers.reduce((sum, [values]) => sum + values[at], 0));
    const scaled = layers.map(([values, look]) => [values.map((value) => (value / (highest || 1)) * high), look]);
    const length = this.data.seconds / count;
    const first = Math.max(0, Math.floor(this.from / length)), last = Math.min(count, Math.ceil(this.until / length));
    this.layers(scaled, first, last, (bin) => this.x(bin * length), top + high);
  }

  // Layers one upon another, each in one piece, since patterns and edges that meet would show.
  layers(layers, first, last, xOf, bottom) {
    const { pen } = this, base = new Float64Array(last);
    const inside = (x) => Math.max(this.left, Math.min(this.width - AsyncflowTimeline.RIGHT, x));
    for (const [values, look] of layers) {
      const shape = new Path2D(), back = [];
      shape.moveTo(inside(xOf(first)), bottom - base[first]);
      for (let bin = first; bin < last; bin++) {
        const [x, next, low] = [inside(xOf(bin)), inside(xOf(bin + 1)), base[bin]];
        base[bin] += values[bin];
        shape.lineTo(x, bottom - base[bin]);
        shape.lineTo(next, bottom - base[bin]);
        back.push([x, low], [next, low]);
      }
      for (const [x, low] of back.reverse()) shape.lineTo(x, bottom - low);
      shape.closePath();
      this.paint(look, () => pen.fill(shape), true);
    }
  }

  // How much a lane was at at once: counted in as many stretches as there are pixels.
  area(item, top) {
    const { bars } = this.data, T = AsyncflowTimeline;
    const count = Math.max(1, Math.round((this.width - this.left - T.RIGHT) / 2)), length = (this.until - this.from) / count;
    const sums = new Map();
    for (let row = item.first; row < item.first + item.rows; row++) {
      const [first, last] = this.stretch[row];
      for (let at = this.firstSeen(bars, first, last); at < last && bars.begin[at] < this.until; at++) {
        const look = this.look(bars, at);
        if (!sums.has(look)) sums.set(look, new Float64Array(count));
        const values = sums.get(look);
        const begin = Math.max(0, (bars.begin[at] - this.from) / length), end = Math.min(count, (bars.end[at] - this.from) / length);
        for (let bin = Math.floor(begin); bin < Math.min(count, end); bin++) values[bin] += Math.min(bin + 1, end) - Math.max(bin, begin);
      }
    }
    const { pen } = this;
    pen.fillStyle = this.colour("box");
    pen.fillRect(this.left, top, this.width - this.left - T.RIGHT, T.AREA);
    const wide = (this.width - this.left - T.RIGHT) / count;
    const scaled = [...sums].map(([look, values]) => [values.map((value) => (value / item.rows) * T.AREA), look]);
    this.layers(scaled, 0, count, (bin) => this.left + bin * wide, top + T.AREA);
    this.word(item.rows.toLocaleString("en"), this.left - 8, top + 10, { align: "right", colour: "muted" });
    this.word("0", this.left - 8, top + T.AREA - 1, { align: "right", colour: "muted" });
  }

  // From what the chosen task waited for, and to what waited for it.
  arrows(shift) {
    const task = this.chosen, bar = task < 0 ? -1 : this.barOf[task];
    if (bar < 0) return;
    const { pen, data } = this, T = AsyncflowTimeline;
    const needs = Array.from(data.needs.subarray(data.starts[task], data.starts[task + 1]), (id) => data.placeOf.get(id))
      .filter((each) => each !== undefined);
    const middle = (at) => this.rowTop[data.bars.row[at]] < 0 ? null : this.rowTop[data.bars.row[at]] + shift + 8;
    pen.save();
    pen.beginPath();
    pen.rect(this.left, T.TOP, this.width - this.left - T.RIGHT, this.shown);
    pen.clip();
    const line = (one, other) => {
      const [y1, y2] = [middle(one), middle(other)];
      if (y1 === null || y2 === null) return;
      const [x1, x2] = [this.x(data.bars.end[one]), this.x(data.bars.begin[other])], bend = Math.max(16, Math.abs(x2 - x1) / 3);
      const curve = new Path2D(`M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`);
      for (const [colour, width] of [["bg", 4], ["critical", 1.5]]) {
        pen.strokeStyle = this.colour(colour);
        pen.lineWidth = width;
        pen.stroke(curve);
      }
    };
    for (const need of needs.slice(0, 100)) if (this.barOf[need] >= 0) line(this.barOf[need], bar);
    for (const later of asyncflowStories.dependents(data, task).slice(0, 100)) if (this.barOf[later] >= 0) line(bar, this.barOf[later]);
    pen.restore();
  }
}
