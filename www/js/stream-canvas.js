// @ts-check
// Draws the task stream: a row a slot, bars in the colour of their job. Lengths are the canvas's
// own pixels, so that every edge is sharp.

import { colour, jobColour } from "./palette.js";
import { edges, endOf } from "./stream-layout.js";

/** @typedef {import("./protocol.js").Bar} Bar */
/** @typedef {import("./stream-layout.js").Layout} Layout */
/** @typedef {import("./stream-layout.js").Group} Group */

/** Room for the names, of a wide chart and of a phone's; in pixels of the style sheet. */
const NAMES_PX = 150;
const NAMES_NARROW_PX = 92;
const NARROW_PX_MAX = 500;
const NAME_FONT_PX = 12;
/** Names that are nearer than this to each other could not be read. */
const NAMES_PX_MIN = 13;
/** Strips between the lines that mark the time. */
export const STRIPS = 3;
/** The stripes of what was lost. */
const STRIPE_PX = 6;
/** A bar that is shorter has no room for stripes or an outline. */
const DETAIL_PX_MIN = 4;
/** The stripes of what is forgotten: further apart, and thin. */
const FORGOTTEN_STRIPE_PX = 8;
/** How much is seen of a colour where work was given back, and of the name of who has left. */
const FAINT = 0.35;

/** What is left of a canvas's width for the names. @param {number} width */
export function namesWidth(width) {
  return width < NARROW_PX_MAX ? NAMES_NARROW_PX : NAMES_PX;
}

/** @param {HTMLCanvasElement} canvas @param {Layout} layout @param {number} width Pixels of the
 * style sheet. @param {(group: Group) => string} nameOf */
export function drawStream(canvas, layout, width, nameOf) {
  if (width <= 0) {
    // While a window is being made smaller there may be no room at all.
    return;
  }
  const ratio = globalThis.devicePixelRatio || 1;
  resize(canvas, Math.round(width * ratio), Math.round(layout.height * ratio));
  canvas.style.height = `${layout.height}px`;
  const context = canvas.getContext("2d");
  if (!context) {
    throw new Error("no canvas");
  }
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  drawNames(context, layout, ratio, nameOf, namesWidth(width));
  const left = Math.round(namesWidth(width) * ratio);
  context.translate(left, 0);
  drawGround(context, layout, canvas.width - left, ratio);
  drawBars(context, layout, canvas.width - left, ratio);
}

/** Setting the same size again would cost a new picture. @param {HTMLCanvasElement} canvas
 * @param {number} width @param {number} height */
function resize(canvas, width, height) {
  if (canvas.width !== width) {
    canvas.width = width;
  }
  if (canvas.height !== height) {
    canvas.height = height;
  }
}

/** @param {CanvasRenderingContext2D} context @param {Layout} layout @param {number} ratio
 * @param {(group: Group) => string} nameOf @param {number} width */
function drawNames(context, { groups, rowHeight }, ratio, nameOf, width) {
  context.font = `${NAME_FONT_PX * ratio}px ${colour("--sans")}`;
  context.textBaseline = "middle";
  let free = 0;
  for (const group of groups) {
    // In the middle of the first row, or of several where rows are low.
    const box = Math.max(rowHeight, Math.min(NAMES_PX_MIN, rowHeight * group.slots));
    const middle = Math.max(NAMES_PX_MIN, 2 * group.top + box) / 2;
    if (middle - NAMES_PX_MIN / 2 >= free - 1) {
      context.fillStyle = colour(group.isHere ? "--ink" : "--quiet");
      const text = cut(context, nameOf(group), (width - 10) * ratio);
      context.fillText(text, 0, middle * ratio);
      free = middle + NAMES_PX_MIN / 2;
    }
  }
}

/** As much of a text as there is room for. @param {CanvasRenderingContext2D} context
 * @param {string} text @param {number} width */
function cut(context, text, width) {
  if (context.measureText(text).width <= width) {
    return text;
  }
  let end = text.length - 1;
  while (end > 1 && context.measureText(`${text.slice(0, end)}…`).width > width) {
    end -= 1;
  }
  return `${text.slice(0, end).trimEnd()}…`;
}

/** Where a slot is known to have had nothing to do, unless a bar is drawn over it; where what it did
 * is forgotten; and lines that mark the time.
 * @param {CanvasRenderingContext2D} context @param {Layout} layout @param {number} width
 * @param {number} ratio */
