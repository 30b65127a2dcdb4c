// Bills of one's own sites, newest first; plates are masked, since an operator needs to tell cars apart and not to follow one.
import type { BillView, PageBillView } from '../../api/types';
import { useGet } from '../../api/use';
import { dayTime } from '../../i18n';
import { t } from '../../i18n/operator';
import { Pane } from '../../kit/kpi';
import { yuan } from '../../kit/money';
import { Empty, Trouble, Waiting } from '../../kit/say';
import { Pill, type Tone } from '../../kit/status';
import { Table } from '../../kit/table';
import { Console, useRows } from './frame';

const TONES: Record<BillView['state'], Tone> = { open: 'info', paid: 'ok', part_paid: 'warn', refunded: 'mute', void: 'mute' };
const PATH = '/api/v1/operator/bills', QUERY = { limit: 100 };

export default function Bills() {
  const first = useGet<PageBillView>(PATH, { query: QUERY });
  const { rows, more } = useRows<BillView>(first.data, PATH, QUERY);
  return (
    <Console title={t('bills')}>
      <Pane title={t('bills')} scrolls={t('bills')}>
        {first.error && !first.data ? <Trouble error={first.error} again={first.again} /> : null}
        {!first.data ? <Waiting /> : rows.length === 0 ? <Empty>{t('bills.none')}</Empty> : (
          <Table caption={t('bills')} rows={rows} id={(one) => one.id} columns={[
            { key: 'at', head: t('col.time'), cell: (one) => dayTime(one.issued_at) },
            { key: 'plate', head: t('col.plate'), cell: (one) => <b>{one.plate || '—'}</b> },
            { key: 'site', head: t('col.site'), cell: (one) => <span class="code">{one.site}</span> },
            { key: 'in', head: t('col.in'), cell: (one) => dayTime(one.entered_at) },
            { key: 'out', head: t('col.out'), cell: (one) => dayTime(one.left_at) },
            { key: 'fee', head: t('col.fee'), number: true, cell: (one) => yuan(one.total.amount) },
            { key: 'paid', head: t('col.paid'), number: true, cell: (one) => yuan(one.paid.amount) },
            { key: 'state', head: t('col.state'), cell: (one) => <Pill tone={TONES[one.state]}>{t(`bill.${one.state}`)}</Pill> },
          ]} />
        )}
        {more}
      </Pane>
    </Console>
  );
}
