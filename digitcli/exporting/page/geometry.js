"use strict";
// From a picture of one digit to the 28x28 that the network reads, in the way of `digitcli predict`
// (digitcli/images): paper is told from ink, the digit is cut out, its strokes are evened, and it is scaled and
// centred as MNIST's own were. What `predict` does beyond that stays there: ruled lines, frames and dotted paper,
// ink told by Fisher's axis, weak light amplified, small digits of large pictures looked at closer, second tries.
// Pictures are {width, height, data}, one number a pixel.

const SIDE = 28;
const BOX = 20;
const WORKING_SIDE = 256; // larger pictures are reduced below this
const FAINTEST_INK = 16; // of 255; less is the paper's own texture
const SAMPLE = 10000; // pixels that tell how noisy the paper is
const MOST_PARTS = 400; // that are put together; more are a texture
const TWO_TONED = 96; // difference of brightness between ink and paper that are both there
const THINNEST = 1.7; // strokes, in pixels of 20x20
const THICKEST = 4;

const plane = (width, height, data = new Float32Array(width * height)) => ({ width, height, data });
const mapped = (picture, change) => plane(picture.width, picture.height, picture.data.map(change));

function quantile(values, share) {
  if (!values.length) return 0;
  const ordered = Float32Array.from(values).sort();
  const at = share * (ordered.length - 1);
  const low = Math.floor(at);
  return ordered[low] + (at - low) * (ordered[Math.min(low + 1, ordered.length - 1)] - ordered[low]);
}

function borderOf({ width, height, data }) {
  const border = [];
  for (let x = 0; x < width; x++) border.push(data[x], data[(height - 1) * width + x]);
  for (let y = 1; y < height - 1; y++) border.push(data[y * width], data[y * width + width - 1]);
  return border;
}

// The median colour along the border of an ImageData.
function borderColour({ width, height, data }) {
  return [0, 1, 2].map((channel) => Math.round(quantile(borderOf(plane(width, height, data.filter((_, n) => n % 4 === channel))), 0.5)));
}

// A copy of an ImageData without transparent pixels: where ink and paper are both opaque, what is transparent
// continues the paper; else it is what the strokes stand out from.
function overLikelierBackground(image) {
  const [brightness, colours] = [[], [[], [], []]];
  for (let at = 0; at < image.data.length; at += 4) {
    if (image.data[at + 3] < 128) continue;
    brightness.push(0.299 * image.data[at] + 0.587 * image.data[at + 1] + 0.114 * image.data[at + 2]);
    colours.forEach((values, channel) => values.push(image.data[at + channel]));
  }
  const twoToned = quantile(brightness, 0.98) - quantile(brightness, 0.02) > TWO_TONED;
  const plain = quantile(brightness, 0.5) < 128 ? 255 : 0;
  const ground = colours.map((values) => (twoToned ? quantile(values, 0.5) : plain));
  const data = image.data.map((value, n) => {
    const opaque = image.data[n - (n % 4) + 3] / 255;
    return n % 4 === 3 ? 255 : value * opaque + ground[n % 4] * (1 - opaque);
  });
  return new ImageData(data, image.width, image.height);
}

// Red, green and blue of an opaque ImageData, averaged over squares so that no side is above WORKING_SIDE.
function channelsOf({ width, height, data }) {
  const step = Math.ceil(Math.max(width, height) / WORKING_SIDE);
  const [across, down] = [Math.ceil(width / step), Math.ceil(height / step)];
  return [0, 1, 2].map((channel) => {
    const reduced = plane(across, down);
    for (let y = 0, to = 0; y < down; y++)
      for (let x = 0; x < across; x++) {
        const [right, bottom] = [Math.min((x + 1) * step, width), Math.min((y + 1) * step, height)];
        let sum = 0;
        for (let row = y * step; row < bottom; row++)
          for (let column = x * step; column < right; column++) sum += data[(row * width + column) * 4 + channel];
        reduced.data[to++] = Math.round(sum / ((right - x * step) * (bottom - y * step)));
      }
    return reduced;
  });
}

