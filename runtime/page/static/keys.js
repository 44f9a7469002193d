// The keys of a form: Ctrl+Enter submits, Esc stops. Esc works everywhere, as a button that is disabled after a click has
// lost the focus, and from the moment of submitting on, although Stop is enabled only later. Returns a function that other
// ways of submitting must call.
function hearKeys(form) {
  const enabled = (kind) => form.querySelector(`button.${kind}:not([disabled])`);
  let asking = false;
  let stopping = false;
  const ask = () => {
    asking = true;
    stopping = false;
  };
  form.addEventListener("click", (event) => event.target.closest("button.sq-go") && ask());
  form.addEventListener("keydown", (event) => {
    if (event.isComposing || event.target.closest(".sq") || event.key !== "Enter") return;
    if (event.ctrlKey || event.metaKey) enabled("sq-go")?.click();
    else if (event.shiftKey) ask(); // the text box itself submits
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.isComposing || !form.offsetParent) return;
    stopping = asking;
    enabled("sq-stop")?.click();
  });
  new MutationObserver(() => {
    if (!asking || !enabled("sq-stop")) return;
    asking = false;
    if (stopping) enabled("sq-stop").click();
  }).observe(form, { subtree: true, attributeFilter: ["disabled"] });
  return ask;
}
