"use strict";
// Runs an ONNX graph made of the operators that digit classifiers are made of (onnx.ai/onnx/operators), for one
// picture at a time. A tensor is {shape, data}; pictures and kernels are laid out as ONNX has them:
// (1, channels, height, width) and (filters, channels, height, width).

const size = (shape) => shape.reduce((product, length) => product * length, 1);
const tensor = (shape, data = new Float32Array(size(shape))) => ({ shape, data });

const NONLINEAR = ["Relu", "LeakyRelu", "Elu", "Selu", "Sigmoid", "Tanh", "Softplus"];

class Network {
  // graph: {nodes: [{op, inputs, outputs, attributes}], constants: {name: {shape, type, data}}, input, shape,
  // output}, the data of constants in base64.
  constructor(graph) {
    this.graph = graph;
    this.constants = {};
    for (const [name, { shape, type, data }] of Object.entries(graph.constants)) {
      const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0)).buffer;
      const values = type === "int64" ? Array.from(new BigInt64Array(bytes), Number) : new Float32Array(bytes);
      this.constants[name] = { shape, data: values };
    }
    this.values = {};
  }

  // pixels: 784 numbers in 0-1. Returns the probabilities; what the nodes gave stays in `values`.
  run(pixels) {
    this.values = { ...this.constants, [this.graph.input]: tensor(this.graph.shape, Float32Array.from(pixels)) };
    for (const { op, inputs, outputs, attributes } of this.graph.nodes) {
      if (!(op in OPERATORS)) throw new Error(`this page cannot compute the operator ${op}`);
      const given = inputs.map((name) => this.values[name]);
      this.values[outputs[0]] = OPERATORS[op](given, attributes);
    }
    return this.values[this.graph.output].data;
  }

  // What is drawn of the inside: of each nonlinear layer over the picture, (1, channels, height, width).
  layers() {
    return this.graph.nodes
      .filter(({ op }) => NONLINEAR.includes(op))
      .map(({ outputs }) => this.values[outputs[0]])
      .filter(({ shape }) => shape.length === 4 && shape[2] > 1);
  }
}

const each = (change) => ([x], attributes) => tensor(x.shape, x.data.map((v) => change(v, attributes)));
const same = ([x]) => x;

// Of two tensors of which one may lack dimensions or have them of length 1, as NumPy broadcasts.
function broadcast(combine) {
  return ([first, ...others]) =>
    others.reduce((a, b) => {
      const rank = Math.max(a.shape.length, b.shape.length);
      const full = [a, b].map(({ shape }) => [...Array(rank - shape.length).fill(1), ...shape]);
      const shape = full[0].map((length, axis) => Math.max(length, full[1][axis]));
      const strides = full.map((lengths) => {
        let stride = 1;
        const found = Array(rank);
        for (let axis = rank - 1; axis >= 0; axis--) {
          found[axis] = lengths[axis] === 1 ? 0 : stride;
          stride *= lengths[axis];
        }
        return found;
      });
      const result = tensor(shape);
      const at = Array(rank).fill(0);
      for (let n = 0, i = 0, j = 0; n < result.data.length; n++) {
        result.data[n] = combine(a.data[i], b.data[j]);
        for (let axis = rank - 1; axis >= 0; axis--) {
          i += strides[0][axis];
          j += strides[1][axis];
          if (++at[axis] < shape[axis]) break;
          at[axis] = 0;
          i -= strides[0][axis] * shape[axis];
          j -= strides[1][axis] * shape[axis];
        }
      }
      return result;
    }, first);
}

// Where windows lie along both sides of a picture.
function windows([height, width], [rows, columns], { strides = [1, 1], dilations = [1, 1], pads, auto_pad, ceil_mode = 0 }) {
  const place = (length, kernel, stride, dilation, before, after) => {
    const reach = (kernel - 1) * dilation + 1;
    if (auto_pad && auto_pad.startsWith("SAME")) {
      const count = Math.ceil(length / stride);
      const missing = Math.max(0, (count - 1) * stride + reach - length);
      return [count, auto_pad === "SAME_LOWER" ? Math.ceil(missing / 2) : Math.floor(missing / 2)];
    }
    const round = ceil_mode ? Math.ceil : Math.floor;
    return [round((length + before + after - reach) / stride) + 1, before];
  };
  const [top, left, bottom, right] = pads || [0, 0, 0, 0];
  const [down, above] = place(height, rows, strides[0], dilations[0], top, bottom);
  const [across, aside] = place(width, columns, strides[1], dilations[1], left, right);
  return { down, across, above, aside, strides, dilations };
}

