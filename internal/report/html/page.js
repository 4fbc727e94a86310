// The page can be read without this: it adds a search box, and sorts its tables.
(function () {
  document.querySelectorAll("table.sort").forEach(function (table) {
    var heads = table.querySelectorAll("thead th"), body = table.tBodies[0];
    heads.forEach(function (head, column) {
      var button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.textContent = "";
      head.appendChild(button);
      button.addEventListener("click", function () {
        var down = head.getAttribute("aria-sort") !== "descending";
        heads.forEach(function (h) { h.removeAttribute("aria-sort"); });
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        Array.from(body.rows).map(function (row, i) {
          var cell = row.cells[column], n = cell.dataset.sort;
          return {row: row, i: i, key: n === undefined ? cell.textContent : Number(n)};
        }).sort(function (a, b) {
          var order = typeof a.key === "number" ? a.key - b.key : a.key.localeCompare(b.key, undefined, {numeric: true});
          return (down ? -order : order) || a.i - b.i;
        }).forEach(function (x) { body.appendChild(x.row); });
      });
    });
  });
  var label = document.getElementById("search"), query = document.getElementById("query");
  if (!label || !query) return;
  label.hidden = false;
  query.addEventListener("input", function () {
    var want = query.value.toLowerCase();
    document.querySelectorAll(".list tbody tr[class], section.card").forEach(function (e) {
      e.hidden = want !== "" && !e.textContent.toLowerCase().includes(want);
    });
  });
})();
