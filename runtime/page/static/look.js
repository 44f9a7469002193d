// Theme and text size, stored in this browser only and set before the first paint. Gradio sets the system's theme, also
// later on; an observer restores the chosen one before anything is drawn.
window.soliloquyLook = (() => {
  const root = document.documentElement;
  const fresh = { theme: "system", size: "normal" };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const read = () => {
    try {
      return { ...fresh, ...JSON.parse(localStorage.getItem("soliloquy-look")) };
    } catch {
      return fresh; // no storage, or an invalid value: use the system's theme
    }
  };
  let look = read();
  const apply = () => {
    const wanted = look.theme === "dark" || (look.theme !== "light" && dark.matches);
    root.dataset.size = look.size;
    root.style.colorScheme = wanted ? "dark" : "light";
    if (document.body && document.body.classList.contains("dark") !== wanted) document.body.classList.toggle("dark", wanted);
  };
  const watchBody = () => {
    apply();
    new MutationObserver(apply).observe(document.body, { attributeFilter: ["class"] });
  };
  apply();
  if (document.body) watchBody();
  else document.addEventListener("DOMContentLoaded", watchBody);
  dark.addEventListener("change", apply);
  return {
    values: () => [look.theme, look.size],
    set(name, value) {
      look = { ...look, [name]: value };
      apply();
      try {
        localStorage.setItem("soliloquy-look", JSON.stringify(look));
      } catch {
        // no storage: kept until the page is left
      }
    },
  };
})();
