
// A solution shown step by step: hints on the first hidden step, buttons for more, and a student's own answer. Hidden
// text is not in the browser; every click requests the next part from the server.
const WISHES = ["hint", "step", "all"];
const asks = make("div", "sq-give", { role: "group" });
for (const wish of WISHES) {
  const button = make("button", "sq-wish sq-wish-" + wish, { type: "button" });
  button.onclick = () => trigger("select", { wish });
  asks.append(button);
}
const field = make("input", "sq-mine-field", { type: "text", maxlength: "200", autocomplete: "off", spellcheck: "false" });
const field_label = make("label", "sq-mine-label", {}, make("span", ""), field);
const compare = make("button", "sq-mine-check", { type: "button" });
const verdict = make("p", "sq-mine-said", { role: "status" });
const others = make("button", "sq-mine-vote", { type: "button" }); // further solutions vote on which of two answers is right
const mine_row = make("div", "sq-mine", {}, field_label, compare, verdict, others);
list.after(asks, mine_row);

// The reply is cleared at every click, so that an equal reply is noticed too.
compare.onclick = () => {
  put(verdict, field.value.trim() ? "" : phrase("mine.empty"));
  set(verdict, "data-kind", "");
  if (field.value.trim()) trigger("submit", { answer: field.value });
};
others.onclick = () => {
  ask();
  others.hidden = true;
  field.focus({ preventScroll: true }); // the button is gone
  trigger("expand", {});
};
field.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.isComposing) compare.click();
});
field.addEventListener("input", () => put(verdict, ""));

function showHints(row) {
  const body = cards.get(row.id).item.querySelector(".sq-body");
  let hints = body.querySelector(".sq-hints");
  if (!row.hints?.length) return hints?.remove();
  if (!hints) {
    hints = make("ul", "sq-hints", { "aria-live": "polite" });
    body.append(hints);
  }
  set(hints, "aria-label", phrase("give.hints"));
  row.hints.forEach((text, i) => put(hints.children[i] || hints.appendChild(make("li", "sq-hint")), text));
}

// "Try again" on a step of a finished solution.
const AGAIN = '<svg viewBox="0 0 20 20" width="16" height="16" aria-hidden="true"><path d="M15.5 6.5A6.5 6.5 0 1 0 16.5 10M16 3v4h-4" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round"/></svg>';

function showAgain(row) {
  const links = cards.get(row.id).item.querySelector(".sq-links");
  let button = links.querySelector(".sq-again");
  if (!button) {
    button = make("button", "sq-again", { type: "button", tabindex: "-1" }, make("span", ""));
    button.insertAdjacentHTML("afterbegin", AGAIN);
    button.onclick = () => {
      ask();
      cards.get(row.id).item.firstElementChild.focus({ preventScroll: true }); // the button is hidden next
      trigger("retry", { step_id: row.id });
    };
    links.append(button);
  }
  button.hidden = !view().again?.includes(row.id);
  put(button.lastElementChild, phrase("again.button"));
  set(button, "aria-label", `${row.label}: ${phrase("again.button")}`);
}

function showGuide() {
  const now = view();
  (now.steps || []).forEach(showHints);
  (now.steps || []).forEach(showAgain);
  const able = now.help && !now.busy;
  if (!able && asks.contains(document.activeElement)) list.lastElementChild?.firstElementChild.focus();
  asks.hidden = !able;
  WISHES.forEach((wish, i) => {
    put(asks.children[i], phrase("give." + wish));
    asks.children[i].hidden = wish === "step" && now.help !== "steps";
  });
  mine_row.hidden = !now.comparable;
  if (mine_row.hidden) field.value = "";
  compare.disabled = !able;
  put(field_label.firstElementChild, phrase("mine.label"));
  set(field, "placeholder", phrase("mine.placeholder"));
  put(compare, phrase("mine.button"));
  put(verdict, (now.voting ? now.status : now.compared?.text) || "");
  set(verdict, "data-kind", (!now.voting && now.compared?.kind) || "");
  put(others, able && now.compared?.kind === "other" && now.votable ? phrase("mine.vote") : "");
  const keys = part("keys");
  const added = now.help === "steps" ? ["hint", "step"] : ["hint"];
  if (able && keys.textContent) put(keys, [phrase("rate.keys"), ...added.map((wish) => phrase("give.keys." + wish))].join(" · "));
}

root.addEventListener("keydown", (event) => {
  if (asks.hidden || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea")) return;
  const wish = { h: "hint", n: "step" }[event.key.toLowerCase()];
  if (wish) asks.querySelector(`.sq-wish-${wish}:not([hidden])`)?.click();
});

watch("value", showGuide);
showGuide();
