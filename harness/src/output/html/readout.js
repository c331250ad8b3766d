// Tells the values nearest to the pointer below a chart's title. The page is whole without it.
document.querySelectorAll("figure").forEach(function (figure) {
  var svg = figure.querySelector("svg"), out = figure.querySelector("output");
  var dots = Array.from(figure.querySelectorAll("circle"));
  if (out === null || dots.length === 0) return;
  var line = document.createElementNS(svg.namespaceURI, "path");
  line.setAttribute("class", "cross");
  svg.appendChild(line);
  function tell(event) {
    var box = svg.getBoundingClientRect();
    var x = (event.clientX - box.left) * svg.viewBox.baseVal.width / box.width;
    var far = function (dot) { return Math.abs(dot.cx.baseVal.value - x); };
    var near = dots.reduce(function (best, dot) { return far(best) > far(dot) ? dot : best; });
    var at = near.cx.baseVal.value;
    var told = dots.filter(function (dot) { return 0.6 > Math.abs(dot.cx.baseVal.value - at); });
    out.textContent = told.map(function (dot) { return dot.textContent; }).join(" · ");
    line.setAttribute("d", "M" + at + " 44V256");
  }
  svg.addEventListener("pointermove", tell);
  svg.addEventListener("pointerdown", tell);
});
