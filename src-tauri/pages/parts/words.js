// Texts: all of them come from the shell, in the person's language.

/** Writes the texts of a view into the places that name them. */
export function showWords({ language, words }) {
  document.documentElement.lang = language;
  for (const place of document.querySelectorAll("[data-word]")) setText(place, words[place.dataset.word] ?? "");
  document.querySelector("main").setAttribute("aria-busy", "false");
}

/** Writes a text where it is another one, so that nothing is read aloud twice. */
export function setText(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

/** Shows a text, or hides its place where there is none. */
export function showIf(place, text) {
  setText(place, text ?? "");
  place.hidden = !text;
}

/** Makes an element with a text. */
export function element(name, text, className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

/** Says what went wrong and what to do, or takes it back. */
export function showFailure(place, title, error) {
  place.replaceChildren();
  place.hidden = error === undefined;
  if (error === undefined) return;
  if (title) place.append(element("p", title, "title"));
  place.append(element("p", error.message));
  if (error.hint) place.append(element("p", error.hint, "soft"));
}
