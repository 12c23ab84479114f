// Uniform resources put together and taken apart by @ngraveio/bc-ur, QR codes read by jsQR.
//
//     node frames.mjs read DIRECTORY                      a line for each picture's text, in order of names
//     node frames.mjs decode FRAMES CANONICAL DOCUMENTS   what the frames carry is what it should be
//     node frames.mjs encode FILE BYTES FIRST             frames from this number on until bc-ur itself has all
//     node frames.mjs hash FILE                           the frame of the file's SHA-256
//
// FRAMES has a file of lines for each folder of pictures, called after the document that they show.

import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import bcur from "@ngraveio/bc-ur";
import jsQR from "jsqr";
import { PNG } from "pngjs";
import { expect, failed, passed } from "./expect.mjs";

const { UR, UREncoder, URDecoder } = bcur;

function read(directory) {
  for (const name of readdirSync(directory).sort()) {
    const { data, width, height } = PNG.sync.read(readFileSync(join(directory, name)));
    const code = jsQR.default(new Uint8ClampedArray(data), width, height, { inversionAttempts: "dontInvert" });
    if (!code) throw new Error(`${name}: jsQR reads no code`);
    console.log(code.data);
  }
}

/** What a CBOR byte string holds, if it is one and nothing more (RFC 8949, section 3.1). */
function byteString(cbor) {
  const bytes = Buffer.from(cbor);
  const first = bytes[0];
  const sizes = { 0x58: 1, 0x59: 2, 0x5a: 4 };
  const size = sizes[first] ?? 0;
  const length = size > 0 ? bytes.readUIntBE(1, size) : first - 0x40;
  if (first < 0x40 || first > 0x5a || (size === 0 && first > 0x57) || bytes.length !== 1 + size + length) {
    throw new Error("not one CBOR byte string");
  }
  return bytes.subarray(1 + size);
}

function toByteString(bytes) {
  const { length } = bytes;
  const head =
    length < 24 ? [0x40 + length] : length < 256 ? [0x58, length] : [0x59, length >> 8, length & 255];
  return Buffer.concat([Buffer.from(head), bytes]);
}

/** The resource that some frames carry, or nothing if they are too few. */
function together(frames) {
  const decoder = new URDecoder();
  for (const frame of frames) decoder.receivePart(frame);
  return decoder.isComplete() && decoder.isSuccess() ? decoder.resultUR() : undefined;
}

const numbers = (frame) => frame.match(/^UR:CONCLAVE\/(\d+)-(\d+)\//)?.slice(1).map(Number);
const isMixture = (frame) => numbers(frame)[0] > numbers(frame)[1];

/** One document's frames: all ways to read them lead to the same bytes. */
function decodeDocument(name, frames, wanted) {
  const count = frames.length === 1 ? 1 : numbers(frames[0])[1];
  const right = (some, how) => {
    const resource = together(some);
    expect(resource !== undefined, `${name}, ${how}: not complete`);
    if (resource === undefined) return;
    expect(resource.type === "conclave", `${name}, ${how}: type ${resource.type}`);
    expect(inflateRawSync(byteString(resource.cbor)).equals(wanted), `${name}, ${how}: other bytes`);
  };
  right(frames, "all");
  right([...frames].reverse(), "backwards");
  right(frames.map((frame) => frame.toLowerCase()), "lower case");
  if (count === 1) {
    expect(frames.length === 1 && !numbers(frames[0]), `${name}: one code that is a part`);
    return 0;
  }
  expect(frames.length === 4 * count, `${name}: ${frames.length} frames of ${count}`);
  // The first half comes again after the fragments.
  right(frames.slice(Math.ceil(count / 2)), "the first half missed");
  // Every frame, mixtures too, is what bc-ur makes of the same payload.
  const resource = together(frames);
  const own = encoder(resource, Math.ceil(resource.cbor.length / count), 1);
  const byNumber = new Map();
  const last = Math.max(...frames.map((frame) => numbers(frame)[0]));
  for (let number = 1; number <= last; number += 1) byNumber.set(number, own.nextPart().toUpperCase());
  for (const frame of frames) {
    expect(byNumber.get(numbers(frame)[0]) === frame, `${name}: bc-ur makes another frame ${numbers(frame)[0]}`);
  }
  // Without one of the fragments: where the mixtures give it, it is right.
  let mixed = 0;
  for (let missing = 1; missing <= count; missing += 1) {
    const some = frames.filter((frame) => isMixture(frame) || numbers(frame)[0] !== missing);
    if (together(some) === undefined) continue;
    right(some, `without fragment ${missing}`);
    mixed += 1;
  }
  return mixed;
}

function encoder(resource, bytes, first) {
  // bc-ur numbers frames from the one after this.
  return new UREncoder(resource, bytes, first - 1);
}

function decode(framesDirectory, canonical, documents) {
  let mixed = 0;
  let read = 0;
  for (const name of readdirSync(framesDirectory).sort()) {
    const frames = readFileSync(join(framesDirectory, name), "utf8").trim().split("\n");
    if (name === "hash") {
      const resource = together(frames);
      const digest = createHash("sha256").update(readFileSync(join(documents, "plan.json"))).digest();
      expect(resource?.type === "conclave-sha256", "hash: type");
      expect(byteString(resource.cbor).equals(digest), "hash: another one");
    } else if (name === "ceremony") {
      // Two documents, in the order of their names.
      const second = frames.findIndex((frame) => numbers(frame)[0] === 1 && frame !== frames[0]);
      for (const [which, some] of [["deal", frames.slice(0, second)], ["confirm", frames.slice(second)]]) {
        mixed += decodeDocument(`ceremony, ${which}`, some, readFileSync(join(canonical, `${which}.json`)));
      }
    } else {
      const wanted = readFileSync(join(canonical, `${name.split("-")[0]}.json`));
      mixed += decodeDocument(name, frames, wanted);
    }
    read += 1;
  }
  expect(read > 0 && mixed > 0, `${read} documents, ${mixed} of them with mixtures`);
  console.log(`@ngraveio/bc-ur: ${passed} passed, ${failed} failed; ${mixed} times a fragment came out of mixtures`);
  process.exit(failed > 0 ? 1 : 0);
}

function encode(file, bytes, first) {
  const payload = toByteString(deflateRawSync(readFileSync(file), { level: 6 }));
  const own = encoder(new UR(payload, "conclave"), Number(bytes), Number(first));
  const decoder = new URDecoder();
  while (!decoder.isComplete()) {
    const frame = own.nextPart();
    decoder.receivePart(frame);
    console.log(frame.toUpperCase());
  }
}

function hash(file) {
  const digest = createHash("sha256").update(readFileSync(file)).digest();
  console.log(UREncoder.encodeSinglePart(new UR(toByteString(digest), "conclave-sha256")).toUpperCase());
}

const [command, ...given] = process.argv.slice(2);
({ read, decode, encode, hash })[command](...given);
