// A module as streams: opcodes, and operands by their kind, each kind packed among its
// like. That is a tenth smaller than the packed module. `part` takes it apart when the
// page is built, `join` puts it together in the page; both by one table.

// The streams, in the order in which they are sent. All but the bodies of functions is
// the frame: no operand is of it.
const FRAME = 0;
const OPCODES = 1;
const DECLARATIONS = 2;
const LOCALS = 3;
const GLOBALS = 4;
const CALLS = 5;
const INDIRECT_CALLS = 6;
const BLOCK_TYPES = 7;
const BRANCHES = 8;
const I32 = 9;
const I64 = 10;
const OFFSETS = 11;
const OTHERS = 12;
// Those that are more than a number.
const BRANCH_TABLES = 13;
const F32 = 14;
const F64 = 15;
const STREAMS = 16;
const NONE = FRAME;
const UNKNOWN = 0xff;

const PREAMBLE = 8;
const CODE_SECTION = 10;
const BLOCK = 0x02;
const IF = 0x04;
const END = 0x0b;
const PREFIX = 0xfc;
/** Where the opcodes behind the prefix stand in the table. */
const PREFIXED = 0x100;

/** The streams of an opcode's operands. Flat, since every instruction looks there. */
const FIRST = new Uint8Array(2 * PREFIXED).fill(UNKNOWN);
const SECOND = new Uint8Array(2 * PREFIXED);
/** @param {number} first @param {number} last @param {number} one @param {number} other */
function define(first, last, one = NONE, other = NONE) {
  FIRST.fill(one, first, last + 1);
  SECOND.fill(other, first, last + 1);
}
define(0x00, 0x01);
define(BLOCK, IF, BLOCK_TYPES);
define(0x05, 0x05);
define(END, END);
define(0x0c, 0x0d, BRANCHES);
define(0x0e, 0x0e, BRANCH_TABLES);
define(0x0f, 0x0f);
define(0x10, 0x10, CALLS);
define(0x11, 0x11, INDIRECT_CALLS, INDIRECT_CALLS);
define(0x1a, 0x1b);
define(0x20, 0x22, LOCALS);
define(0x23, 0x24, GLOBALS);
define(0x25, 0x26, OTHERS);
// The alignment follows from the opcode nearly always.
define(0x28, 0x3e, OPCODES, OFFSETS);
define(0x3f, 0x40, OTHERS);
define(0x41, 0x41, I32);
define(0x42, 0x42, I64);
define(0x43, 0x43, F32);
define(0x44, 0x44, F64);
define(0x45, 0xc4);
define(0xd0, 0xd0, OTHERS);
define(0xd1, 0xd1);
define(0xd2, 0xd2, OTHERS);
define(PREFIXED, PREFIXED + 7);
for (const opcode of [8, 10, 12, 14]) define(PREFIXED + opcode, PREFIXED + opcode, OTHERS, OTHERS);
for (const opcode of [9, 11, 13, 15, 16, 17]) define(PREFIXED + opcode, PREFIXED + opcode, OTHERS);

/** Bytes, and how far they are read or written. @typedef {{ bytes: Uint8Array, at: number }} Cursor */

/** @param {Uint8Array} bytes @returns {Cursor} */
function cursor(bytes) {
  return { bytes, at: 0 };
}

/** The bytes that were written. @param {Cursor} one */
function written({ bytes, at }) {
  return bytes.subarray(0, at);
}

/**
 * The streams of a module behind their sizes. Throws where its code holds what the table
 * does not know.
 *
 * @param {Uint8Array} module
 */
export function part(module) {
  const source = cursor(module);
  const from = Array.from({ length: STREAMS }, () => source);
  const to = Array.from({ length: STREAMS }, () => cursor(new Uint8Array(module.length)));
  sections(source, to[FRAME], () => {
    const size = number(source, cursor(new Uint8Array(5)));
    const end = source.at + size;
    body(from, to);
    if (source.at !== end) throw new Error(`the function before byte ${end} ends at ${source.at}`);
  });
  const sizes = new DataView(new ArrayBuffer(4 + 4 * STREAMS));
  [module.length, ...to.map(({ at }) => at)].forEach((size, index) => sizes.setUint32(4 * index, size, true));
  return new Uint8Array(Buffer.concat([new Uint8Array(sizes.buffer), ...to.map(written)]));
}

