// Additions of the Review tab to the step list (steps.js, in the same scope): steps after the first error are optional;
// the conclusion; and the time spent.
const ENDINGS = ["solution", "found_error", "give_up", "bad_problem"];
const explains = make("textarea", "sq-area", { rows: "2", maxlength: "1000" });
const explained = make("label", "sq-explained", {}, make("span", "sq-explained-label"), explains);
const endings = make("div", "sq-endings", { role: "group" });
const turns = make("div", "sq-turns");
const finish = make("div", "sq-finish", {}, explained, endings, turns);
const button = (className, act) => {
  const made = make("button", className, { type: "button" });
  made.onclick = act;
  return made;
};
for (const ending of ENDINGS) endings.append(button("sq-ending sq-ends-" + ending, () => end(ending)));
turns.append(
  button("sq-reveal", () => trigger("submit", { act: "reveal", said: feedbackHere() })),
  button("sq-back", () => trigger("submit", { act: "back" })),
  button("sq-skip", () => trigger("submit", { act: "skip" })),
);
part("answer").before(finish);

let item = null;
let spent = 0; // milliseconds with the page visible
let since = performance.now();
let ended = false;
document.addEventListener("visibilitychange", () => {
  if (document.hidden) spent += performance.now() - since;
  since = performance.now();
});

function ratings() {
  return (view().steps || []).map((row) => label(row.id).rating);
}

function firstWrong() {
  return ratings().indexOf(-1);
}

function showOptional(card, optional) {
  set(card, "data-optional", optional);
  if (!view().revealed) put(card.querySelector(".sq-verdict"), optional ? phrase("review.optional") : "");
}

// The conclusion suggested by the ratings so far.
function suggested() {
  const rated = ratings();
  if (rated.includes(-1)) return "found_error";
  return rated.length && rated.every((rating) => rating !== null && rating !== undefined) ? "solution" : null;
}

// Only ratings given on this page, as others may have been given on another page meanwhile.
function feedbackHere() {
  const here = (view().steps || []).filter((row) => mine.has(row.id));
  return Object.fromEntries(here.map((row) => [row.id, sent.get(row.id)]));
}

function end(how) {
  const seconds = (spent + performance.now() - since) / 1000;
  ended = true;
  trigger("submit", { act: "finish", item: view().item, ending: how, explanation: explains.value, seconds, said: feedbackHere() });
}

function review() {
  const now = view();
  if (now.item !== item) {
    item = now.item;
    [spent, since] = [0, performance.now()];
    past.length = 0;
    explains.value = now.explanation || "";
    if (ended) list.querySelector(".sq-card")?.focus();
    ended = false;
  }
  finish.hidden = !item;
  const wrong = firstWrong();
  [...list.children].forEach((card, i) => showOptional(card, wrong >= 0 && i > wrong));
  explained.hidden = wrong < 0;
  put(explained.firstElementChild, phrase("review.explain"));
  set(endings, "aria-label", phrase("review.endings"));
  for (const [i, ending] of ENDINGS.entries()) {
    put(endings.children[i], phrase("review.end." + ending));
    set(endings.children[i], "data-suggested", suggested() === ending);
    set(endings.children[i], "aria-pressed", now.ending === ending);
  }
  const judged = now.ending || suggested(); // before that, the critic's verdict would sway the reviewer
  put(turns.children[0], now.can_reveal && (judged || now.revealed) ? phrase(now.revealed ? "review.hide" : "review.reveal") : "");
  put(turns.children[1], now.can_go_back ? phrase("review.back") : "");
  put(turns.children[2], now.can_skip ? phrase("review.skip") : "");
}

explains.addEventListener("keydown", (event) => {
  if (event.key === "Escape") list.querySelector(".sq-card")?.focus();
});

form.addEventListener("keydown", (event) => {
  if (event.isComposing || !item) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    if (event.target.closest(".sq") && !event.target.closest(".sq-editor")) end(suggested() || "solution");
  } else if (event.target.closest(".sq-steps") && event.target.tagName !== "TEXTAREA" && !event.ctrlKey && !event.metaKey) {
    if (event.key.toLowerCase() === "s" && view().can_skip) turns.children[2].click();
    if (event.key === "?" || event.key.toLowerCase() === "g") form.querySelector(".sq-guide summary")?.click();
  }
});

listeners.push(review);
review();