function drawGround(context, layout, width, ratio) {
  const forgotten = context.createPattern(forgottenTile(ratio), "repeat") ?? colour("--line");
  for (const group of layout.groups) {
    const { knownMs } = layout;
    fillRows(context, group, [group.maybeMs, knownMs], forgotten, layout, width, ratio);
    fillRows(context, group, [group.fromMs, group.toMs], colour("--idle"), layout, width, ratio);
  }
  context.fillStyle = colour("--line");
  for (let line = 1; line < STRIPS; line += 1) {
    const left = Math.round((width * line) / STRIPS);
    context.fillRect(left, 0, Math.round(ratio), layout.height * ratio);
  }
}

/** Fills a time of all of a worker's rows.
 * @param {CanvasRenderingContext2D} context @param {Group} group
 * @param {[fromMs: number, toMs: number]} time @param {CanvasPattern | string} style
 * @param {Layout} layout @param {number} width @param {number} ratio */
function fillRows(context, group, [fromMs, toMs], style, layout, width, ratio) {
  if (toMs <= fromMs) {
    return;
  }
  const [left, right] = edges(fromMs, toMs, layout, width);
  context.fillStyle = style;
  for (let slot = 0; slot < group.slots; slot += 1) {
    const [top, height] = rowBox(group.top + slot * layout.rowHeight, layout.rowHeight, ratio);
    context.fillRect(left, top, right - left, height);
  }
}

/** With a pixel free below. @param {number} top @param {number} height @param {number} ratio */
function rowBox(top, height, ratio) {
  const from = Math.round(top * ratio);
  return [from, Math.max(1, Math.round((top + height) * ratio) - from - Math.round(ratio))];
}

/** @param {CanvasRenderingContext2D} context @param {Layout} layout @param {number} width
 * @param {number} ratio */
function drawBars(context, layout, width, ratio) {
  const tops = new Map(layout.groups.map((group) => [group.worker, group.top]));
  const stripes = context.createPattern(stripedTile(ratio), "repeat") ?? colour("--lost");
  for (const bar of layout.bars) {
    const top = tops.get(bar.worker);
    if (top !== undefined) {
      const [left, right] = edges(bar.from_ms, endOf(bar, layout.nowMs), layout, width);
      const [y, height] = rowBox(top + bar.slot * layout.rowHeight, layout.rowHeight, ratio);
      drawBar(context, bar, [left, y, right - left, height], stripes, ratio);
    }
  }
}

/** @param {CanvasRenderingContext2D} context @param {Bar} bar
 * @param {[x: number, y: number, width: number, height: number]} box
 * @param {CanvasPattern | string} stripes @param {number} ratio */
function drawBar(context, bar, box, stripes, ratio) {
  const how = bar.end?.how ?? "answered";
  const [x, y, width, height] = box;
  const hasRoom = Math.min(width, height) >= DETAIL_PX_MIN * ratio;
  if (how === "lost") {
    context.fillStyle = hasRoom ? stripes : colour("--lost");
    context.fillRect(...box);
    return;
  }
  context.fillStyle = jobColour(bar.job);
  context.globalAlpha = how === "returned" ? FAINT : 1;
  context.fillRect(...box);
  context.globalAlpha = 1;
  if (how === "returned" && hasRoom) {
    const line = Math.round(1.5 * ratio);
    context.strokeStyle = jobColour(bar.job);
    context.lineWidth = line;
    context.strokeRect(x + line / 2, y + line / 2, width - line, height - line);
  }
}

/** A tile of what was lost, in stripes, so that it is not told by its colour alone.
 * @param {number} ratio */
function stripedTile(ratio) {
  const size = Math.round(STRIPE_PX * ratio);
  return tile(size, (context) => {
    context.fillStyle = colour("--lost");
    context.fillRect(0, 0, size, size);
    strokeDiagonal(context, size, colour("--sheet"), size / 4);
  });
}

/** A tile of what is forgotten: nearly empty, and yet not the emptiness of who was not there.
 * @param {number} ratio */
function forgottenTile(ratio) {
  const size = Math.round(FORGOTTEN_STRIPE_PX * ratio);
  return tile(size, (context) => strokeDiagonal(context, size, colour("--quiet"), ratio));
}

/** @param {number} size @param {(context: CanvasRenderingContext2D) => void} draw */
function tile(size, draw) {
  // Not an `OffscreenCanvas`, which is younger than many browsers.
  const tile = Object.assign(document.createElement("canvas"), { width: size, height: size });
  const context = tile.getContext("2d");
  if (context) {
    draw(context);
  }
  return tile;
}

/** @param {CanvasRenderingContext2D} context @param {number} size @param {string} style
 * @param {number} width */
function strokeDiagonal(context, size, style, width) {
  context.strokeStyle = style;
  context.lineWidth = width;
  // Three lines, so that the stripe goes on over the corners of the next tile.
  for (const shift of [-size, 0, size]) {
    context.moveTo(shift - 1, size + 1);
    context.lineTo(shift + size + 1, -1);
  }
  context.stroke();
}
