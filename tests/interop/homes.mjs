// age-encryption, by the author of the age format, opens what a home and a backup encrypt.
//
//     node homes.mjs HOME PASSPHRASE-FILE [BACKUP PASSPHRASE-FILE]
//     node homes.mjs --home-key HOME PASSPHRASE-FILE     prints the home key of a throw-away home, for other readers
//
// Nothing else that is secret is printed.

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Decrypter, identityToRecipient } from "age-encryption";

const line = (path) => readFileSync(path, "utf8").replace(/\n$/, "");
let passed = 0;
let failed = 0;

function expect(right, what) {
  if (right) passed += 1;
  else {
    failed += 1;
    console.error(`WRONG ${what}`);
  }
}

async function withPassphrase(path, passphraseFile) {
  const decrypter = new Decrypter();
  decrypter.addPassphrase(line(passphraseFile));
  return Buffer.from(await decrypter.decrypt(readFileSync(path)));
}

async function withKey(path, key) {
  const decrypter = new Decrypter();
  decrypter.addIdentity(key);
  return Buffer.from(await decrypter.decrypt(readFileSync(path)));
}

const given = process.argv.slice(2);
const onlyKey = given[0] === "--home-key";
if (onlyKey) given.shift();
const [home, passphraseFile, backup, backupPassphraseFile] = given;
const key = (await withPassphrase(join(home, "home-key.age"), passphraseFile)).toString("utf8").trim();
if (onlyKey) {
  console.log(key);
  process.exit(0);
}

const about = JSON.parse(readFileSync(join(home, "home.json"), "utf8"));
expect(key.startsWith("AGE-SECRET-KEY-1"), "home-key.age: no age identity");
expect((await identityToRecipient(key)) === about.home_key, "home.json: another home key");
expect((await withKey(join(home, "identity.age"), key)).length === 32, "identity.age: not 32 bytes");
for (const cid of readdirSync(join(home, "vault"))) {
  const shares = await withKey(join(home, "vault", cid, "shares.age"), key);
  const end = shares.indexOf(10);
  const header = JSON.parse(shares.subarray(0, end).toString("utf8"));
  expect(header.cid === cid, `${cid}: shares of another ceremony`);
  expect(shares.length === end + 1 + 32 * header.polynomials.length, `${cid}: not 32 bytes a validator`);
}

if (backup !== undefined) {
  const tar = await withPassphrase(backup, backupPassphraseFile);
  const names = [];
  const octal = (at, length) => parseInt(tar.subarray(at, at + length).toString("latin1"), 8);
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    expect(tar.subarray(at + 257, at + 262).toString("latin1") === "ustar", `${backup}: no tar header at ${at}`);
    names.push(tar.subarray(at, at + 100).toString("utf8").replace(/\0.*$/s, ""));
    at += 512 + Math.ceil(octal(at + 124, 12) / 512) * 512;
  }
  for (const wanted of ["home.json", "home-key.age", "identity.age"]) {
    expect(names.some((name) => name.endsWith(wanted)), `${backup}: no ${wanted}`);
  }
}
console.log(`age-encryption: ${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
