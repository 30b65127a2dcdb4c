// A line so small that it only says which way: its words are beside it, for who cannot see it.

/** `values` in order of time, null where nobody knew: a gap is left open. `top` is the value of the upper edge. */
export function Spark({ values, top, label }: { values: readonly (number | null)[]; top: number; label: string }) {
  const [w, h, pad] = [72, 20, 2];
  const x = (at: number) => pad + (at * (w - 2 * pad)) / Math.max(1, values.length - 1);
  const y = (value: number) => h - pad - (Math.min(value, top) / Math.max(1, top)) * (h - 2 * pad);
  const last = values.findLastIndex((one) => one !== null);
  return (
    <svg class="spark" viewBox={`0 0 ${w} ${h}`} role="img" aria-label={label}>
      {runs(values).map((run) => <path key={run[0]![0]} class="z" d={`M${x(run[0]![0])} ${h}${line(run, x, y).replace('M', 'L')}L${x(run.at(-1)![0])} ${h}Z`} />)}
      <path d={runs(values).map((run) => line(run, x, y)).join('')} />
      {last >= 0 && <circle cx={x(last)} cy={y(values[last]!)} r="1.75" />}
    </svg>
  );
}

type Point = [number, number];

/** Points that stand beside one another, as [place, value]. */
export function runs(values: readonly (number | null)[]): Point[][] {
  const all: Point[][] = [];
  values.forEach((value, at) => {
    if (value === null) return;
    const current = all.at(-1);
    if (current && current.at(-1)![0] === at - 1) current.push([at, value]);
    else all.push([[at, value]]);
  });
  return all;
}

const line = (run: Point[], x: (at: number) => number, y: (value: number) => number): string =>
  run.map(([at, value], place) => `${place ? 'L' : 'M'}${x(at).toFixed(1)} ${y(value).toFixed(1)}`).join('');
