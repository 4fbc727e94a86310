// Reads lines "KIND BASE64" and answers each with a line: what json5 makes of the text (KIND
// 5), or dotenv (KIND e). KIND c is a list of forms, in which X stands for a character: the
// answer says of every character up to LAST whether json5 takes it there.
const { createInterface } = require('node:readline');
const { createRequire } = require('node:module');
const here = createRequire(process.argv[2] + '/');
const JSON5 = here('json5');
const dotenv = here('dotenv');
console.warn = () => {};

const hex = (s) => Buffer.from(s, 'utf8').toString('hex');
const bits = Buffer.alloc(8);

function write(v) {
  if (v === null) return 'n';
  switch (typeof v) {
    case 'boolean': return v ? 't' : 'f';
    case 'number':
      if (Number.isNaN(v)) return 'NaN';
      bits.writeDoubleBE(v);
      return '#' + bits.toString('hex');
    case 'string': return "'" + hex(v);
  }
  if (Array.isArray(v)) return '[' + v.map(write).join() + ']';
  return '{' + Object.keys(v).map((k) => hex(k) + ':' + write(v[k])).join() + '}';
}

const sorted = (o) => '{' + Object.keys(o).map((k) => hex(k) + ':' + write(o[k])).sort().join() + '}';

function parse(text) {
  let v;
  try {
    v = JSON5.parse(text);
  } catch (e) {
    return `error ${e.lineNumber}:${e.columnNumber}`;
  }
  const ours = write(v);
  try {
    const strict = write(JSON.parse(text));
    if (strict !== ours) return 'json ' + strict;
  } catch {}
  return ours;
}

function characters(forms, last) {
  let out = '';
  for (let c = 0; c <= last; c++) {
    if (c >= 0xd800 && c < 0xe000) continue;
    const s = String.fromCodePoint(c);
    let mask = 0;
    forms.forEach((f, i) => {
      try {
        JSON5.parse(f.replace('X', () => s));
        mask |= 1 << i;
      } catch {}
    });
    out += mask.toString(16).padStart(2, '0');
  }
  return out;
}

createInterface({ input: process.stdin, crlfDelay: Infinity }).on('line', (line) => {
  const data = Buffer.from(line.slice(2), 'base64');
  switch (line[0]) {
    case '5': console.log(parse(data.toString('utf8'))); break;
    case 'e': console.log(sorted(dotenv.parse(data))); break;
    case 'c': {
      const { forms, last } = JSON.parse(data.toString('utf8'));
      console.log(characters(forms, last));
    }
  }
});
