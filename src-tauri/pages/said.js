// Shows what the shell put into the address of this page. Text only: nothing here is read as HTML. What the address
// lacks stays as it is written in the page, and a place with nothing to say is not there.
const said = new URLSearchParams(location.search);
document.documentElement.lang = said.get("lang") ?? "en";
for (const place of document.querySelectorAll("[data-said]")) {
  const text = said.get(place.dataset.said);
  if (text) place.textContent = text;
  place.hidden = place.textContent === "";
}
for (const part of document.querySelectorAll("[data-with]")) part.hidden = !said.get(part.dataset.with);
