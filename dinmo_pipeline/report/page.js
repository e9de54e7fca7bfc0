"use strict";
// Draws a chart when it comes into view, or all of them before printing: hundreds at once would take seconds.
const { specifications, audiences, calls } = JSON.parse(document.getElementById("data").textContent);
const drawn = new Set();

function draw(place) {
  if (drawn.has(place)) return Promise.resolve();
  drawn.add(place);
  const { chart, of } = place.dataset;
  const values = (chart === "calls" ? calls : audiences)[of];
  const specification = { ...specifications[chart], data: { values } };
  return vegaEmbed(place, specification, { actions: false, renderer: "svg" }).then(
    () => { place.dataset.drawn = "yes"; },
    (error) => { place.textContent = `This chart could not be drawn: ${error.message}`; },
  );
}

const places = [...document.querySelectorAll("[data-chart]")];
const drawAll = () => Promise.all(places.map(draw));
if ("IntersectionObserver" in window) {
  const observer = new IntersectionObserver(
    (seen) => seen.filter((each) => each.isIntersecting).forEach((each) => draw(each.target)),
    { rootMargin: "400px" },
  );
  places.forEach((place) => observer.observe(place));
} else {
  drawAll();
}
window.addEventListener("beforeprint", drawAll);
// A browser without a person, which prints or takes a picture, scrolls nowhere: few charts are drawn at once.
if (places.length <= 60) drawAll();
