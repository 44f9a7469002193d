hearKeys(element.closest(".sq-compare"));
