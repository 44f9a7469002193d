// Theme and text size, kept by this browser alone and set before the first paint. Gradio sets the theme of the system by
// itself, also later on; an observer puts the chosen one back before anything is drawn.
window.soliloquyLook = (() => {
  const root = document.documentElement;
  const fresh = { theme: "system", size: "normal" };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const read = () => {
    try {
      return { ...fresh, ...JSON.parse(localStorage.getItem("soliloquy-look")) };
    } catch {
      return fresh; // no storage, or not ours: the look of the system
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
        // no storage: it holds until the page is left
      }
    },
  };
})();
