/** Zooms to eight times the size of a picture, small ones too. Enlarged pixels stay sharp, and the level is shown. */

const MAX_ZOOM = 8;
const STEP = 2 ** 0.5;

/** The options of PhotoSwipe. A small picture is enlarged by a whole number, so that its pixels are of one size. */
export const LEVELS = {
  wheelToZoom: true,
  maxZoomLevel: MAX_ZOOM,
  secondaryZoomLevel: ({ fit, elementSize, panAreaSize }) => {
    if (fit < 1) return Math.min(1, fit * 3);
    const whole = Math.floor(Math.min(panAreaSize.x / elementSize.x, panAreaSize.y / elementSize.y));
    return Math.min(MAX_ZOOM, Math.max(2, whole));
  },
};

export function addZoom(pswp) {
  const step = ({ detail }) => pswp.currSlide?.zoomTo(pswp.currSlide.currZoomLevel * STEP ** detail, undefined, 160);
  document.addEventListener("lightbox:zoom", step);
  pswp.on("destroy", () => document.removeEventListener("lightbox:zoom", step));
  pswp.on("zoomPanUpdate", ({ slide }) => pswp.element.toggleAttribute("data-enlarged", slide.currZoomLevel > 1));
  pswp.on("change", () => pswp.element.toggleAttribute("data-enlarged", pswp.currSlide.currZoomLevel > 1));
}

/** Return the control that shows the level while it is not the first one. */
export function level(pswp) {
  return {
    name: "level",
    order: 9,
    onInit: (element) => {
      element.setAttribute("aria-hidden", "true");
      const tell = () => {
        const { currZoomLevel, zoomLevels, data } = pswp.currSlide;
        const words = data.type === "image" && currZoomLevel !== zoomLevels.initial ? `${Math.round(currZoomLevel * 100)} %` : "";
        if (element.textContent !== words) element.textContent = words;
      };
      pswp.on("zoomPanUpdate", tell);
      pswp.on("change", tell);
    },
  };
}
