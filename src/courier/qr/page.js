'use strict';
(() => {
  const get = (id) => document.getElementById(id);
  const source = get('data');
  const documents = JSON.parse(source.textContent);
  const stage = get('stage');
  const canvas = get('code');
  const context = canvas.getContext('2d');
  const quiet = 4;
  const slowest = 5000;
  const fastest = 100;
  let shown = 0;
  let frame = 0;
  let milliseconds = Number(source.dataset.milliseconds);
  // Device pixels of a module, below what would fit.
  let less = 0;
  let paused = false;
  let timer = 0;

  const modules = ({ size, bits }) => {
    const bytes = atob(bits);
    return (x, y) => {
      const at = y * size + x;
      return (bytes.charCodeAt(at >> 3) >> (7 - (at & 7))) & 1;
    };
  };

  // The most device pixels that a module may have.
  const most = () => {
    const ratio = window.devicePixelRatio || 1;
    const full = documents[shown].frames[frame].size + 2 * quiet;
    return Math.max(1, Math.floor((Math.min(stage.clientWidth, stage.clientHeight) * ratio) / full));
  };

  // Both sizes that a press leads to are different ones, as long as there are any.
  const tenth = () => Math.max(1, Math.round(most() / 10));

  const say = () => {
    const { title, count, frames } = documents[shown];
    const several = frames.length > 1;
    get('title').textContent = title;
    const rate = (1000 / milliseconds).toFixed(1);
    const parts = [];
    if (documents.length > 1) parts.push(`document ${shown + 1} of ${documents.length}`);
    if (several) parts.push(`frame ${frame + 1} of ${frames.length}`, paused ? 'paused' : `${rate} a second`);
    get('where').textContent = parts.join(', ');
    get('enough').textContent = several ? `any ${count} or a few more are enough` : 'one code holds it all';
    get('pause').textContent = paused ? 'Go on' : 'Pause';
    for (const id of ['pause', 'back', 'on']) get(id).disabled = !several;
    get('slower').disabled = !several || milliseconds >= slowest;
    get('faster').disabled = !several || milliseconds <= fastest;
  };

  const draw = () => {
    // What is said first: it takes room.
    say();
    const code = documents[shown].frames[frame];
    const dark = modules(code);
    const ratio = window.devicePixelRatio || 1;
    less = Math.max(0, Math.min(less, most() - 1));
    // Whole device pixels for each module, and whole pixels of the page around the code, or the browser would
    // stretch it, and cameras see stripes.
    const scale = most() - less;
    const whole = Number.isInteger(ratio) ? ratio : 1;
    const wanted = (code.size + 2 * quiet) * scale;
    const side = Math.ceil(wanted / whole) * whole;
    const edge = Math.floor((side - wanted) / 2) + quiet * scale;
    const box = stage.getBoundingClientRect();
    const middle = (start, length) => `${Math.round(start + (length - side / ratio) / 2) - start}px`;
    canvas.width = canvas.height = side;
    canvas.style.width = canvas.style.height = `${side / ratio}px`;
    canvas.style.left = middle(box.left + window.scrollX, box.width);
    canvas.style.top = middle(box.top + window.scrollY, box.height);
    context.fillStyle = '#ffffff';
    context.fillRect(0, 0, side, side);
    context.fillStyle = '#000000';
    for (let y = 0; y < code.size; y += 1) {
      for (let x = 0; x < code.size; x += 1) {
        if (dark(x, y)) context.fillRect(edge + x * scale, edge + y * scale, scale, scale);
      }
    }
    get('smaller').disabled = less >= most() - 1;
    get('larger').disabled = less === 0;
  };

  const step = (by) => {
    const { length } = documents[shown].frames;
    frame = (frame + by + length) % length;
    draw();
  };

  const run = () => {
    clearInterval(timer);
    if (!paused && documents[shown].frames.length > 1) timer = setInterval(() => step(1), milliseconds);
    draw();
  };

  const acts = {
    pause: () => { paused = !paused; run(); },
    slower: () => { milliseconds = Math.min(slowest, Math.round(milliseconds * 1.25)); run(); },
    faster: () => { milliseconds = Math.max(fastest, Math.round(milliseconds / 1.25)); run(); },
    back: () => { paused = true; run(); step(-1); },
    on: () => { paused = true; run(); step(1); },
    smaller: () => { less += tenth(); draw(); },
    larger: () => { less -= tenth(); draw(); },
    document: () => { shown = (shown + 1) % documents.length; frame = 0; run(); },
  };
  for (const [id, act] of Object.entries(acts)) get(id).addEventListener('click', act);
  const still = documents.every(({ frames }) => frames.length === 1);
  for (const id of ['pause', 'slower', 'faster', 'back', 'on']) get(id).hidden = still;
  get('document').hidden = documents.length < 2;
  get('buttons').className = `${still ? 'still' : 'moving'} ${documents.length < 2 ? 'one' : 'many'}`;
  const keys = { ' ': 'pause', '-': 'slower', '+': 'faster', ArrowLeft: 'back', ArrowRight: 'on', s: 'smaller', l: 'larger', n: 'document' };
  window.addEventListener('keydown', (event) => {
    const id = keys[event.key];
    if (!id || event.ctrlKey || event.metaKey || event.altKey) return;
    // On a button the space bar presses that button.
    if (event.key === ' ' && event.target instanceof HTMLButtonElement) return;
    event.preventDefault();
    if (!get(id).disabled && !get(id).hidden) acts[id]();
  });
  window.addEventListener('resize', draw);
  run();
})();
