// What devices said that was acknowledged and not taken, with its reason: sending it again cannot help, mending the device can.
import type { PageRefusedView, RefusedView } from '../../api/types';
import { useGet } from '../../api/use';
import { dayTime } from '../../i18n';
import { t } from '../../i18n/operator';
import { Pane } from '../../kit/kpi';
import { Empty, Trouble, Waiting } from '../../kit/say';
import { Table } from '../../kit/table';
import { Console, useRows } from './frame';

const REASONS = { not_json: 1, schema: 1, topic: 1, unknown_spot: 1, unknown_lane: 1, not_your_spot: 1, too_old: 1, in_future: 1, too_large: 1 } as const;
export const reasonOf = (code: string): string => (code in REASONS ? t(`reason.${code as keyof typeof REASONS}`) : code);

const PATH = '/api/v1/operator/refused', QUERY = { limit: 100 };

export default function Refused() {
  const first = useGet<PageRefusedView>(PATH, { query: QUERY });
  const { rows, more } = useRows<RefusedView>(first.data, PATH, QUERY);
  return (
    <Console title={t('refused')}>
      <Pane title={t('refused')} fine={t('refused.fine')} scrolls={t('refused.table')}>
        {first.error && !first.data ? <Trouble error={first.error} again={first.again} /> : null}
        {!first.data ? <Waiting /> : rows.length === 0 ? <Empty>{t('refused.none')}</Empty> : (
          <Table caption={t('refused')} rows={rows} id={(one) => String(one.id)} columns={[
            { key: 'at', head: t('col.time'), cell: (one) => dayTime(one.at) },
            { key: 'device', head: t('col.device'), cell: (one) => <span class="code">{one.device}</span> },
            { key: 'site', head: t('col.site'), cell: (one) => <span class="code">{one.site}</span> },
            { key: 'why', head: t('col.reason'), cell: (one) => <span class="wraps">{reasonOf(one.reason)}<br /><span class="c-2">{one.detail}</span></span> },
            { key: 'raw', head: t('col.raw'), cell: (one) => <details><summary class="code raw">{one.payload.slice(0, 60)}</summary><pre class="code wraps">{one.payload}</pre></details> },
          ]} />
        )}
        {more}
      </Pane>
    </Console>
  );
}
