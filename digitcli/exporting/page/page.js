"use strict";
// The page: paper to draw on, and what the network reads on it, at every stroke.

const network = new Network(JSON.parse(document.getElementById("graph").textContent));
const CERTAIN = 0.8; // below it an answer is marked, as by `digitcli predict`
const NO_DIGIT = 0.2; // if all digits together are less likely, there is none, as there
const LARGEST = 2000; // side of a picture in pixels; larger ones are reduced
const PEN = 40; // of 512
const KEPT = 24; // of what was read before

const element = (id) => document.getElementById(id);
const paper = element("paper");
const context = paper.getContext("2d", { willReadFrequently: true });
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Pictures of 784 numbers in 0-255 each, one after the other, to their probabilities, likewise.
function classify(pictures) {
  const all = [];
  for (let start = 0; start < pictures.length; start += SIDE * SIDE)
    all.push(...network.run(Float32Array.from(pictures.subarray(start, start + SIDE * SIDE)).map((value) => value / 255)));
  return Float32Array.from(all);
}

let strokes = []; // each a list of [x, y] on the paper
let picture = null; // that lies on it: {canvas, image, ground}
let reading = null; // {pixels, digit} of what is there now
let trouble = ""; // with the picture that was last put here
let demo = 0;

// Where the picture lies on the paper.
function placed() {
  const { width, height } = picture.canvas;
  const scale = Math.min(paper.width / width, paper.height / height);
  return { scale, left: (paper.width - width * scale) / 2, top: (paper.height - height * scale) / 2 };
}

function redraw() {
  context.fillStyle = colour("--paper");
  context.fillRect(0, 0, paper.width, paper.height);
  if (picture) {
    const { scale, left, top } = placed();
    context.fillStyle = picture.ground;
    context.fillRect(0, 0, paper.width, paper.height);
    context.imageSmoothingQuality = "high";
    context.drawImage(picture.canvas, left, top, picture.canvas.width * scale, picture.canvas.height * scale);
  }
  context.strokeStyle = context.fillStyle = colour("--pen");
  context.lineWidth = PEN;
  context.lineCap = context.lineJoin = "round";
  for (const stroke of strokes) {
    context.beginPath();
    context.moveTo(...stroke[0]);
    // Through the middles of the points, which smooths the corners that the mouse makes.
    for (let n = 1; n < stroke.length; n++) {
      const [[x0, y0], [x1, y1]] = [stroke[n - 1], stroke[n]];
      context.quadraticCurveTo(x0, y0, (x0 + x1) / 2, (y0 + y1) / 2);
    }
    context.lineTo(...stroke[stroke.length - 1]);
    context.stroke();
  }
}

// The paper at the size at which it is read, which the browser reduces faster than we could.
const reduced = Object.assign(document.createElement("canvas"), { width: WORKING_SIDE, height: WORKING_SIDE });
const reducedContext = reduced.getContext("2d", { willReadFrequently: true });
function paperReduced() {
  reducedContext.drawImage(paper, 0, 0, WORKING_SIDE, WORKING_SIDE);
  return reducedContext.getImageData(0, 0, WORKING_SIDE, WORKING_SIDE);
}

function read() {
  const blank = !strokes.length && !picture;
  // A picture is read from its own pixels, until something is drawn on it.
  const own = picture && !strokes.length;
  const found = blank ? null : readPicture(own ? picture.image : paperReduced());
  if (found) {
    const { scale, left, top } = own ? placed() : { scale: paper.width / WORKING_SIDE, left: 0, top: 0 };
    const { box } = found;
    found.box = {
      left: left + box.left * scale, top: top + box.top * scale,
      right: left + box.right * scale, bottom: top + box.bottom * scale,
    };
  }
  const probabilities = found ? classify(found.pixels) : null;
  reading = null;
  if (found) {
    const digits = Array.from(probabilities.subarray(0, 10));
    const best = digits.indexOf(Math.max(...digits));
    // What is missing from 1 is the eleventh probability, of a network that knows what is no digit.
    const none = digits.reduce((sum, share) => sum + share, 0) < NO_DIGIT;
    reading = { pixels: found.pixels, digit: none ? null : best, confidence: digits[best], digits };
  }
  show(found ? found.box : null, blank);
}

function show(box, blank) {
  const known = reading && reading.digit !== null;
  element("digit").textContent = known ? reading.digit : "\u2013";
  element("digit").classList.toggle("uncertain", !known || reading.confidence < CERTAIN);
  element("sure").textContent = !known
    ? trouble || (reading ? "This looks like no digit." : blank ? "The paper is empty." : "There is no ink to be seen.")
    : `${reading.confidence < CERTAIN ? "Uncertain: " : ""}${(100 * reading.confidence).toFixed(1)} % sure`;
  [...element("bars").children].forEach((bar, digit) => {
    const share = reading ? reading.digits[digit] : 0;
    bar.querySelector(".fill").style.transform = `scaleX(${share})`;
    bar.querySelector(".share").textContent = reading ? `${(100 * share).toFixed(1)} %` : "";
    bar.classList.toggle("best", Boolean(known) && digit === reading.digit);
  });
  paint(element("seen"), SIDE, SIDE, reading ? reading.pixels : new Float32Array(SIDE * SIDE), 255);
  const around = element("found");
  around.hidden = !box;
  if (box) {
    const edge = paper.clientWidth / paper.width;
    around.style.left = `${box.left * edge}px`;
    around.style.top = `${box.top * edge}px`;
    around.style.width = `${(box.right - box.left) * edge}px`;
    around.style.height = `${(box.bottom - box.top) * edge}px`;
  }
  if (document.querySelector("details").open) showLayers();
}

