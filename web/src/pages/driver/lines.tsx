// A fee and where it comes from: the lines tile the stay, and their rows are as high as the time they stand for.
import type { LineView } from '../../api/types';
import { clockTime, named } from '../../i18n';
import { t } from '../../i18n/driver';
import { yuan } from '../../kit/money';

const ROW_PX_MIN = 44, ROW_PX_MAX = 104, PX_A_MINUTE = 0.6;

export function Lines({ lines, total, caption, open, sum }: { lines: LineView[]; total: number; caption: string; open?: boolean; sum: string }) {
  const high = (line: LineView) => Math.min(ROW_PX_MAX, Math.max(ROW_PX_MIN, ((Date.parse(line.to) - Date.parse(line.from)) / 60_000) * PX_A_MINUTE));
  const last = lines.map((line) => line.kind).lastIndexOf('time');
  return (
    <table class="bill">
      <caption class="sr">{caption}</caption>
      <thead><tr><th scope="col">{t('bill.span')}</th><th scope="col">{t('bill.rule')}</th><th scope="col" class="right">{t('bill.yuan')}</th></tr></thead>
      <tbody>
        {lines.map((line, i) => (
          <tr key={i} class={line.kind === 'time' ? '' : 'nil'}>
            <th class="t" scope="row" style={{ height: `${high(line)}px` }}>{clockTime(line.from)}–{open && i === last ? t('bill.now') : clockTime(line.to)}</th>
            <td>{named(line.what)}</td>
            <td class="a">{line.amount.amount < 0 ? '−' : ''}{yuan(Math.abs(line.amount.amount))}</td>
          </tr>
        ))}
      </tbody>
      <tfoot><tr><th colSpan={2} scope="row">{sum}</th><td>{yuan(total)}</td></tr></tfoot>
    </table>
  );
}
