/* Live pages: the server sends those parts of the page that changed, drawn by the same templates as the page itself.
   Parts are merged into what stands there, node by node, so that focus, selection and blinking marks go on undisturbed. */
(function () {
  "use strict";
  var body = document.body, page = body.dataset.live;
  if (!page || !window.EventSource) return;
  var offline = document.getElementById("offline"), seenAt = document.getElementById("offline-time");
  var stream = null, lastHeard = Date.now(), lastClock = seenAt ? seenAt.textContent : "";
  var SILENCE_MS = 8000;

  function sameKind(a, b) { return a.nodeType === b.nodeType && a.nodeName === b.nodeName; }

  function merge(old, fresh) {
    if (old.nodeType !== 1) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    var i, a;
    for (i = old.attributes.length - 1; i >= 0; i--) {
      a = old.attributes[i];
      /* what the reader has unfolded stays so */
      if (!fresh.hasAttribute(a.name) && a.name !== "open") old.removeAttribute(a.name);
    }
    for (i = 0; i < fresh.attributes.length; i++) {
      a = fresh.attributes[i];
      if (old.getAttribute(a.name) !== a.value) old.setAttribute(a.name, a.value);
    }
    children(old, fresh);
  }

  function children(old, fresh) {
    var was = Array.prototype.slice.call(old.childNodes), now = Array.prototype.slice.call(fresh.childNodes);
    now.forEach(function (node, i) {
      var there = was[i];
      if (!there) old.appendChild(node);
      /* a part inside a part is sent by itself */
      else if (there.nodeType === 1 && there.dataset && there.dataset.r && node.dataset && node.dataset.r === there.dataset.r) return;
      else if (sameKind(there, node)) merge(there, node);
      else old.replaceChild(node, there);
    });
    for (var i = now.length; i < was.length; i++) old.removeChild(was[i]);
  }

  function put(name, html) {
    var holder = document.createElement("template");
    holder.innerHTML = html;
    var fresh = holder.content.firstElementChild;
    if (!fresh) return;
    document.querySelectorAll('[data-r="' + name + '"]').forEach(function (old) {
      if (sameKind(old, fresh)) merge(old, fresh.cloneNode(true));
      else old.replaceWith(fresh.cloneNode(true));
    });
  }

  function heard() {
    lastHeard = Date.now();
    if (offline && !offline.hidden) offline.hidden = true;
  }

  function missed() {
    if (!offline) return;
    if (seenAt) seenAt.textContent = lastClock;
    offline.hidden = false;
  }

  function busy() {
    return Array.prototype.some.call(document.querySelectorAll("textarea, input:not([type=hidden])"), function (field) {
      return field.value !== field.defaultValue;
    });
  }

  function listen() {
    if (stream) return;
    stream = new EventSource("/live?page=" + encodeURIComponent(page));
    stream.addEventListener("hello", function (event) {
      heard();
      /* a newer service has newer pages: the wall display must not stay on the old ones */
      if (event.data !== body.dataset.version && !busy()) location.reload();
    });
    stream.addEventListener("parts", function (event) {
      heard();
      var parts = JSON.parse(event.data);
      Object.keys(parts).forEach(function (name) { put(name, parts[name]); });
      var clock = document.querySelector('[data-r="clock-time"]');
      if (clock) lastClock = clock.textContent;
    });
    stream.addEventListener("error", function () {
      if (stream && stream.readyState === 2) { stream.close(); stream = null; missed(); setTimeout(listen, 5000); }
    });
  }

  function hush() { if (stream) { stream.close(); stream = null; } }

  setInterval(function () {
    if (!document.hidden && Date.now() - lastHeard > SILENCE_MS) missed();
  }, 1000);
  document.addEventListener("visibilitychange", function () {
    if (document.hidden) hush(); else { lastHeard = Date.now(); listen(); }
  });
  window.addEventListener("pagehide", hush);
  listen();
})();
