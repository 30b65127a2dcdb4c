// Lines and bars over time, drawn as SVG; the sentence above says what is to be seen, the table below says it all.
import type { ComponentChildren } from 'preact';
import { runs } from './spark';

export interface Series {
  name: string;
  values: readonly (number | null)[];
  look: 'l1' | 'l2' | 'l3';
}

const W = 620, H = 150, LEFT = 44, BOTTOM = 20, TOP = 8;

/** `marks` name places on the time axis. */
export function Lines({ series, marks, label, number, children }: {
  series: readonly Series[]; marks: readonly { at: number; text: string }[]; label: string; number: (value: number) => string; children?: ComponentChildren;
}) {
  const steps = Math.max(2, ...series.map((one) => one.values.length));
  const most = nice(Math.max(1, ...series.flatMap((one) => one.values.filter((value): value is number => value !== null))));
  const x = (at: number) => LEFT + (at * (W - LEFT - 8)) / (steps - 1);
  const y = (value: number) => TOP + (1 - value / most) * (H - TOP - BOTTOM);
  return (
    <>
      <svg class="plot" viewBox={`0 0 ${W} ${H}`} role="img" aria-label={label}>
        {[0, 0.5, 1].map((share) => (
          <g key={share}>
            <path class="ax" d={`M${LEFT} ${y(most * share)}H${W - 8}`} />
            <text x={LEFT - 6} y={y(most * share) + 4} text-anchor="end">{number(most * share)}</text>
          </g>
        ))}
        {marks.map((mark) => <text key={mark.at} x={x(mark.at)} y={H - 5} text-anchor={mark.at === 0 ? 'start' : mark.at === steps - 1 ? 'end' : 'middle'}>{mark.text}</text>)}
        {series.map((one) => <path key={one.name} class={one.look} d={runs(one.values).map((run) => run.map(([at, value], i) => `${i ? 'L' : 'M'}${x(at).toFixed(1)} ${y(value).toFixed(1)}`).join('')).join('')} />)}
      </svg>
      {children}
    </>
  );
}

export function Bars({ values, marks, label, last, number }: {
  values: readonly number[]; marks: (at: number) => string; label: string; last: string; number: (value: number) => string;
}) {
  const [w, h] = [300, 150], most = Math.max(...values, 1e-9), step = (w - 8) / values.length;
  return (
    <svg class="plot" viewBox={`0 0 ${w} ${h}`} role="img" aria-label={label}>
      {values.map((value, at) => {
        const tall = Math.max(1, (value / most) * (h - 44)), newest = at === values.length - 1;
        return (
          <g key={at}>
            <rect class={newest ? 'barf' : 'barg'} x={4 + at * step + 1} y={h - 18 - tall} width={Math.max(1, step - 2)} height={tall} />
            {marks(at) && <text x={4 + at * step + step / 2} y={h - 4} text-anchor="middle">{marks(at)}</text>}
            {newest && <text class="txt" x={Math.min(w - 4, 4 + at * step + step)} y={h - 24 - tall} text-anchor="end">{number(value)} {last}</text>}
          </g>
        );
      })}
      <path class="ax" d={`M4 ${h - 18}H${w - 4}`} />
    </svg>
  );
}

/** The next round number above, so that the axis can be read. */
export function nice(value: number): number {
  const ten = 10 ** Math.floor(Math.log10(value));
  return ten * ([1, 2, 4, 5, 10].find((one) => one * ten >= value) ?? 10);
}
