// Light, dark or the system's theme. Loaded before the page is drawn, to avoid a flash.
"use strict";
{
  const themes = ["auto", "light", "dark"];
  const kept = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // Storage can be switched off.
    }
  };
  let theme = themes.includes(kept()) ? kept() : "auto";
  const apply = () => {
    document.documentElement.dataset.theme = theme;
    const button = document.getElementById("theme");
    if (button) button.textContent = `Theme: ${theme}`;
  };
  apply();
  document.addEventListener("DOMContentLoaded", () => {
    apply();
    document.getElementById("theme")?.addEventListener("click", () => {
      theme = themes[(themes.indexOf(theme) + 1) % themes.length];
      try {
        localStorage.setItem("theme", theme);
      } catch {
        // Then it lasts until the page is closed.
      }
      apply();
    });
  });
}
