// age-encryption, by the author of the age format, opens what a home and a backup encrypt.
//
//     node homes.mjs HOME PASSPHRASE-FILE [BACKUP PASSPHRASE-FILE [SHARES]]
//
// SHARES is a backup of shares of that home, under the passphrase of the other.
//
//     node homes.mjs --home-key HOME PASSPHRASE-FILE     prints the home key of a throw-away home, for other readers
//
// Nothing else that is secret is printed.

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Decrypter, identityToRecipient } from "age-encryption";
import { expect, failed, passed } from "./expect.mjs";

const line = (path) => readFileSync(path, "utf8").replace(/\n$/, "");

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
const [home, passphraseFile, backup, backupPassphraseFile, sharesBackup] = given;
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

// The files of a tar archive, by name.
function files(tar, of) {
  const found = new Map();
  const octal = (at, length) => parseInt(tar.subarray(at, at + length).toString("latin1"), 8);
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    expect(tar.subarray(at + 257, at + 262).toString("latin1") === "ustar", `${of}: no tar header at ${at}`);
    const size = octal(at + 124, 12);
    const name = tar.subarray(at, at + 100).toString("utf8").replace(/\0.*$/s, "");
    found.set(name, tar.subarray(at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return found;
}

if (sharesBackup !== undefined) {
  const found = files(await withPassphrase(sharesBackup, backupPassphraseFile), sharesBackup);
  const about = JSON.parse(found.get("conclave-shares/backup.json").toString("utf8"));
  expect(about.files === found.size - 1, `${sharesBackup}: not as many files as it says`);
  const stored = await withKey(join(home, "vault", about.cid, "shares.age"), key);
  expect(stored.equals(found.get("conclave-shares/shares.bin")), `${sharesBackup}: other shares than the vault's`);
  const plan = JSON.parse(found.get("conclave-shares/plan.json").toString("utf8"));
  expect(plan.validators.length === about.validators, `${sharesBackup}: another number of validators`);
}

if (backup !== undefined) {
  const names = [...files(await withPassphrase(backup, backupPassphraseFile), backup).keys()];
  for (const wanted of ["home.json", "home-key.age", "identity.age"]) {
    expect(names.some((name) => name.endsWith(wanted)), `${backup}: no ${wanted}`);
  }
}
console.log(`age-encryption: ${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
