// What was typed into the boxes, kept for this browser tab alone: it survives a reload, which a server that was started
// again asks for. Nothing is kept before it was given back once, as the page fills its boxes while it opens.
window.soliloquyTyped = (() => {
  const key = "soliloquy-typed";
  let ready = false;
  const read = () => {
    try {
      return JSON.parse(sessionStorage.getItem(key)) || {};
    } catch {
      return {}; // no storage, or not ours
    }
  };
  return {
    keep(box, text) {
      if (!ready) return;
      try {
        sessionStorage.setItem(key, JSON.stringify({ ...read(), [box]: text }));
      } catch {
        // no storage: it is lost with the page
      }
    },
    restore(texts) {
      const kept = read();
      ready = true;
      return texts.map((text, box) => kept[box] || text);
    },
  };
})();
