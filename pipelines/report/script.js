document.documentElement.classList.add("scripted");
const cards = [...document.querySelectorAll("[data-reason]")];
const chips = [...document.querySelectorAll("[data-filter]")];
for (const chip of chips) chip.onclick = () => {
  for (const other of chips) other.setAttribute("aria-pressed", String(other === chip));
  for (const card of cards) card.hidden = chip.dataset.filter !== "" && card.dataset.reason !== chip.dataset.filter;
};
const toggle = document.querySelector("[data-toggle]");
if (toggle) toggle.onclick = () => {
  const open = toggle.getAttribute("aria-pressed") !== "true";
  toggle.setAttribute("aria-pressed", String(open));
  for (const card of document.querySelectorAll("details.card")) card.open = open;
};
