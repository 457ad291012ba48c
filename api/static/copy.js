/* One tap copies what stands in the element that the button names. */
(function () {
  "use strict";
  function told(button) {
    var before = button.textContent;
    button.textContent = button.dataset.done;
    setTimeout(function () { button.textContent = before; }, 2000);
  }
  function byHand(text, button) {
    /* Browsers give the clipboard to pages over https only; most hospitals' networks have none. */
    var area = document.createElement("textarea");
    area.value = text;
    area.setAttribute("readonly", "");
    area.className = "vis";
    document.body.appendChild(area);
    area.select();
    if (document.execCommand("copy")) told(button);
    document.body.removeChild(area);
    button.focus();
  }
  document.addEventListener("click", function (event) {
    var button = event.target.closest ? event.target.closest("[data-copy]") : null;
    if (!button) return;
    var text = document.getElementById(button.dataset.copy).textContent;
    if (navigator.clipboard && window.isSecureContext) {
      navigator.clipboard.writeText(text).then(function () { told(button); }, function () { byHand(text, button); });
    } else {
      byHand(text, button);
    }
  });
})();