// As a product of matrices: the filters, and what they see at each place, one place a column.
function convolve([x, kernel, bias], attributes) {
  const [, channels, height, width] = x.shape;
  const [filters, depth, rows, columns] = kernel.shape;
  const groups = attributes.group || 1;
  const { down, across, above, aside, strides, dilations } = windows([height, width], [rows, columns], attributes);
  const places = down * across;
  const result = tensor([1, filters, down, across]);
  const length = depth * rows * columns;
  const seen = new Float32Array(length * places);
  for (let group = 0; group < groups; group++) {
    let to = 0;
    for (let channel = (group * channels) / groups; channel < ((group + 1) * channels) / groups; channel++)
      for (let row = 0; row < rows; row++)
        for (let column = 0; column < columns; column++)
          for (let y = 0; y < down; y++) {
            const line = y * strides[0] + row * dilations[0] - above;
            const from = (channel * height + line) * width;
            for (let place = column * dilations[1] - aside, n = 0; n < across; n++, place += strides[1])
              seen[to++] = line >= 0 && line < height && place >= 0 && place < width ? x.data[from + place] : 0;
          }
    const own = filters / groups;
    const weights = kernel.data.subarray(group * own * length, (group + 1) * own * length);
    result.data.set(product(weights, seen, own, length, places), group * own * places);
  }
  if (bias) for (let n = 0; n < result.data.length; n++) result.data[n] += bias.data[Math.floor(n / places)];
  return result;
}

// Of the pixels under each window: gather them two by two from `first` on, and finish with their number, or with the
// window's area where the margin counts.
const pool = (first, gather, finish = (value) => value) => ([x], attributes) => {
  const [, channels, height, width] = x.shape;
  const [rows, columns] = attributes.kernel_shape;
  const { down, across, above, aside, strides, dilations } = windows([height, width], [rows, columns], attributes);
  const result = tensor([1, channels, down, across]);
  let to = 0;
  for (let channel = 0; channel < channels; channel++)
    for (let y = 0; y < down; y++)
      for (let n = 0; n < across; n++) {
        let value = first;
        let count = 0;
        for (let row = 0; row < rows; row++)
          for (let column = 0; column < columns; column++) {
            const line = y * strides[0] + row * dilations[0] - above;
            const place = n * strides[1] + column * dilations[1] - aside;
            if (line < 0 || line >= height || place < 0 || place >= width) continue;
            value = gather(value, x.data[(channel * height + line) * width + place]);
            count++;
          }
        result.data[to++] = finish(value, attributes.count_include_pad ? rows * columns : count);
      }
  return result;
};
const maximumPool = pool(-Infinity, Math.max);
const averagePool = pool(0, (a, b) => a + b, (sum, count) => sum / count);
const greatest = (values) => values.reduce((a, b) => Math.max(a, b), -Infinity);
const total = (values) => values.reduce((a, b) => a + b, 0);

// a (m, k) times b (k, n): four columns at a time, whose sums stay in registers.
function product(a, b, m, k, n) {
  const out = new Float32Array(m * n);
  const wide = n - (n % 4);
  for (let row = 0; row < m; row++) {
    const begin = row * k;
    for (let column = 0; column < wide; column += 4) {
      let first = 0, second = 0, third = 0, fourth = 0;
      for (let inner = 0, from = column; inner < k; inner++, from += n) {
        const factor = a[begin + inner];
        first += factor * b[from];
        second += factor * b[from + 1];
        third += factor * b[from + 2];
        fourth += factor * b[from + 3];
      }
      const to = row * n + column;
      out[to] = first;
      out[to + 1] = second;
      out[to + 2] = third;
      out[to + 3] = fourth;
    }
    for (let column = wide; column < n; column++) {
      let sum = 0;
      for (let inner = 0, from = column; inner < k; inner++, from += n) sum += a[begin + inner] * b[from];
      out[row * n + column] = sum;
    }
  }
  return out;
}

