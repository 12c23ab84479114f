// What the scripts that test with Node count.

export let passed = 0;
export let failed = 0;

export function expect(right, what) {
  if (right) passed += 1;
  else {
    failed += 1;
    console.error(`WRONG ${what}`);
  }
}
