
// A flagged line of own work: first a hint on request, then what is wrong.
const stages = new Map(); // step id -> how much of it is shown: 1 the hint, 2 all

function showCorrection(row) {
  const body = cards.get(row.id).item.querySelector(".sq-body");
  let box = body.querySelector(".sq-mend");
  if (!row.mend) return box?.remove();
  if (!box) {
    const more = make("button", "sq-mend-more", { type: "button" });
    more.onclick = () => {
      stages.set(row.id, (stages.get(row.id) || 0) + 1);
      showCorrection(cards.get(row.id).row);
    };
    const parts = make("div", "", { "aria-live": "polite" }, make("p", "sq-hint"), make("p", "sq-hint"));
    box = make("div", "sq-mend", {}, parts, more);
    body.querySelector(".sq-comment").after(box);
  }
  const stage = stages.get(row.id) || 0;
  const [hint, all] = box.firstElementChild.children;
  put(hint, stage > 0 ? row.mend.hint : "");
  putHtml(all, stage > 1 ? row.mend.show : "");
  const next = stage === 0 ? "hint" : stage === 1 && row.mend.show ? "show" : "";
  const more = box.lastElementChild;
  if (!next && more === document.activeElement) body.closest(".sq-card").focus({ preventScroll: true });
  put(more, next && phrase("mend." + next));
}

const showCorrections = () => (view().steps || []).forEach(showCorrection);
watch("value", showCorrections);
showCorrections();
