// The step list: patches the page by step id, so focus and open editors survive streaming. Rates by click and by key.
// Only `html`, `comment`, `answer` and notes are set as HTML: the server made and escaped them. All else is text.
const root = element.querySelector(".sq");
const part = (name) => root.querySelector(".sq-" + name);
const list = part("steps");
const cards = new Map(); // step id -> {item, row}
const mine = new Map(); // step id -> {rating, reason, correction} given here that the server has not sent back yet
const past = []; // what `u` undoes: [step id, label before]
const sent = new Map(); // step id -> its latest labels given here, oldest first, each with a number
const RESENT = 8; // labels of a step in one request: a later request may arrive first, and then brings the earlier ones
let number = performance.now(); // of the latest label; where this script runs again on the page, the numbers still grow
const RATINGS = [[1, "right", "✓"], [0, "unsure", "?"], [-1, "wrong", "✗"]];
const PENCIL = '<svg viewBox="0 0 20 20" width="16" height="16" aria-hidden="true"><path d="M3 17l1-4L14 3l3 3L7 16z" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linejoin="round"/></svg>';
const listeners = []; // called whenever something was shown or rated
let epoch = 0;

const view = () => props.value || {};
const phrase = (key, values = {}) =>
  Object.entries(values).reduce((text, [name, value]) => text.replace(`{${name}}`, value), view().words?.[key] || "");

function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
  node.hidden = !text;
}

function putHtml(node, html) {
  if (node.dataset.html !== html) {
    node.dataset.html = html;
    node.innerHTML = html;
  }
  node.hidden = !html;
}