/**
 * The module that `part` has taken apart.
 *
 * @param {Uint8Array} parted
 */
export function join(parted) {
  const sizes = new DataView(parted.buffer, parted.byteOffset);
  let end = 4 + 4 * STREAMS;
  const from = Array.from({ length: STREAMS }, (_, index) => {
    const start = end;
    end += sizes.getUint32(4 + 4 * index, true);
    return cursor(parted.subarray(start, end));
  });
  const module = new Uint8Array(sizes.getUint32(0, true));
  const target = cursor(module);
  const one = cursor(new Uint8Array(module.length));
  const to = Array.from({ length: STREAMS }, () => one);
  sections(from[FRAME], target, () => {
    // Its size, which stands before it, is known behind it.
    one.at = 0;
    body(from, to);
    write(target, one.at);
    module.set(written(one), target.at);
    target.at += one.at;
  });
  return module;
}

/** All but the bodies of functions. @param {Cursor} from @param {Cursor} to @param {() => void} next */
function sections(from, to, next) {
  bytes(from, to, PREAMBLE);
  while (from.at < from.bytes.length) {
    const id = number(from, to);
    const size = number(from, to);
    if (id !== CODE_SECTION) bytes(from, to, size);
    else for (let count = number(from, to); count > 0; count--) next();
  }
}

/** The locals and instructions of a function. @param {Cursor[]} from @param {Cursor[]} to */
function body(from, to) {
  for (let groups = number(from[DECLARATIONS], to[DECLARATIONS]); groups > 0; groups--) {
    number(from[DECLARATIONS], to[DECLARATIONS]);
    number(from[DECLARATIONS], to[DECLARATIONS]);
  }
  const opcodesFrom = from[OPCODES];
  const opcodesTo = to[OPCODES];
  for (let depth = 1; depth > 0;) {
    let opcode = opcodesTo.bytes[opcodesTo.at++] = opcodesFrom.bytes[opcodesFrom.at++];
    if (opcode <= END) {
      if (opcode === END) depth--;
      else if (opcode >= BLOCK && opcode <= IF) depth++;
    } else if (opcode === PREFIX) {
      opcode = PREFIXED + number(opcodesFrom, opcodesTo);
    }
    const first = FIRST[opcode];
    if (first === NONE) continue;
    if (first >= BRANCH_TABLES) {
      rare(opcode, from[first], to[first]);
      continue;
    }
    number(from[first], to[first]);
    const second = SECOND[opcode];
    if (second !== NONE) number(from[second], to[second]);
  }
}

/** @param {number} opcode @param {Cursor} from @param {Cursor} to */
function rare(opcode, from, to) {
  const stream = FIRST[opcode];
  if (stream === F32) bytes(from, to, 4);
  else if (stream === F64) bytes(from, to, 8);
  // One more than it says: where to go otherwise.
  else if (stream === BRANCH_TABLES) for (let count = number(from, to); count >= 0; count--) number(from, to);
  else throw new Error(`what follows opcode ${name(opcode)} is not known`);
}

/** @param {Cursor} from @param {Cursor} to @param {number} count */
function bytes(from, to, count) {
  to.bytes.set(from.bytes.subarray(from.at, from.at + count), to.at);
  from.at += count;
  to.at += count;
}

/** A number, in as many bytes as it has there. @param {Cursor} from @param {Cursor} to */
function number(from, to) {
  let byte = to.bytes[to.at++] = from.bytes[from.at++];
  let value = byte & 0x7f;
  for (let shift = 7; byte > 0x7f; shift += 7) {
    byte = to.bytes[to.at++] = from.bytes[from.at++];
    value |= (byte & 0x7f) << shift;
  }
  return value;
}

/** @param {Cursor} to @param {number} value */
function write(to, value) {
  for (; value > 0x7f; value >>>= 7) to.bytes[to.at++] = value & 0x7f | 0x80;
  to.bytes[to.at++] = value;
}

/** @param {number} opcode */
function name(opcode) {
  const hex = (/** @type {number} */ byte) => `0x${byte.toString(16).padStart(2, "0")}`;
  return opcode < PREFIXED ? hex(opcode) : `${hex(PREFIX)} ${opcode - PREFIXED}`;
}
