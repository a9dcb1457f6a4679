"use strict";
// The page of a run: tables that can be sorted, tasks that are found and tell their stories, and the timeline.
(() => {
  const { make } = asyncflowStories;
  const beside = document.getElementById("story");
  let timeline = null, data = null, finder = null;

  function pick(task, isAsked) {
    if (task < 0) {
      beside.replaceChildren();
      if (timeline) timeline.choose(-1);
      return;
    }
    const close = make("button", { type: "button", class: "close", "aria-label": "close", onclick: () => pick(-1) }, "×");
    const goTo = make("button", { type: "button", onclick: () => {
      timeline.choose(task, true);
      document.getElementById("timeline-view").scrollIntoView({ block: "center" });
    } }, "show in the timeline");
    beside.replaceChildren(close, asyncflowStories.story(data, task, (other) => pick(other, isAsked)), make("p", {}, goTo));
    beside.scrollTop = 0;
    if (timeline) timeline.choose(task, false);
  }

  function byNumber(id) {
    const task = data && data.placeOf.get(id);
    if (task !== undefined && task !== null) pick(task, true);
    else beside.replaceChildren(
      make("button", { type: "button", class: "close", "aria-label": "close", onclick: () => pick(-1) }, "×"),
      make("p", {}, `Of task #${id} this page tells no story: it would be too large. The report has it.`));
  }

  function sort(button) {
    const head = button.closest("th"), table = head.closest("table"), body = table.tBodies[0];
    const at = head.cellIndex, rows = [...body.rows];
    const isNumber = rows.every((row) => row.cells[at].dataset.v !== undefined);
    const was = head.getAttribute("aria-sort");
    const isUp = was ? was === "descending" : !isNumber;
    const value = (row) => isNumber ? Number(row.cells[at].dataset.v) : row.cells[at].textContent;
    rows.sort((one, other) => {
      const [a, b] = [value(one), value(other)];
      const order = isNumber ? a - b : a.localeCompare(b, "en", { numeric: true });
      return isUp ? order : -order;
    });
    for (const each of head.parentElement.cells) each.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", isUp ? "ascending" : "descending");
    body.append(...rows);
  }

  // A box of the graph: the story of its task, or those of all that are folded in it, to be chosen from.
  function open(box) {
    const told = JSON.parse(box.closest(".picture").dataset.boxes)[box.dataset.node];
    if (!told || !finder) return;
    if (told.task !== null) byNumber(told.task);
    else {
      finder.look(told.name);
      finder.root.querySelector("input").focus();
    }
  }

  document.addEventListener("click", (event) => {
    const box = event.target.closest(".picture [data-node]");
    if (box) return open(box);
    const button = event.target.closest("button");
    if (!button) return;
    if (button.classList.contains("sort")) sort(button);
    else if (button.dataset.task) byNumber(Number(button.dataset.task));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && data) pick(-1);
    if (event.key === "/" && !["INPUT", "TEXTAREA"].includes(event.target.tagName)) {
      const field = document.querySelector(".finder input");
      if (field) { event.preventDefault(); field.focus(); }
    }
  });
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => { each.open = true; }));

  function fromAddress() {
    const found = /^#task-(\d+)$/.exec(location.hash);
    if (found) byNumber(Number(found[1]));
  }

  (async () => {
    const root = document.getElementById("timeline-view");
    try {
      data = await asyncflowStories.read(document.getElementById("data"));
      finder = asyncflowStories.finder(data, {
        pick: (task) => pick(task, true),
        found: (tasks) => timeline && timeline.match(tasks),
      });
      document.getElementById("find").replaceWith(finder.root);
      if (root) timeline = window.timeline = new AsyncflowTimeline(root, data, (task) => pick(task));
      addEventListener("hashchange", fromAddress);
      fromAddress();
      document.documentElement.dataset.ready = "1";
    } catch (error) {
      if (root) root.textContent = `The timeline could not be read here: ${error}. A browser of 2023 or later is needed.`;
    }
  })();
})();
