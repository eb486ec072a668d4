/** Shows the help: a dialog with every key of the table, and the switch for notifications. */

import { styled } from "../styled.js";

let dialog = null;

const styles = styled("help");

/** notificationSwitch: what notify.js exports. */
export async function open(table, notificationSwitch) {
  await styles;
  dialog ??= made(table, notificationSwitch);
  if (!dialog.open) dialog.showModal();
}

function made(table, notificationSwitch) {
  const groups = [...new Set(table.map(({ group }) => group))];
  const close = element("button", { type: "button", className: "button", textContent: "Close", id: "help-close", autofocus: true });
  const help = element("dialog", { className: "help", id: "help" }, [
    element("h2", { className: "help-title", id: "help-title", textContent: "Keyboard shortcuts" }),
    element("div", { className: "help-groups" }, groups.map((name) => section(name, table))),
    notificationSwitch(),
    close,
  ]);
  help.setAttribute("aria-labelledby", "help-title");
  close.addEventListener("click", () => help.close());
  help.addEventListener("click", ({ target }) => target === help && help.close()); // outside its content
  help.addEventListener("keydown", (event) => {
    if (event.key === "?") help.close();
  });
  document.body.append(help);
  return help;
}

function section(name, table) {
  const rows = table.filter(({ group, shown }) => group === name && shown);
  const list = rows.map(({ shown, words }) =>
    element("div", {}, [
      element("dt", {}, shown.map((key) => element("kbd", { textContent: key }))),
      element("dd", { textContent: words }),
    ]),
  );
  return element("section", {}, [element("h3", { textContent: name }), element("dl", {}, list)]);
}

function element(tag, properties, children = []) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}
