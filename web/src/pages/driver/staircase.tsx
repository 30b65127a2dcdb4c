// What a stay costs by its length, drawn: steps, the cap as a dotted line, and where mine stands.
import { lang } from '../../i18n';
import { yuanShort } from '../../kit/money';

const W = 360, H = 150, LEFT = 30, TOP = 26, BOTTOM = 22;

export function Staircase({ steps, stay, until, label }: { steps: { after: number; total: number }[]; stay: number; until: number; label: string }) {
  const top = Math.max(...steps.map((one) => one.total), 100), tick = niceTick(top);
  const x = (seconds: number) => LEFT + ((W - LEFT - 4) * seconds) / until;
  const y = (fen: number) => H - BOTTOM - ((H - TOP - BOTTOM) * fen) / (Math.ceil(top / tick) * tick);
  const path = steps.map((one, i) => `${i ? 'V' + y(one.total).toFixed(1) : `M${x(0)} ${y(one.total).toFixed(1)}`}H${x(steps[i + 1]?.after ?? until).toFixed(1)}`).join('');
  const mine = [...steps].reverse().find((one) => one.after < stay || one.after === 0)!;
  const at = { x: x(stay), y: y(mine.total) };
  const lines = Array.from({ length: Math.ceil(top / tick) }, (_, i) => i * tick);
  const clip = `M${x(0)} ${y(0)}${path.replace(/^M[\d.]+ /, 'V')}V${y(0)}Z`;
  return (
    <svg class="plot" viewBox={`0 0 ${W} ${H}`} role="img" aria-label={label}>
      {lines.map((fen) => <g key={fen}><path class="ax" d={`M${LEFT} ${y(fen)}H${W - 4}`} /><text x={LEFT - 6} y={y(fen) + 4} text-anchor="end">{yuanShort(fen)}</text></g>)}
      {[0, 2, 4, 6, 8, 10].map((h) => <text key={h} x={x(h * 3600)} y={H - 6} text-anchor="middle">{h}</text>)}
      <text x={W - 4} y={H - 6} text-anchor="end">{lang() === 'zh' ? '12 小时' : '12 h'}</text>
      <clipPath id="mine"><rect x={LEFT} y="0" width={Math.max(0, at.x - LEFT)} height={H} /></clipPath>
      <path class="fillz" d={clip} clip-path="url(#mine)" />
      <path class="l1" d={path} />
      <path class="now" d={`M${at.x} ${at.y}V${y(0)}`} />
      <circle class="me" cx={at.x} cy={at.y} r="5" />
      <text class="txt" x={Math.min(at.x + 8, W - 44)} y={at.y + (at.y < 40 ? 18 : -8)} style="font-size:13px">¥{yuanShort(mine.total)}</text>
    </svg>
  );
}

/** Of 1, 2 or 5 times ten: at most five lines. */
function niceTick(top: number): number {
  for (let base = 100; ; base *= 10) for (const step of [1, 2, 5]) if (top / (base * step) <= 4.2) return base * step;
}