// Values as grey levels, the greatest white.
function paint(canvas, width, height, values, greatest) {
  canvas.width = width;
  canvas.height = height;
  const image = new ImageData(width, height);
  for (let n = 0; n < width * height; n++) {
    image.data.fill((255 * values[n]) / greatest, 4 * n, 4 * n + 3);
    image.data[4 * n + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function showLayers() {
  const layers = reading ? network.layers() : [];
  element("layers").replaceChildren(...layers.map(({ shape: [, channels, height, width], data }) => {
    const row = document.createElement("div");
    const greatest = data.reduce((a, b) => Math.max(a, b), 1e-6);
    for (let channel = 0; channel < channels; channel++) {
      const canvas = row.appendChild(document.createElement("canvas"));
      paint(canvas, width, height, data.subarray(channel * width * height), greatest);
    }
    return row;
  }));
  if (!layers.length) element("layers").textContent = reading ? "This network has no layers that are pictures." : "Draw something first.";
}

let waiting = false;
function changed() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    redraw();
    read();
  });
}

function clear() {
  if (reading && !demo) {
    const figure = document.createElement("figure");
    paint(figure.appendChild(document.createElement("canvas")), SIDE, SIDE, reading.pixels, 255);
    figure.append(reading.digit ?? "\u2013");
    element("history").prepend(figure);
    [...element("history").children].slice(KEPT).forEach((old) => old.remove());
  }
  stopDemo();
  strokes = [];
  picture = null;
  trouble = "";
  changed();
}

function place(event) {
  const frame = paper.getBoundingClientRect();
  const scale = paper.width / frame.width;
  return [(event.clientX - frame.left) * scale, (event.clientY - frame.top) * scale];
}

let stroke = null; // that the pen, mouse or first finger draws now
paper.addEventListener("pointerdown", (event) => {
  if (event.button || !event.isPrimary) return;
  if (demo || trouble) clear();
  paper.setPointerCapture(event.pointerId);
  stroke = [place(event), place(event)];
  strokes.push(stroke);
  changed();
});
paper.addEventListener("pointermove", (event) => {
  if (!event.isPrimary || !strokes.includes(stroke)) return;
  const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
  stroke.push(...(events.length ? events : [event]).map(place));
  changed();
});
for (const end of ["pointerup", "pointercancel"]) paper.addEventListener(end, (event) => event.isPrimary && (stroke = null));

element("clear").addEventListener("click", clear);
element("undo").addEventListener("click", () => {
  stopDemo();
  trouble = "";
  if (strokes.length) strokes.pop();
  else picture = null;
  changed();
});
addEventListener("keydown", (event) => {
  if (event.key === "Escape") clear();
  if (event.key === "z" && (event.ctrlKey || event.metaKey)) element("undo").click();
});
document.querySelector("details").addEventListener("toggle", showLayers);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
addEventListener("resize", changed);

async function put(file) {
  clear();
  let source;
  try {
    source = await createImageBitmap(file);
  } catch {
    trouble = "That is no picture that this browser can read.";
    changed();
    return;
  }
  const scale = Math.min(1, LARGEST / Math.max(source.width, source.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(source.width * scale));
  canvas.height = Math.max(1, Math.round(source.height * scale));
  const pixels = canvas.getContext("2d", { willReadFrequently: true });
  pixels.imageSmoothingQuality = "high";
  pixels.drawImage(source, 0, 0, canvas.width, canvas.height);
  const image = overLikelierBackground(pixels.getImageData(0, 0, canvas.width, canvas.height));
  pixels.putImageData(image, 0, 0);
  picture = { canvas, image, ground: `rgb(${borderColour(image).join(" ")})` };
  changed();
}

element("open").addEventListener("click", () => element("file").click());
element("file").addEventListener("change", ({ target }) => {
  if (target.files[0]) put(target.files[0]);
  target.value = ""; // so that the same one can be opened again
});
addEventListener("paste", ({ clipboardData }) => {
  const file = [...clipboardData.files].find(({ type }) => type.startsWith("image/"));
  if (file) put(file);
});
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
addEventListener("dragleave", () => document.body.classList.remove("dropping"));
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  if (event.dataTransfer.files[0]) put(event.dataTransfer.files[0]);
});

// Something to look at until the first stroke: a 3 that writes itself.
function startDemo() {
  const points = [];
  for (let n = 0; n <= 40; n++) {
    const upper = n <= 20;
    const turn = upper ? -2.6 + (n / 20) * 4.0 : -1.4 + ((n - 20) / 20) * 4.1;
    const [x, y, radius] = upper ? [245, 175, 82] : [245, 330, 92];
    points.push([x + radius * Math.cos(turn), y + radius * Math.sin(turn)]);
  }
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let drawn = still ? points.length : 1;
  demo = setInterval(() => {
    drawn = Math.min(drawn + 2, points.length);
    strokes = [points.slice(0, drawn)];
    changed();
    if (drawn === points.length) clearInterval(demo);
  }, 16);
}

function stopDemo() {
  clearInterval(demo);
  demo = 0;
}

for (let digit = 0; digit < 10; digit++) {
  const bar = element("bars").appendChild(document.createElement("li"));
  bar.innerHTML = `<span>${digit}</span><span class="track"><div class="fill"></div></span><span class="share"></span>`;
}
redraw();
startDemo();
