"use strict";
// The page of a timeline alone: the timeline, a field to find tasks by, and the story of the one that was chosen.
(async () => {
  const root = document.getElementById("timeline"), beside = document.getElementById("story");
  try {
    const data = await asyncflowStories.read(document.getElementById("data"));
    const pick = (task, isAsked) => {
      beside.replaceChildren(...(task < 0 ? [] : [asyncflowStories.story(data, task, (other) => pick(other, true))]));
      if (isAsked) timeline.choose(task, true);
    };
    const timeline = (window.timeline = new AsyncflowTimeline(root, data, (task) => pick(task)));
    timeline.view.dataset.alone = "1";
    const finder = asyncflowStories.finder(data, { pick: (task) => pick(task, true), found: (tasks) => timeline.match(tasks) });
    document.getElementById("find").replaceWith(finder.root);
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { pick(-1); timeline.choose(-1); }
      if (event.key === "/" && event.target.tagName !== "INPUT") {
        event.preventDefault();
        finder.root.querySelector("input").focus();
      }
    });
    document.documentElement.dataset.ready = "1";
  } catch (error) {
    root.textContent = `This page could not be read here: ${error}. A browser of 2023 or later is needed.`;
  }
})();
