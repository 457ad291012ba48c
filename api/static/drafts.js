/* What somebody has written stays in this tab until the server has taken it, though the login may have ended meanwhile. */
(function () {
  "use strict";
  var KEPT = "draft ", SENT = "sent ", store;
  try { store = window.sessionStorage; store.getItem(KEPT); } catch (refused) { return; }
  function keys(prefix) {
    return Object.keys(store).filter(function (key) { return key.indexOf(prefix) === 0; });
  }
  function forget(key) { store.removeItem(KEPT + key); store.removeItem(SENT + key); }
  function key(field) { return field.form.getAttribute("action") + " " + field.name; }

  if (document.querySelector("input[type=password]")) {
    /* The login came in between: what was sent did not arrive. */
    keys(SENT).forEach(function (sent) { store.removeItem(sent); });
    return;
  }
  document.querySelectorAll("form[method=post] textarea").forEach(function (field) {
    var kept = store.getItem(KEPT + key(field));
    if (store.getItem(SENT + key(field))) forget(key(field));
    else if (kept && !field.value) field.value = kept;
    field.addEventListener("input", function () { store.setItem(KEPT + key(field), field.value); });
    field.form.addEventListener("submit", function () { store.setItem(SENT + key(field), "1"); });
  });
  /* A draft is nobody else's: the next person at this screen must not find it. */
  document.querySelectorAll("form[action='/logout']").forEach(function (form) {
    form.addEventListener("submit", function () { keys(KEPT).concat(keys(SENT)).forEach(function (k) { store.removeItem(k); }); });
  });
})();
