// The keys of a form: Ctrl+Enter asks, Esc stops. Esc is heard everywhere, as a button that was pressed and then disabled
// has lost the focus; and from the moment of asking on, though Stop can only be pressed once there is something to stop.
// The value is to be called by what asks in other ways.
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
    else if (event.shiftKey) ask(); // the text box itself sends it
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