function set(node, name, value) {
  if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

// One card

function makeCard(row) {
  const head = make("div", "sq-head", {}, make("span", "sq-label"), make("span", "sq-verdict"));
  const body = make("div", "sq-body", {}, head, make("div", "sq-text"), make("p", "sq-comment"), make("div", "sq-reasons", { role: "radiogroup" }), make("div", "sq-correction"), make("ul", "sq-badges"));
  const group = make("div", "sq-rate", { role: "radiogroup" });
  for (const [rating, name, sign] of RATINGS) {
    const button = make("button", "sq-rating sq-" + name, { type: "button", role: "radio", tabindex: "-1" }, sign);
    button.onclick = () => rate(row.id, label(row.id).rating === rating ? null : rating);
    group.append(button);
  }
  const pencil = make("button", "sq-edit", { type: "button", tabindex: "-1" });
  pencil.innerHTML = PENCIL;
  pencil.onclick = () => openEditor(row.id);
  const tools = make("div", "sq-tools", {}, group, pencil);
  return make("li", "sq-step", {}, make("div", "sq-card", { tabindex: "0", role: "group" }, body, tools));
}

function patchCard(item, row) {
  const find = (name) => item.querySelector(".sq-" + name);
  const card = item.firstElementChild;
  set(item, "data-id", row.id);
  set(item, "data-state", row.state);
  set(card, "aria-label", row.word ? `${row.label}: ${row.word}` : row.label);
  put(find("label"), row.label);
  put(find("verdict"), [row.sign, row.word].filter(Boolean).join(" "));
  putHtml(find("text"), row.html);
  set(find("text"), "lang", row.lang);
  putHtml(find("comment"), row.comment);
  const badges = find("badges");
  const wanted = JSON.stringify(row.badges);
  if (badges.dataset.shown !== wanted) {
    badges.dataset.shown = wanted;
    badges.replaceChildren(...row.badges.map((badge) => make("li", "sq-badge sq-is-" + badge.kind, {}, badge.text)));
  }
  badges.hidden = !row.badges.length;
  patchLabel(item, row);
}

function patchLabel(item, row) {
  const feedback = label(row.id);
  const tools = item.querySelector(".sq-tools");
  tools.hidden = !view().rateable || row.state === "streaming" || row.state === "locked";
  set(tools.firstElementChild, "aria-label", phrase("rate.group", { label: row.label }));
  for (const [i, [rating, name]] of RATINGS.entries()) {
    const button = tools.firstElementChild.children[i];
    set(button, "aria-checked", feedback.rating === rating);
    set(button, "aria-label", `${row.label}: ${phrase("rate." + name)}`);
    set(button, "title", `${phrase("rate." + name)} (${i + 1})`);
  }
  set(tools.lastElementChild, "aria-label", `${row.label}: ${phrase("rate.correct")}`);
  set(tools.lastElementChild, "title", `${phrase("rate.correct")} (E)`);
  patchReasons(item.querySelector(".sq-reasons"), row, feedback);
  const correction = item.querySelector(".sq-correction");
  if (feedback.correction && feedback.correction === row.correction) putHtml(correction, row.correction_html);
  else {
    delete correction.dataset.html;
    put(correction, feedback.correction);
  }
  set(correction, "data-title", phrase("rate.correction"));
}

// The kind of error in a step, if the view has reasons
function patchReasons(box, row, feedback) {
  box.hidden = feedback.rating !== -1 || !view().reasons;
  if (box.hidden) return;
  const names = Object.keys(view().reasons);
  if (box.children.length !== names.length) {
    box.replaceChildren(...names.map((name) => make("button", "sq-reason", { type: "button", role: "radio", tabindex: "-1", "data-reason": name })));
  }
  set(box, "aria-label", phrase("rate.reason"));
  for (const button of box.children) {
    const name = button.dataset.reason;
    put(button, view().reasons[name]);
    set(button, "aria-checked", feedback.reason === name);
    button.onclick = () => because(row.id, feedback.reason === name ? "" : name);
  }
}

// The whole list

function show() {
  const now = view();
  if (now.language) document.documentElement.lang = now.language;
  if ((now.epoch || 0) !== epoch) {
    epoch = now.epoch || 0;
    mine.clear();
  }
  const rows = now.steps || [];
  const wanted = new Set(rows.map((row) => row.id));
  for (const [id, { item }] of cards) {
    if (!wanted.has(id)) {
      item.remove();
      cards.delete(id);
    }
  }
  rows.forEach((row, i) => {
    const known = mine.get(row.id);
    if (known && known.rating === row.rating && known.correction === row.correction && (known.reason || "") === (row.reason || "")) mine.delete(row.id);
    const item = cards.get(row.id)?.item || makeCard(row);
    cards.set(row.id, { item, row });
    patchCard(item, row);
    if (list.children[i] !== item) list.insertBefore(item, list.children[i] || null);
  });
  set(list, "aria-label", now.title || "");
  set(root, "aria-busy", Boolean(now.busy));
  set(root, "data-state", now.state || "");
  put(part("banner"), now.unsaved || "");
  put(part("says"), now.status || "");
  part("status").hidden = !now.status;
  put(part("empty"), rows.length || now.status ? "" : now.empty || "");
  put(part("answer-label"), now.answer ? now.answer_label || "" : "");
  putHtml(part("answer-text"), now.answer || "");
  put(part("likely"), now.answer ? now.reliability || "" : "");
  putHtml(part("note"), now.note || "");
  part("answer").hidden = !now.answer && !now.note;
  put(part("keys"), rows.length && now.rateable ? phrase("rate.keys") : "");
  for (const listener of listeners) listener();
}

// Rating

function label(id) {
  const row = cards.get(id).row;
  return mine.get(id) || { rating: row.rating, reason: row.reason || "", correction: row.correction };
}

function setFeedback(id, feedback, kind) {
  mine.set(id, feedback);
  patchLabel(cards.get(id).item, cards.get(id).row);
  sent.set(id, [...(sent.get(id) || []), { number: ++number, ...feedback }].slice(-RESENT));
  trigger(kind, { step_id: id, labels: sent.get(id) });
  for (const listener of listeners) listener();
}

function rate(id, rating) {
  past.push([id, label(id)]);
  setFeedback(id, { ...label(id), rating, reason: rating === -1 ? label(id).reason : "" }, "like");
}

function rateByKey(item, rating) {
  rate(item.dataset.id, rating);
  if (view().advances) move(item, 1);
}

function because(id, reason) {
  past.push([id, label(id)]);
  setFeedback(id, { ...label(id), reason }, "like");
}

function undo() {
  const last = past.pop();
  if (!last || !cards.has(last[0])) return;
  setFeedback(last[0], last[1], "like");
  if (view().advances) cards.get(last[0]).item.firstElementChild.focus();
}

function openEditor(id) {
  const { item, row } = cards.get(id);
  if (item.querySelector("textarea")) return;
  const area = make("textarea", "sq-area", { rows: "2", maxlength: "4000", "aria-label": `${row.label}: ${phrase("rate.correct")}` });
  area.value = label(id).correction || row.text;
  const close = () => {
    editor.remove();
    item.firstElementChild.focus();
  };
  const keep = () => {
    past.push([id, label(id)]);
    setFeedback(id, { ...label(id), correction: area.value.trim() }, "edit");
    close();
  };
  const save = make("button", "sq-save", { type: "button" }, phrase("rate.save"));
  const cancel = make("button", "sq-cancel", { type: "button" }, phrase("rate.cancel"));
  save.onclick = keep;
  cancel.onclick = close;
  area.onkeydown = (event) => {
    event.stopPropagation();
    if (event.isComposing) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) keep();
    if (event.key === "Escape") close();
  };
  const editor = make("div", "sq-editor", {}, area, make("div", "sq-editor-row", {}, save, cancel));
  item.firstElementChild.append(editor);
  area.focus();
}

function move(item, by) {
  const next = [...list.children][[...list.children].indexOf(item) + by];
  next?.firstElementChild.focus();
}

function turn(item, by) {
  const group = document.activeElement.closest(".sq-reasons");
  const buttons = [
    ...(group ? group.querySelectorAll("button") : item.querySelectorAll(".sq-tools:not([hidden]) button, .sq-links button:not([hidden])")),
  ];
  const at = buttons.indexOf(document.activeElement);
  buttons[(at + by + buttons.length) % buttons.length]?.focus();
}

list.addEventListener("keydown", (event) => {
  const item = event.target.closest(".sq-step");
  if (!item || event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === "TEXTAREA") return;
  const id = item.dataset.id;
  const able = !item.querySelector(".sq-tools").hidden;
  const acts = {
    1: able && (() => rateByKey(item, 1)),
    2: able && (() => rateByKey(item, 0)),
    3: able && (() => rateByKey(item, -1)),
    r: able && (() => item.querySelector(".sq-reasons:not([hidden]) button")?.focus()),
    e: able && (() => openEditor(id)),
    u: able && undo,
    j: () => move(item, 1),
    k: () => move(item, -1),
    ArrowDown: () => move(item, 1),
    ArrowUp: () => move(item, -1),
    ArrowRight: () => turn(item, 1),
    ArrowLeft: () => turn(item, -1),
  };
  const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (act) {
    event.preventDefault();
    act();
  }
});

const form = element.closest(".sq-form");
const ask = hearKeys(form);

watch("value", show);
show();