// How far each pixel stands out from its paper, positive on ink: along the colour in which ink differs from paper.
// papers: the planes of red, green and blue that paper would give.
function contrastOf(channels, papers) {
  const { width, height } = channels[0];
  const [red, green, blue] = channels.map(({ data }, channel) => data.map((value, n) => value - papers[channel].data[n]));
  const extent = red.map((value, n) => Math.max(Math.abs(value), Math.abs(green[n]), Math.abs(blue[n])));
  const along = ([r, g, b], n) => r * red[n] + g * green[n] + b * blue[n];
  // The mean colour of what stands out most, of the pixels on the side of `direction`.
  const strongest = (direction) => {
    const counts = (n) => !direction || along(direction, n) > 0;
    let greatest = 0;
    for (let n = 0; n < extent.length; n++) if (extent[n] > greatest && counts(n)) greatest = extent[n];
    const sum = [0, 0, 0];
    let count = 0;
    for (let n = 0; n < extent.length; n++)
      if (extent[n] >= 0.6 * greatest && counts(n)) {
        sum[0] += red[n];
        sum[1] += green[n];
        sum[2] += blue[n];
        count++;
      }
    return sum.map((value) => value / Math.max(count, 1));
  };
  const ink = strongest(strongest(null));
  const length = ink.reduce((sum, value) => sum + value * value, 0);
  if (!length) return plane(width, height);
  const axis = ink.map((value) => (value * Math.max(...ink.map(Math.abs))) / length);
  return plane(width, height, extent.map((_, n) => along(axis, n)));
}

// The greatest (or least) of the square around each pixel, which lies in its middle, or right below that.
function extreme({ width, height, data }, side, choose) {
  const before = Math.floor(side / 2);
  const after = side - 1 - before;
  const pass = (source, step, length, place) => source.map((value, n) => {
    const at = place(n);
    for (let k = -Math.min(before, at); k <= Math.min(after, length - 1 - at); k++) value = choose(value, source[n + k * step]);
    return value;
  });
  const rows = pass(data, 1, width, (n) => n % width);
  return plane(width, height, pass(rows, width, height, (n) => Math.floor(n / width)));
}

// Paper in uneven light: strokes are filled by a closing (dark ink) or an opening (light ink).
function unevenPapers(channels, contrast) {
  const grey = channels[0].data.map((_, n) => channels[0].data[n] + channels[1].data[n] + channels[2].data[n]);
  let balance = 0;
  const middle = quantile(grey, 0.5);
  contrast.data.forEach((value, n) => (balance += value > 0 ? (grey[n] - middle) * value : 0));
  const [fill, shrink] = balance <= 0 ? [Math.max, Math.min] : [Math.min, Math.max];
  const side = Math.round(0.2 * Math.max(contrast.width, contrast.height)) | 1;
  return channels.map((channel) => extreme(extreme(channel, side, fill), side + 2, shrink));
}

// Connected parts of a mask, diagonals included: the label of each pixel (0 for none) and boxes and areas from 1 on.
function partsOf({ width, height, data: mask }) {
  const labels = new Int32Array(mask.length);
  const parts = [null];
  for (let start = 0; start < mask.length; start++) {
    if (!mask[start] || labels[start]) continue;
    const label = parts.length;
    const part = { left: width, top: height, right: 0, bottom: 0, area: 0, border: 0 };
    const waiting = [start];
    labels[start] = label;
    while (waiting.length) {
      const at = waiting.pop();
      const [x, y] = [at % width, Math.floor(at / width)];
      part.left = Math.min(part.left, x);
      part.right = Math.max(part.right, x + 1);
      part.top = Math.min(part.top, y);
      part.bottom = Math.max(part.bottom, y + 1);
      part.area++;
      if (!x || !y || x === width - 1 || y === height - 1) part.border++;
      for (let row = Math.max(0, y - 1); row <= Math.min(height - 1, y + 1); row++)
        for (let column = Math.max(0, x - 1); column <= Math.min(width - 1, x + 1); column++) {
          const next = row * width + column;
          if (mask[next] && !labels[next]) {
            labels[next] = label;
            waiting.push(next);
          }
        }
    }
    part.side = Math.max(part.right - part.left, part.bottom - part.top);
    parts.push(part);
  }
  return { labels, parts };
}

