// The page can be read without this: it adds a search box.
(function () {
  var label = document.getElementById("search"), query = document.getElementById("query");
  if (!label || !query) return;
  label.hidden = false;
  query.addEventListener("input", function () {
    var want = query.value.toLowerCase();
    document.querySelectorAll("tbody tr[class], section.card").forEach(function (e) {
      if (!e.closest("details")) e.hidden = want !== "" && !e.textContent.toLowerCase().includes(want);
    });
  });
})();
