// Stays of which not everything was seen: each says why, and is billed to what is proven.
import type { OperatorSessionView, PageOperatorSessionView } from '../../api/types';
import { useGet } from '../../api/use';
import { dayTime } from '../../i18n';
import { t } from '../../i18n/operator';
import { Pane } from '../../kit/kpi';
import { yuan } from '../../kit/money';
import { Empty, Trouble, Waiting } from '../../kit/say';
import { Pill } from '../../kit/status';
import { Table } from '../../kit/table';
import { Console, useRows } from './frame';

const WHY = {
  entry_missing: 1, exit_missing: 1, exit_missing_elsewhere: 1, two_places: 1, no_plate: 1, near_plate: 1, plate_corrected: 1, no_tariff: 1, no_clock: 1,
  unread_return: 1, closed_by_operator: 1, earlier_exit_unseen: 1, clock_unsure: 1,
} as const;
const whyOf = (code: string): string => (code in WHY ? t(`why.${code as keyof typeof WHY}`) : code);

const PATH = '/api/v1/operator/sessions', QUERY = { certainty: 'doubtful', limit: 100 };

export default function Stays() {
  const first = useGet<PageOperatorSessionView>(PATH, { query: QUERY });
  const { rows, more } = useRows<OperatorSessionView>(first.data, PATH, QUERY);
  return (
    <Console title={t('stays')}>
      <Pane title={t('stays')} fine={t('stays.fine')} scrolls={t('stays')}>
        {first.error && !first.data ? <Trouble error={first.error} again={first.again} /> : null}
        {!first.data ? <Waiting /> : rows.length === 0 ? <Empty>{t('stays.none')}</Empty> : (
          <Table caption={t('stays')} rows={rows} id={(one) => one.id} columns={[
            { key: 'plate', head: t('col.plate'), cell: (one) => <b>{one.plate ?? '—'}</b> },
            { key: 'site', head: t('col.site'), cell: (one) => <span class="code">{one.spot ?? one.site}</span> },
            { key: 'in', head: t('col.in'), cell: (one) => dayTime(one.entered_at) },
            { key: 'out', head: t('col.out'), cell: (one) => (one.left_at ? dayTime(one.left_at) : <Pill tone="info">{t('stay.open')}</Pill>) },
            { key: 'why', head: t('col.why'), cell: (one) => <span class="wraps">{[...one.why.map(whyOf), ...(one.candidate ? [t('stay.candidate')] : [])].join('；')}</span> },
            { key: 'fee', head: t('col.fee'), number: true, cell: (one) => (one.fee ? yuan(one.fee.amount) : '—') },
          ]} />
        )}
        {more}
      </Pane>
    </Console>
  );
}
