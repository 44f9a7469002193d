// The list of earlier runs: search, open, save, delete. It is drawn again only when it has changed, to keep the focus.
const root = element.querySelector(".sq-past");
const part = (name) => root.querySelector(".sq-past-" + name);
const search = part("search");
const list = part("list");
let drawn = "";
let saved = "";
let unfolded = ""; // id of the entry whose actions are shown
let typing = 0;

const view = () => props.value || {};
const phrase = (key, values = {}) =>
  Object.entries(values).reduce((text, [name, value]) => text.replace(`{${name}}`, value), view().words?.["past." + key] || "");

function button(className, text, act, attributes = {}) {
  const made = make("button", className, { type: "button", ...attributes }, text);
  made.onclick = act;
  return made;
}

function when(iso) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return "";
  const today = date.toDateString() === new Date().toDateString();
  const style = today ? { hour: "2-digit", minute: "2-digit" } : { day: "numeric", month: "short" };
  return new Intl.DateTimeFormat(view().language, style).format(date);
}

function makeRow(row) {
  const item = make("li", "sq-past-row", { "data-id": row.id });
  const about = make("small", "sq-past-about", {}, [row.kind, when(row.when), row.likely].filter(Boolean).join(" · "));
  const open = button("sq-past-open", "", () => openRun(row.id));
  open.append(make("span", "sq-past-title", {}, row.title), about);
  const more = button("sq-past-more", "⋯", () => unfold(unfolded === row.id ? "" : row.id), {
    "aria-label": phrase("more", { title: row.title }),
    "aria-expanded": "false",
  });
  item.append(open, more, make("div", "sq-past-acts", { hidden: "" }));
  return item;
}

function openRun(id) {
  trigger("select", { entry: id });
  if (matchMedia("(max-width: 760px)").matches) scrollTo({ top: 0 });
}

function unfold(id, asking = false) {
  unfolded = id;
  for (const item of list.children) {
    const mine = item.dataset.id === id;
    item.querySelector(".sq-past-more").setAttribute("aria-expanded", mine);
    const acts = item.querySelector(".sq-past-acts");
    acts.hidden = !mine;
    acts.replaceChildren(...(mine ? (asking ? askedActs(id) : plainActs(id)) : []));
    if (mine && asking) acts.querySelector(".sq-past-keep").focus();
    if (mine) item.scrollIntoView({ block: "nearest" }); // the actions of the last entry open below the edge of the list
  }
}

function plainActs(id) {
  const save = (format) => button("sq-past-act", phrase(format), () => trigger("download", { entry: id, format }));
  return [save("md"), save("html"), button("sq-past-act sq-past-bad", phrase("delete"), () => unfold(id, true))];
}

function askedActs(id) {
  const gone = () => {
    unfolded = "";
    trigger("delete", { entry: id });
    search.focus();
  };
  const keep = () => {
    unfold(id);
    list.querySelector(`[data-id="${id}"] .sq-past-bad`).focus();
  };
  const question = make("p", "sq-past-question", {}, phrase("sure"));
  return [question, button("sq-past-act sq-past-keep", phrase("keep"), keep), button("sq-past-act sq-past-bad", phrase("gone"), gone)];
}

function save(file) {
  const link = make("a", "", { download: file.name, href: URL.createObjectURL(new Blob([file.text], { type: file.type })) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function show() {
  const now = view();
  part("head").textContent = phrase("title");
  search.placeholder = phrase("search");
  search.setAttribute("aria-label", phrase("search"));
  list.setAttribute("aria-label", phrase("title"));
  part("empty").textContent = now.empty || "";
  part("empty").hidden = !now.empty;
  const rest = part("rest");
  rest.hidden = !now.more;
  rest.firstElementChild.textContent = now.more || "";
  rest.lastElementChild.textContent = phrase("further");
  const wanted = JSON.stringify([now.rows, now.language]);
  if (wanted !== drawn) {
    drawn = wanted;
    const focused = document.activeElement?.closest?.(".sq-past-row")?.dataset.id;
    list.replaceChildren(...(now.rows || []).map(makeRow));
    unfold((now.rows || []).some((row) => row.id === unfolded) ? unfolded : "");
    if (focused) list.querySelector(`[data-id="${focused}"] .sq-past-open`)?.focus();
  }
  if (now.file && now.file.token !== saved) {
    saved = now.file.token;
    save(now.file);
  }
}

search.addEventListener("input", (event) => {
  if (event.isComposing) return;
  clearTimeout(typing);
  typing = setTimeout(() => trigger("input", { search: search.value }), 250);
});
search.addEventListener("compositionend", () => trigger("input", { search: search.value }));
list.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !unfolded) return;
  const more = list.querySelector(`[data-id="${unfolded}"] .sq-past-more`);
  event.stopPropagation();
  unfold("");
  more.focus();
});

part("rest").lastElementChild.onclick = () => trigger("input", { search: search.value, more: true });

root.open = matchMedia("(min-width: 761px)").matches;
watch("value", show);
show();
