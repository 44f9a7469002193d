// The form of Compare: Ctrl+Enter asks, Esc stops.
const form = element.closest(".sq-compare");
const press = (kind) => form.querySelector(`button.${kind}:not([disabled])`)?.click();
form.addEventListener("keydown", (event) => {
  if (event.isComposing || event.target.closest(".sq")) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) press("sq-go");
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.isComposing && form.offsetParent) press("sq-stop");
});