function transpose([x], { perm }) {
  const order = perm || x.shape.map((_, axis) => x.shape.length - 1 - axis);
  const shape = order.map((axis) => x.shape[axis]);
  const strides = x.shape.map((_, axis) => size(x.shape.slice(axis + 1)));
  const result = tensor(shape);
  const at = Array(shape.length).fill(0);
  for (let n = 0; n < result.data.length; n++) {
    result.data[n] = x.data[at.reduce((sum, index, axis) => sum + index * strides[order[axis]], 0)];
    for (let axis = shape.length - 1; axis >= 0 && ++at[axis] === shape[axis]; axis--) at[axis] = 0;
  }
  return result;
}

function gemm([a, b, c], { transA, transB, alpha = 1, beta = 1 }) {
  const [first, second] = [transA ? transpose([a], {}) : a, transB ? transpose([b], {}) : b];
  const [m, k] = first.shape;
  const n = second.shape[1];
  const whole = tensor([m, n], product(first.data, second.data, m, k, n).map((value) => alpha * value));
  return c ? OPERATORS.Add([whole, tensor(c.shape, c.data.map((value) => beta * value))]) : whole;
}

function matmul([a, b]) {
  if (b.shape.length > 2) throw new Error("this page cannot multiply stacks of matrices");
  const [k, n] = b.shape;
  return tensor([...a.shape.slice(0, -1), n], product(a.data, b.data, a.data.length / k, k, n));
}

function reshape([x, wanted]) {
  const shape = Array.from(wanted.data, (length, axis) => (length === 0 ? x.shape[axis] : length));
  const known = size(shape.filter((length) => length > 0));
  return tensor(shape.map((length) => (length < 0 ? x.data.length / known : length)), x.data);
}

const along = (x, axis) => (axis < 0 ? axis + x.shape.length : axis);
const axesOf = (x, given, attributes) =>
  (given ? Array.from(given.data) : attributes.axes || x.shape.map((_, axis) => axis)).map((axis) => along(x, axis));

const reduce = (gather) => ([x, given], attributes) => {
  const axes = axesOf(x, given, attributes);
  const rest = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const ordered = transpose([x], { perm: [...rest, ...axes] });
  const length = size(axes.map((axis) => x.shape[axis]));
  const kept = attributes.keepdims === 0 ? rest.map((axis) => x.shape[axis]) : x.shape.map((l, a) => (axes.includes(a) ? 1 : l));
  const result = tensor(kept);
  for (let n = 0; n < result.data.length; n++) result.data[n] = gather(ordered.data.subarray(n * length, (n + 1) * length));
  return result;
};

function softmax([x], { axis = -1 }) {
  if (along(x, axis) !== x.shape.length - 1) throw new Error("this page knows softmax along the last axis only");
  const length = x.shape[x.shape.length - 1];
  const result = tensor(x.shape);
  for (let start = 0; start < x.data.length; start += length) {
    const part = x.data.subarray(start, start + length);
    const top = greatest(part);
    const powers = part.map((value) => Math.exp(value - top));
    const sum = total(powers);
    powers.forEach((value, n) => (result.data[start + n] = value / sum));
  }
  return result;
}

function concatenate(parts, { axis }) {
  const at = along(parts[0], axis);
  const shape = [...parts[0].shape];
  shape[at] = total(parts.map((part) => part.shape[at]));
  const result = tensor(shape);
  let to = 0;
  for (let block = 0; block < size(shape.slice(0, at)); block++)
    for (const part of parts) {
      const length = size(part.shape.slice(at));
      result.data.set(part.data.subarray(block * length, (block + 1) * length), to);
      to += length;
    }
  return result;
}

function pad([x, given, constant], { pads, mode = "constant" }) {
  if (mode !== "constant") throw new Error(`this page cannot pad by ${mode}`);
  const margins = given ? Array.from(given.data) : pads;
  const rank = x.shape.length;
  const shape = x.shape.map((length, axis) => length + margins[axis] + margins[rank + axis]);
  const result = tensor(shape);
  result.data.fill(constant ? constant.data[0] : 0);
  const strides = shape.map((_, axis) => size(shape.slice(axis + 1)));
  const at = Array(rank).fill(0);
  for (const value of x.data) {
    result.data[at.reduce((sum, index, axis) => sum + (index + margins[axis]) * strides[axis], 0)] = value;
    for (let axis = rank - 1; axis >= 0 && ++at[axis] === x.shape[axis]; axis--) at[axis] = 0;
  }
  return result;
}

