/** Says which of how many prints this is: the server says it of one, and the order of the sheet of those near it. */

/** Return the control that shows it. */
export function position(sheet) {
  let known = null; // { job, at, found }
  return (pswp) => ({
    name: "position",
    order: 1,
    onInit: (element) => {
      const tell = () => {
        const words = known && document.getElementById("sheet") ? said(known, pswp.currSlide.data.job, sheet) : "";
        if (element.textContent !== words) element.textContent = words;
      };
      pswp.on("change", tell);
      pswp.on("panelChange", ({ position: at, found }) => {
        known = at ? { job: pswp.currSlide.data.job, at: Number(at), found } : null;
        tell();
      });
    },
  });
}

function said({ job, at, found }, shown, sheet) {
  const order = job === shown ? [] : [...sheet.cards()].map(({ id }) => id);
  const place = at + order.indexOf(`job-${shown}`) - order.indexOf(`job-${job}`);
  return `${place.toLocaleString("en")} of ${found}`;
}