// Ink by a threshold with hysteresis: {strength: 0 paper to 1 ink, labels, parts}, or null if there is none.
function findInk(contrast) {
  const strong = contrast.data.filter((value) => value >= FAINTEST_INK).sort();
  const rank = Math.min(Math.max(2, Math.floor(contrast.data.length / 10000)), contrast.data.length - 1);
  if (strong.length <= rank) return null;
  const strongest = strong[strong.length - 1 - rank];
  const step = Math.ceil(contrast.data.length / SAMPLE);
  const rest = contrast.data.filter((value, n) => n % step === 0 && value < 0.5 * strongest);
  const noise = 1.4826 * quantile(rest.map(Math.abs), 0.5);
  if (strongest < 5 * noise) return null;
  const strength = quantile(strong.filter((value) => value > 0.5 * strongest), 0.5);
  const low = Math.max(0.25 * strength, 3 * noise);
  const high = Math.max(0.5 * strength, 4.5 * noise);
  const { labels, parts } = partsOf(mapped(contrast, (value) => (value > low ? 1 : 0)));
  const sure = new Set();
  contrast.data.forEach((value, n) => value > high && sure.add(labels[n]));
  labels.forEach((label, n) => sure.has(label) || (labels[n] = 0));
  const floor = 2 * noise;
  const soft = mapped(contrast, (value) => Math.min(1, Math.max(0, (value - floor) / Math.max(strength - floor, 1))));
  return { strength: soft, labels, parts: parts.map((part, label) => (sure.has(label) ? part : null)) };
}

// The labels of the parts that make up the one digit: the largest group of parts that lie close together.
function largestGroup({ strength, labels, parts }) {
  const { width, height } = strength;
  const known = parts.map((part, label) => ({ ...part, label })).filter((part) => part.area);
  const touching = (part) => !part.left || !part.top || part.right === width || part.bottom === height;
  const inner = Math.max(0, ...known.filter((part) => !touching(part)).map((part) => part.side));
  const off = (part) => part.border >= 0.5 * part.side || (touching(part) && inner >= 0.4 * part.side);
  let chosen = inner > 0.06 * Math.max(width, height) ? known.filter((part) => !off(part)) : known;
  const largest = chosen.reduce((a, b) => (b.area > a.area ? b : a), { area: 0 });
  const darkest = new Float32Array(parts.length);
  labels.forEach((label, n) => (darkest[label] = Math.max(darkest[label], strength.data[n])));
  chosen = chosen.filter(
    (part) => part.area >= 0.015 * largest.area && darkest[part.label] >= 0.6 * darkest[largest.label]);
  if (chosen.length > MOST_PARTS) chosen = chosen.sort((a, b) => b.area - a.area).slice(0, MOST_PARTS);
  const near = (a, b) => {
    const across = Math.max(0, Math.max(a.left, b.left) - Math.min(a.right, b.right));
    const down = Math.max(0, Math.max(a.top, b.top) - Math.min(a.bottom, b.bottom));
    return Math.hypot(across, down) <= Math.max(0.25 * Math.max(a.side, b.side), 1.5);
  };
  const groups = [];
  for (const part of chosen) {
    const joined = groups.filter((group) => group.some((other) => near(part, other)));
    const rest = groups.filter((group) => !joined.includes(group));
    groups.splice(0, groups.length, ...rest, [part, ...joined.flat()]);
  }
  const area = (group) => group.reduce((sum, part) => sum + part.area, 0);
  return groups.reduce((a, b) => (area(b) > area(a) ? b : a), []);
}

// The digit of these parts, cut out with its soft edges; and where it was.
function cutOut({ strength, labels, parts }, group) {
  const { width, height } = strength;
  const box = {
    left: Math.min(...group.map((part) => part.left)),
    top: Math.min(...group.map((part) => part.top)),
    right: Math.max(...group.map((part) => part.right)),
    bottom: Math.max(...group.map((part) => part.bottom)),
  };
  const own = new Set(group.map((part) => part.label));
  const digit = plane(box.right - box.left, box.bottom - box.top);
  for (let y = box.top; y < box.bottom; y++)
    for (let x = box.left; x < box.right; x++) {
      const label = labels[y * width + x];
      let belongs = own.has(label);
      for (let row = Math.max(0, y - 1); !label && !belongs && row <= Math.min(height - 1, y + 1); row++)
        for (let column = Math.max(0, x - 1); column <= Math.min(width - 1, x + 1); column++)
          belongs = belongs || own.has(labels[row * width + column]);
      if (belongs) digit.data[(y - box.top) * digit.width + x - box.left] = strength.data[y * width + x];
    }
  return { digit, box };
}

