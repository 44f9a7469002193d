// Typed texts, stored for this browser tab only. They survive a reload, which a restarted server requests. Nothing is
// stored before the texts were restored, as the page fills its boxes while it opens.
window.soliloquyTyped = (() => {
  const key = "soliloquy-typed";
  let ready = false;
  const read = () => {
    try {
      return JSON.parse(sessionStorage.getItem(key)) || {};
    } catch {
      return {}; // no storage, or an invalid value
    }
  };
  return {
    keep(box, text) {
      if (!ready) return;
      try {
        sessionStorage.setItem(key, JSON.stringify({ ...read(), [box]: text }));
      } catch {
        // no storage: lost with the page
      }
    },
    restore(texts) {
      const kept = read();
      ready = true;
      return texts.map((text, box) => kept[box] || text);
    },
  };
})();
