"use strict";
(function () {
  // Everything is put in as text, never as markup: names and log lines come from foreign machines.
  const data = JSON.parse(document.getElementById("data").textContent);
  const PAGE = 100;
  const list = document.getElementById("list");
  const search = document.getElementById("search");
  const count = document.getElementById("count");
  const more = document.getElementById("more");
  const buttons = Array.from(document.querySelectorAll("button[data-outcome]"));
  const words = data.hosts.map(function (host) {
    const ids = host.findings.map(function (each) { return data.kinds[each.kind].id + " " + each.subject; });
    return (host.name + " " + data.outcomes[host.outcome] + " " + ids.join(" ")).toLowerCase();
  });
  let outcome = "";
  let shown = PAGE;

  function make(parent, tag, text, className) {
    const made = document.createElement(tag);
    if (text !== undefined) { made.textContent = text; }
    if (className) { made.className = className; }
    parent.appendChild(made);
    return made;
  }

  function fields(object) {
    return Object.keys(object).map(function (key) {
      return key + ": " + (object[key] || "(empty)");
    }).join("\n");
  }

  function showStep(line, step) {
    const item = make(line, "li", undefined, "t-" + step.outcome);
    make(item, "span", "step " + step.outcome, "tag");
    make(item, "h3", step.what);
    make(item, "code", step.kind);
    const before = fields(step.before), after = fields(step.after);
    if (before) { make(item, "div", "before", "tag"); make(item, "pre", before); }
    if (after) { make(item, "div", step.outcome === "done" ? "after" : "would be", "tag"); make(item, "pre", after); }
    if (step.detail) { make(item, "div", step.detail); }
    if (step.gate) { make(item, "div", "switch: " + step.gate, "soft"); }
  }

  function showFinding(line, host, finding) {
    const kind = data.kinds[finding.kind];
    // What the look afterwards measured is nothing that was found wrong.
    const measured = finding.state === "measured";
    const item = make(line, "li", undefined, measured ? "t-measured" : kind.severity === "error" ? "t-error" : "t-finding");
    make(item, "span", measured ? "measured afterwards" : "finding, " + kind.severity, "tag");
    make(item, "h3", finding.summary);
    make(item, "code", kind.id);
    make(item, "span", "  " + finding.subject, "soft");
    if (kind.cause && !measured) { make(item, "div", "Cause: " + kind.cause); }
    if (finding.evidence.length) {
      make(item, "div", "evidence", "tag");
      make(item, "pre", finding.evidence.join("\n"));
    }
    host.steps.filter(function (step) { return step.finding === kind.id; }).forEach(function (step) {
      showStep(line, step);
    });
    if (measured) { return; }
    const cured = data.cured.includes(finding.state);
    const end = make(line, "li", undefined, cured ? "t-gone" : "");
    make(end, "span", cured || ["left", "new"].includes(finding.state) ? "verified" : "not verified", "tag");
    make(end, "div", data.states[finding.state]);
    if (!cured) {
      make(end, "div", "To do: " + kind.repair);
      if (kind.gate) { make(end, "div", "switch: " + kind.gate, "soft"); }
    }
  }

  function fill(host, place) {
    const line = make(place, "ol", undefined, "line");
    // A step cures a kind of finding; it stands after the last finding of its kind.
    const told = {};
    host.findings.forEach(function (finding) {
      const id = data.kinds[finding.kind].id;
      showFinding(line, told[id] ? { steps: [] } : host, finding);
      told[id] = true;
    });
    host.steps.filter(function (step) { return !told[step.finding]; }).forEach(function (step) { showStep(line, step); });
    host.undo.forEach(function (text) {
      const item = make(line, "li");
      make(item, "span", "backup", "tag");
      make(item, "div", text);
    });
    if (!host.findings.length && !host.steps.length) {
      make(line, "li", data.told ? "Nothing was found and nothing was done." : "report.json tells of this host.");
    }
  }

  function open(element) {
    const place = element.querySelector("div");
    if (!place.hasChildNodes()) { fill(data.hosts[Number(element.dataset.number)], place); }
  }

  function row(number) {
    const host = data.hosts[number];
    const element = document.createElement("details");
    element.className = "host";
    element.dataset.number = String(number);
    const head = make(element, "summary");
    make(head, "b", host.name);
    make(head, "span", data.outcomes[host.outcome], "is-" + host.outcome);
    make(head, "span", host.short, "soft");
    make(element, "div");
    element.addEventListener("toggle", function () { if (element.open) { open(element); } });
    return element;
  }

  function openOnes() {
    return new Set(Array.from(list.querySelectorAll("details[open]"), function (each) { return each.dataset.number; }));
  }

  function draw() {
    const wanted = search.value.trim().toLowerCase().split(/\s+/);
    const found = [];
    data.hosts.forEach(function (host, number) {
      const fits = !outcome || host.outcome === outcome;
      if (fits && wanted.every(function (word) { return words[number].includes(word); })) { found.push(number); }
    });
    const opened = openOnes();
    const rows = document.createDocumentFragment();
    found.slice(0, shown).forEach(function (number) {
      const made = row(number);
      if (opened.has(String(number))) { made.open = true; }
      rows.appendChild(made);
    });
    list.replaceChildren(rows);
    count.textContent = found.length + " of " + data.hosts.length + " hosts";
    more.hidden = found.length <= shown;
    more.textContent = "Show the other " + (found.length - shown);
    buttons.forEach(function (button) {
      button.setAttribute("aria-pressed", String(button.dataset.outcome === outcome));
    });
  }

  function afresh() { shown = PAGE; draw(); }

  search.addEventListener("input", afresh);
  buttons.forEach(function (button) {
    button.addEventListener("click", function () { outcome = button.dataset.outcome; afresh(); });
  });
  more.addEventListener("click", function () {
    const next = list.children.length;
    shown = Infinity;
    draw();
    list.children[next].firstElementChild.focus();
  });
  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey) { return; }
    const here = document.activeElement;
    if (event.key === "/" && here !== search) {
      event.preventDefault();
      search.focus();
    } else if (event.key === "Escape") {
      search.value = "";
      outcome = "";
      afresh();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const heads = Array.from(list.querySelectorAll("summary"));
      const at = heads.indexOf(here);
      if (at < 0 && here !== search) { return; }
      event.preventDefault();
      const next = event.key === "ArrowDown" ? at + 1 : at - 1;
      (heads[next] || (next < 0 ? search : here)).focus();
    }
  });
  // On paper stands what is on the screen, with everything about each host that is not in order.
  let folded = null;
  window.addEventListener("beforeprint", function () {
    if (folded) { return; }
    folded = { shown: shown, opened: openOnes() };
    shown = Infinity;
    draw();
    list.querySelectorAll("details").forEach(function (element) {
      const host = data.hosts[Number(element.dataset.number)];
      if (host.outcome !== "healthy") { open(element); element.open = true; }
    });
  });
  window.addEventListener("afterprint", function () {
    if (!folded) { return; }
    shown = folded.shown;
    list.querySelectorAll("details").forEach(function (element) {
      element.open = folded.opened.has(element.dataset.number);
    });
    folded = null;
    draw();
  });
  draw();
}());
