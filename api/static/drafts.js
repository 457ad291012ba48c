/* What somebody has written stays in this tab until the server has taken it, though the login may have ended meanwhile. */
(function () {
  "use strict";
  /* remarks as they are typed; whole forms as they are sent; whole forms that were not taken */
  var TYPED = "draft ", SENT = "sent ", HELD = "held ", store;
  /* A draft is nobody else's: whoever logs in next at this screen must not find it. */
  var who = document.body.getAttribute("data-user") + " ";
  try { store = window.sessionStorage; store.getItem(TYPED); } catch (refused) { return; }
  function keys(prefix) {
    return Object.keys(store).filter(function (key) { return key.indexOf(prefix) === 0; });
  }
  function forget(prefix) { keys(prefix).forEach(function (key) { store.removeItem(key); }); }
  function typed(field) { return TYPED + who + field.form.getAttribute("action") + " " + field.name; }
  function fields(form) {
    return Array.prototype.filter.call(form.elements, function (field) {
      return field.name && /^(text|search|date|textarea|select-one)$/.test(field.type);
    });
  }

  if (document.querySelector("input[type=password], [data-not-taken]")) {
    /* A login or an error came in between: what was sent was not taken. */
    keys(SENT).forEach(function (key) {
      store.setItem(HELD + key.slice(SENT.length), store.getItem(key));
      store.removeItem(key);
    });
    return;
  }
  keys(SENT + who).forEach(function (key) {
    forget(TYPED + key.slice(SENT.length) + " ");
    store.removeItem(key);
  });
  document.querySelectorAll("form[method=post]").forEach(function (form) {
    var action = form.getAttribute("action"), held = store.getItem(HELD + who + action);
    if (held) {
      /* Once: a time that was typed must not stand beside the value of another day. */
      store.removeItem(HELD + who + action);
      held = JSON.parse(held);
      fields(form).forEach(function (field) { if (field.name in held) field.value = held[field.name]; });
    }
    fields(form).forEach(function (field) {
      if (field.type !== "textarea") return;
      if (!field.value) field.value = store.getItem(typed(field)) || "";
      field.addEventListener("input", function () { store.setItem(typed(field), field.value); });
    });
    form.addEventListener("submit", function () {
      var all = {};
      fields(form).forEach(function (field) { all[field.name] = field.value; });
      store.setItem(SENT + who + action, JSON.stringify(all));
    });
  });
  document.querySelectorAll("form[action='/logout']").forEach(function (form) {
    form.addEventListener("submit", function () { [TYPED, SENT, HELD].forEach(forget); });
  });
})();