// Resampled by a filter of that support in pixels of the coarser side, as Pillow does.
function resize(picture, width, height, filter, support) {
  const shrink = (length, size, at, put) => {
    const scale = size / length;
    const reach = support * Math.max(scale, 1);
    for (let to = 0; to < length; to++) {
      const centre = (to + 0.5) * scale;
      const first = Math.max(0, Math.floor(centre - reach + 0.5));
      const last = Math.min(size, Math.floor(centre + reach + 0.5));
      const weights = [];
      for (let from = first; from < last; from++) weights.push(filter((from - centre + 0.5) / Math.max(scale, 1)));
      const sum = weights.reduce((a, b) => a + b, 0);
      put(to, (other) => weights.reduce((value, weight, k) => value + weight * at(first + k, other), 0) / sum);
    }
  };
  const rows = plane(width, picture.height);
  shrink(width, picture.width, (x, y) => picture.data[y * picture.width + x], (x, value) => {
    for (let y = 0; y < picture.height; y++) rows.data[y * width + x] = value(y);
  });
  const result = plane(width, height);
  shrink(height, picture.height, (y, x) => rows.data[y * width + x], (y, value) => {
    for (let x = 0; x < width; x++) result.data[y * width + x] = value(x);
  });
  return result;
}

const hamming = (x) => {
  const distance = Math.abs(x);
  if (distance >= 1) return 0;
  return distance === 0 ? 1 : (Math.sin(Math.PI * distance) / (Math.PI * distance)) * (0.54 + 0.46 * Math.cos(Math.PI * distance));
};
const triangle = (x) => Math.max(0, 1 - Math.abs(x));

// As Python rounds.
const halfToEven = (value) => (Math.abs(value % 1) === 0.5 ? 2 * Math.round(value / 2) : Math.round(value));

function fitted(picture, side, filter = hamming) {
  const scale = side / Math.max(picture.width, picture.height);
  const length = (size) => Math.max(1, halfToEven(size * scale));
  return resize(picture, length(picture.width), length(picture.height), filter, 1);
}

// Mean width of the strokes, in pixels: twice the area by the outline.
function strokeWidth({ width, height, data }) {
  const inside = (x, y) => x >= 0 && y >= 0 && x < width && y < height && data[y * width + x] > 0.5;
  let area = 0;
  let edges = 0;
  for (let y = 0; y <= height; y++)
    for (let x = 0; x <= width; x++) {
      area += inside(x, y);
      edges += inside(x, y) !== inside(x - 1, y);
      edges += inside(x, y) !== inside(x, y - 1);
    }
  return (2 * area) / Math.max((edges * Math.PI) / 4, 1);
}

function framed(picture, margin) {
  const result = plane(picture.width + 2 * margin, picture.height + 2 * margin);
  for (let y = 0; y < picture.height; y++)
    result.data.set(picture.data.subarray(y * picture.width, (y + 1) * picture.width), (y + margin) * result.width + margin);
  return result;
}

// Each pixel the mean of the 3x3 around it, the outermost ones repeated beyond the edge.
function blurred({ width, height, data }) {
  const inside = (at, length) => Math.min(Math.max(at, 0), length - 1);
  return plane(width, height, data.map((_, n) => {
    let sum = 0;
    for (let row = -1; row <= 1; row++)
      for (let column = -1; column <= 1; column++)
        sum += data[inside(Math.floor(n / width) + row, height) * width + inside((n % width) + column, width)];
    return sum / 9;
  }));
}