function normalise([x, scale, shift, mean, variance], { epsilon = 1e-5 }) {
  const channels = x.shape[1];
  const area = x.data.length / channels;
  const result = tensor(x.shape);
  for (let n = 0; n < x.data.length; n++) {
    const c = Math.floor(n / area);
    result.data[n] = ((x.data[n] - mean.data[c]) / Math.sqrt(variance.data[c] + epsilon)) * scale.data[c] + shift.data[c];
  }
  return result;
}

const whole = (operator) => ([x]) => operator([x], { kernel_shape: x.shape.slice(2) });
const logistic = (v) => 1 / (1 + Math.exp(-v));

const OPERATORS = {
  Abs: each(Math.abs),
  Add: broadcast((a, b) => a + b),
  AveragePool: averagePool,
  BatchNormalization: normalise,
  Cast: same,
  Clip: ([x, low, high], { min = -Infinity, max = Infinity }) =>
    each((v) => Math.min(Math.max(v, low ? low.data[0] : min), high ? high.data[0] : max))([x]),
  Concat: concatenate,
  Conv: convolve,
  Div: broadcast((a, b) => a / b),
  Dropout: same,
  Elu: each((v, { alpha = 1 }) => (v < 0 ? alpha * (Math.exp(v) - 1) : v)),
  Exp: each(Math.exp),
  Floor: each(Math.floor),
  Flatten: ([x], { axis = 1 }) => tensor([size(x.shape.slice(0, axis)), size(x.shape.slice(axis))], x.data),
  Gemm: gemm,
  GlobalAveragePool: whole(averagePool),
  GlobalMaxPool: whole(maximumPool),
  Greater: broadcast((a, b) => Number(a > b)),
  GreaterOrEqual: broadcast((a, b) => Number(a >= b)),
  HardSigmoid: each((v, { alpha = 0.2, beta = 0.5 }) => Math.min(1, Math.max(0, alpha * v + beta))),
  Identity: same,
  LeakyRelu: each((v, { alpha = 0.01 }) => (v < 0 ? alpha * v : v)),
  Log: each(Math.log),
  Less: broadcast((a, b) => Number(a < b)),
  LessOrEqual: broadcast((a, b) => Number(a <= b)),
  MatMul: matmul,
  Max: broadcast(Math.max),
  MaxPool: maximumPool,
  Min: broadcast(Math.min),
  Mul: broadcast((a, b) => a * b),
  Neg: each((v) => -v),
  Not: each((v) => 1 - v),
  Pad: pad,
  Pow: broadcast(Math.pow),
  // Of a dropout that an old graph has kept: at a rate of 0 any number will do.
  RandomUniformLike: ([x]) => tensor(x.shape),
  Reciprocal: each((v) => 1 / v),
  ReduceMax: reduce(greatest),
  ReduceMean: reduce((values) => total(values) / values.length),
  ReduceSum: reduce(total),
  Relu: each((v) => Math.max(0, v)),
  Reshape: reshape,
  Selu: each((v, { alpha = 1.67326319, gamma = 1.05070102 }) => gamma * (v < 0 ? alpha * (Math.exp(v) - 1) : v)),
  Sigmoid: each(logistic),
  Softmax: softmax,
  Softplus: each((v) => Math.log1p(Math.exp(v))),
  Sqrt: each(Math.sqrt),
  Squeeze: ([x, given], attributes) => {
    const axes = given || attributes.axes ? axesOf(x, given, attributes) : null;
    return tensor(x.shape.filter((length, axis) => (axes ? !axes.includes(axis) : length !== 1)), x.data);
  },
  Sub: broadcast((a, b) => a - b),
  Sum: broadcast((a, b) => a + b),
  Tanh: each(Math.tanh),
  Transpose: transpose,
  Unsqueeze: ([x, given], attributes) => {
    const shape = [...x.shape];
    const rank = shape.length + (given ? given.data.length : attributes.axes.length);
    const axes = Array.from(given ? given.data : attributes.axes, (axis) => (axis < 0 ? axis + rank : axis)).sort((a, b) => a - b);
    for (const axis of axes) shape.splice(axis, 0, 1);
    return tensor(shape, x.data);
  },
};
