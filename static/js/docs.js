/** Shows our OpenAPI document with Swagger UI, and repairs its markup for screen readers. */

const place = document.getElementById("docs");

window.SwaggerUIBundle({
  url: place.dataset.document,
  domNode: place,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  validatorUrl: null, // otherwise it would send a request to another host
});

new MutationObserver(mend).observe(place, { childList: true, subtree: true });

/** Repair the markup: headings skip a level, the introduction is in no landmark, some fields have no label. */
function mend() {
  set("h3.opblock-tag, section.models > h4", "aria-level", "2");
  set(".opblock-body h4", "aria-level", "3");
  set(".information-container", "role", "region");
  set(".information-container", "aria-label", "About this API");
  set("textarea.body-param__text", "aria-label", "Request body");
  set("pre.microlight", "tabindex", "0"); // it scrolls
  set("select.examples-select-element", "aria-label", "Example");
}

function set(selector, name, value) {
  for (const element of place.querySelectorAll(selector)) element.setAttribute(name, value);
}