// Hairs thickened and markers thinned towards what MNIST's pens drew.
function evenStrokes(digit) {
  const side = Math.max(digit.width, digit.height);
  const width = (strokeWidth(digit) * BOX) / side;
  if ((width >= THINNEST && width <= THICKEST) || Math.min(digit.width, digit.height) < 2) return digit;
  const fine = 4 * BOX;
  const solid = (picture, length) => mapped(fitted(picture, length, triangle), (value) => (value > 100 / 255 ? 1 : 0));
  if (width > THICKEST) {
    const steps = Math.min(4, Math.round((width - THICKEST + 0.3) * 2));
    let thinned = framed(solid(digit, fine), 1);
    for (let step = 0; step < steps; step++) thinned = extreme(thinned, 3, Math.min);
    return thinned.data.some((value) => value > 0) ? thinned : digit;
  }
  const shrink = side / fine;
  const bold = shrink > 1 ? extreme(digit, halfToEven(shrink), Math.max) : digit;
  const steps = Math.max(0, Math.min(Math.round((THINNEST + 0.5 - width) * 2), 4) - (shrink > 1.5 ? 1 : 0));
  return blurred(extreme(framed(solid(bold, fine - 2 * steps), steps), 2 * steps + 1, Math.max));
}

function centreOfMass({ width, data }) {
  let [sum, x, y] = [0, 0, 0];
  data.forEach((value, n) => {
    sum += value;
    x += value * ((n % width) + 0.5);
    y += value * (Math.floor(n / width) + 0.5);
  });
  return [x / sum, y / sum];
}

// In 28x28 with the longer side 20 pixels and the centre of mass in the pixel right below the middle.
function inMnistForm(digit) {
  const small = fitted(digit, BOX);
  const strongest = small.data.reduce((a, b) => Math.max(a, b), 0);
  const pixels = mapped(small, (value) => halfToEven(Math.max(0, value) * (255 / strongest)));
  const [x, y] = centreOfMass(pixels);
  const place = (centre, length) => Math.min(Math.max(SIDE / 2 - Math.floor(centre), 0), SIDE - length);
  const [left, top] = [place(x, pixels.width), place(y, pixels.height)];
  const result = plane(SIDE, SIDE);
  for (let row = 0; row < pixels.height; row++)
    result.data.set(pixels.data.subarray(row * pixels.width, (row + 1) * pixels.width), (top + row) * SIDE + left);
  return result;
}

// Whether 28x28 of light ink on black is as MNIST's own pictures are, and so needs nothing done to it.
function isInMnistForm(picture) {
  if (picture.data.every((value) => value < 200)) return false;
  if (picture.data.filter((value) => value > 8).length > 0.6 * SIDE * SIDE) return false;
  const solid = mapped(picture, (value) => (value > 32 ? 1 : 0));
  const part = partsOf(solid).parts.slice(1).reduce((a, b) => ({
    left: Math.min(a.left, b.left), top: Math.min(a.top, b.top), right: Math.max(a.right, b.right), bottom: Math.max(a.bottom, b.bottom),
  }));
  const longest = Math.max(part.right - part.left, part.bottom - part.top);
  return (longest === BOX || longest === BOX - 1) && centreOfMass(picture).every((at) => Math.abs(Math.floor(at) - SIDE / 2) <= 1);
}

// image: an ImageData. Returns {pixels: 784 numbers 0-255, box in the image's pixels}, or null if there is no ink.
function readPicture(image) {
  const channels = channelsOf(image);
  if (image.width === SIDE && image.height === SIDE) {
    const grey = mapped(channels[0], (_, n) => Math.round(channels.reduce((sum, { data }) => sum + data[n], 0) / 3));
    const finished = [grey, mapped(grey, (value) => 255 - value)].find(isInMnistForm);
    if (finished) return { pixels: finished.data, box: { left: 0, top: 0, right: SIDE, bottom: SIDE } };
  }
  const even = channels.map((channel) => mapped(channel, ((level) => () => level)(quantile(borderOf(channel), 0.5))));
  let contrast = contrastOf(channels, even);
  const border = borderOf(contrast);
  const strongest = contrast.data.reduce((a, b) => Math.max(a, b), 1);
  if (quantile(border, 0.9) - quantile(border, 0.1) > 0.2 * strongest)
    contrast = contrastOf(channels, unevenPapers(channels, contrast));
  const ink = findInk(contrast);
  const group = ink ? largestGroup(ink) : [];
  if (!group.length) return null;
  const { digit, box } = cutOut(ink, group);
  const factor = image.width / contrast.width;
  const onImage = Object.fromEntries(Object.entries(box).map(([edge, at]) => [edge, at * factor]));
  return { pixels: inMnistForm(evenStrokes(digit)).data, box: onImage };
}
