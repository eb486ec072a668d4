/**
 * Takes files as input: chosen, pasted, dragged from the disk or from a card. They are uploaded at once, and the
 * parameter holds their address. A file of ours that is dropped on the prompt restores its settings instead.
 */

import { say } from "./notice.js";
import { checkSession } from "./session.js";

const CARD = /^\/jobs\/([0-9a-f-]{36})$/;
const IMPRINTED = ["image/png", "image/webp", "image/jpeg", "video/mp4"];
let underWay = 0;

const composer = () => document.getElementById("composer");

function ready() {
  for (const field of composer()?.querySelectorAll("[data-takes]") ?? []) {
    field.querySelector("input[type=file]").removeAttribute("name"); // a chosen file is uploaded separately, at once
    textOf(field).placeholder = "Drop, paste, https://";
    show(field);
  }
}

/** Show the pictures of a field in place of their addresses, as long as all of them are ours. */
function show(field) {
  const addresses = textOf(field).value.split(/\s+/).filter(Boolean);
  const held = addresses.length > 0 && addresses.every((address) => address.startsWith("/media/"));
  field.toggleAttribute("data-held", held);
  const list = field.querySelector(".file-list");
  const wanted = held ? addresses.join(" ") : "";
  if (list.dataset.shows === wanted) return; // each live event comes here: what is pressed or has the focus stays
  list.dataset.shows = wanted;
  list.replaceChildren(...(held ? addresses : []).map((address) => shown(field, address)));
}

function shown(field, address) {
  const item = document.createElement("li");
  const remove = document.createElement("button");
  remove.type = "button";
  remove.title = "Remove";
  remove.setAttribute("aria-label", `Remove ${address.split("/").pop()}`);
  remove.addEventListener("click", () => {
    textOf(field).value = textOf(field).value.split(/\s+/).filter((other) => other !== address).join("\n");
    show(field);
    field.querySelector("input[type=file]").focus();
  });
  const picture = document.createElement("img");
  picture.src = address.replace(/\.\w+$/, ".preview.webp");
  picture.alt = "";
  picture.addEventListener("error", () => picture.replaceWith(address.split(".").pop()));
  remove.append(picture);
  item.append(remove);
  return item;
}

const textOf = (field) => field.querySelector(".file-text");
const isSeveral = (field) => textOf(field).matches("textarea");

function put(field, address) {
  const text = textOf(field);
  text.value = isSeveral(field) ? [text.value.trim(), address].filter(Boolean).join("\n") : address;
  field.closest("details")?.setAttribute("open", "");
  show(field);
  field.dispatchEvent(new Event("composer:given", { bubbles: true })); // js/composer_bar.js shows it
}

/** Return the field for a file that was given to none: an empty one that takes its kind, else the first that does. */
function fieldFor(type) {
  const kind = type.split("/")[0];
  const fields = [...composer().querySelectorAll("[data-takes]")].filter(({ dataset }) => dataset.takes.startsWith(`${kind}/`));
  return fields.find((field) => !textOf(field).value || isSeveral(field)) ?? fields[0];
}

async function take(files, field) {
  for (const file of files) {
    const to = field ?? fieldFor(file.type);
    if (!to) return say(`${modelTitle()} does not accept this file.`);
    await busy(to, async () => put(to, await uploaded(file)));
  }
}

async function busy(field, work) {
  underWay += 1;
  field.toggleAttribute("data-busy", true);
  try {
    await work();
  } catch (error) {
    say(error.message);
  } finally {
    underWay -= 1;
    field.toggleAttribute("data-busy", false);
  }
}

async function uploaded(file) {
  const largest = Number(composer().dataset.largest);
  if (file.size > largest) throw new Error(`A file can be up to ${Math.floor(largest / 2 ** 20)} MiB.`);
  const answer = await sent("/uploads", file).catch(() => undefined);
  if (!answer) throw new Error("Cannot reach the server. Try again.");
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(told.detail ?? "The upload failed.");
  return told.url;
}

function sent(address, file) {
  const body = new FormData();
  body.append("file", file, file.name || "pasted");
  return fetch(address, { method: "POST", body, headers: { Accept: "application/json" } }).then(checkSession);
}

/** Return whether the file contains its settings. If so, the composer is loaded again, filled in with them. */
async function restored(file) {
  if (!IMPRINTED.includes(file.type)) return false;
  const answer = await sent("/imprint", file).catch(() => undefined);
  const { use } = answer?.ok ? await answer.json().catch(() => ({})) : {};
  if (!use?.startsWith("/?")) return false;
  location.assign(use);
  return true;
}

function modelTitle() {
  return document.getElementById("model").selectedOptions[0]?.label ?? "This model";
}

/** Return the address and the type of the result on a dragged card, or undefined when it has none. */
async function resultOf(job) {
  const answer = await fetch(`/status/${job}`, { headers: { Accept: "application/json" } }).then(checkSession).catch(() => undefined);
  const { result_url: address, outputs } = answer?.ok ? await answer.json() : {};
  if (!address) say("This print has no result yet.");
  return address ? { address, type: outputs.find(({ url }) => url === address).media_type } : undefined;
}

async function takeAddress(text, field) {
  const url = new URL(text, location.href);
  const own = url.origin === location.origin;
  const job = own && CARD.exec(url.pathname)?.[1];
  const found = job ? await resultOf(job) : { address: own ? url.pathname : url.href, type: "image/*" };
  const to = found && (field ?? fieldFor(found.type));
  if (to) put(to, found.address);
  else if (found) say(`${modelTitle()} does not accept this file.`);
}

document.addEventListener("change", ({ target }) => {
  const field = target.closest?.(".composer [data-takes]");
  if (!field) return;
  if (target.type !== "file") return show(field);
  const files = [...target.files];
  target.value = "";
  take(files, field);
});

document.addEventListener("paste", (event) => {
  const files = [...(event.clipboardData?.files ?? [])];
  const elsewhere = event.target.closest?.("input, textarea") && !event.target.closest(".composer");
  if (!files.length || !composer() || elsewhere) return;
  event.preventDefault();
  take(files, event.target.closest("[data-takes]"));
});

for (const name of ["dragenter", "dragover"]) {
  document.addEventListener(name, (event) => {
    const { types } = event.dataTransfer;
    if (!event.target.closest?.(".composer") || !(types.includes("Files") || types.includes("text/uri-list"))) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    composer().toggleAttribute("data-dropping", true);
  });
}
document.addEventListener("dragleave", (event) => {
  if (!composer()?.contains(event.relatedTarget)) composer()?.toggleAttribute("data-dropping", false);
});
document.addEventListener("dragend", () => composer()?.toggleAttribute("data-dropping", false));

document.addEventListener("drop", async (event) => {
  if (!event.target.closest?.(".composer")) return;
  const field = event.target.closest("[data-takes]");
  const files = [...event.dataTransfer.files];
  const address = event.dataTransfer.getData("text/uri-list").split(/\r?\n/).find((line) => line && !line.startsWith("#"));
  composer().toggleAttribute("data-dropping", false);
  if (!files.length && !address) return;
  event.preventDefault();
  if (address && !(files.length && !address.startsWith(location.origin))) return takeAddress(address, field);
  if (field || files.length > 1 || !(await restored(files[0]))) take(files, field ?? undefined);
});

// A prompt that is sent during an upload would lack the file.
document.addEventListener(
  "submit",
  (event) => {
    if (event.target.id !== "composer" || !underWay) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    say("A file is still uploading. Try again in a moment.");
  },
  true,
);

document.addEventListener("htmx:after:swap", ready);
ready();
