/** Notes in a page what a visitor notices of it: tasks, frames, answers to input, jumps. Read by tests/bench/visitor.py. */

window.noted = { tasks: [0], frames: [], inputs: {}, shifts: [], paints: {} };

{
  const { tasks, frames, inputs, shifts, paints } = window.noted;
  const note = (type, how, more) =>
    new PerformanceObserver((list) => list.getEntries().forEach(how)).observe({ type, buffered: true, ...more });
  note("paint", ({ name, startTime }) => (paints[name] = startTime));
  note("largest-contentful-paint", ({ startTime }) => (paints.largest = startTime));
  note("longtask", ({ duration }) => tasks.push(duration));
  note("layout-shift", ({ startTime, value, hadRecentInput }) => hadRecentInput || shifts.push([startTime, value]));
  note(
    "event",
    ({ interactionId, duration }) => {
      if (interactionId) inputs[interactionId] = Math.max(inputs[interactionId] ?? 0, duration);
    },
    { durationThreshold: 16 },
  );
  let last = performance.now();
  const frame = (now) => {
    frames.push(now - last);
    last = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}
