/** Load a style sheet from static/css that only some visits need. Rejects when it cannot be fetched. */
export function styled(name) {
  const href = new URL(`../css/${name}.css`, import.meta.url).href;
  return new Promise((onload, onerror) => {
    document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href, onload, onerror }));
  });
}
