
// "Why?" under a step: the meaning of its badges in sentences, which came with the step.
const explained = new Set(); // ids of steps whose reasons are open

function showWhy(row) {
  const { item } = cards.get(row.id);
  const body = item.querySelector(".sq-body");
  if (!body.querySelector(".sq-why")) {
    const button = make("button", "sq-why", { type: "button", tabindex: "-1" });
    const reasons = make("ul", "sq-why-list", { id: `why-${row.id}` });
    set(button, "aria-controls", reasons.id);
    button.onclick = () => {
      if (!explained.delete(row.id)) explained.add(row.id);
      showWhy(cards.get(row.id).row);
    };
    body.append(make("div", "sq-links", {}, button), reasons);
  }
  const button = body.querySelector(".sq-why");
  const reasons = body.querySelector(".sq-why-list");
  const open = explained.has(row.id) && row.why.length > 0;
  put(button, row.why.length && row.state !== "streaming" ? phrase("why.button") : "");
  set(button, "aria-expanded", open);
  set(button, "aria-label", `${row.label}: ${phrase("why.button")}`);
  reasons.hidden = !open;
  const wanted = JSON.stringify(row.why);
  if (!open || reasons.dataset.shown === wanted) return;
  reasons.dataset.shown = wanted;
  reasons.replaceChildren(
    ...row.why.map(({ text, note }) => {
      const reason = make("li", "sq-why-text", {}, text + " ");
      if (note) putHtml(reason.appendChild(make("span", "sq-why-note")), note);
      return reason;
    }),
  );
}

const showReasons = () => (view().steps || []).forEach(showWhy);
watch("value", showReasons);
showReasons();
