// Shows what the shell put into the address. Text only: nothing here is read as HTML.
const said = new URLSearchParams(location.search);
for (const name of ["message", "hint", "log"]) {
  document.getElementById(name).textContent = said.get(name) ?? "";
}
document.querySelector(".log").hidden = !said.get("log");
