/* A row of tabs that is wider than the window begins with the tab that is open in sight. */
document.querySelectorAll("nav.tabs [aria-current]").forEach(function (open) {
  var row = open.parentNode;
  row.scrollLeft = open.offsetLeft - row.offsetLeft - (row.clientWidth - open.offsetWidth) / 2;
});
