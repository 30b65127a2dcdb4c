// My bills, newest first, and the stays behind them.
import { useState } from 'preact/hooks';
import { get } from '../../api/client';
import type { BillView, PageBillView } from '../../api/types';
import { useGet } from '../../api/use';
import { dayTime, span } from '../../i18n';
import { t } from '../../i18n/driver';
import { t as shell } from '../../i18n/shell';
import { ActButton } from '../../kit/controls';
import { Money } from '../../kit/money';
import { Plate } from '../../kit/plate';
import { Empty, Trouble, Waiting } from '../../kit/say';
import { Pill, type Tone } from '../../kit/status';
import { PageHead } from '../../shell';
import { plates } from './my_plate';
import { SiteName } from './site_name';
import './me.css';

const TONE: Record<BillView['state'], Tone> = { open: 'warn', part_paid: 'warn', paid: 'plain', refunded: 'mute', void: 'mute' };

export const colourOf = (plate: string): string => plates.value?.find((one) => one.plate === plate)?.colour ?? ([...plate].length === 8 ? 'green' : 'blue');
export const BillState = ({ state }: { state: BillView['state'] }) => <Pill tone={TONE[state]}>{t(`bill.state.${state}`)}</Pill>;

export default function Bills() {
  const first = useGet<PageBillView>('/api/v1/me/bills', { query: { limit: 30 } });
  const [more, setMore] = useState<{ items: BillView[]; cursor: string | null } | null>(null);
  const cursor = more ? more.cursor : (first.data?.next_cursor ?? null), items = [...(first.data?.items ?? []), ...(more?.items ?? [])];
  const next = async () => {
    const page = await get<PageBillView>('/api/v1/me/bills', { limit: 30, cursor });
    setMore({ items: [...(more?.items ?? []), ...page.items], cursor: page.next_cursor });
  };
  return (
    <main id="main" class="page">
      <PageHead title={t('bills.title')} back="/car" />
      <div class="wrap narrow">
        {first.error && !first.data && <Trouble error={first.error} again={first.again} />}
        {!first.data && !first.error && <Waiting />}
        {first.data && items.length === 0 && <section class="card"><Empty>{t('bills.none')}</Empty></section>}
        {items.length > 0 && (
          <ul class="card rows">
            {items.map((one) => (
              <li key={one.id}>
                <a class="row" href={`/bills/${one.id}`}>
                  <span class="grow"><span class="line flow"><Plate plate={one.plate} colour={colourOf(one.plate)} size="s" /><BillState state={one.state} /></span>
                    <SiteName id={one.site} /><span class="meta">{dayTime(one.entered_at)}<i class="sep"> </i>{span((Date.parse(one.left_at) - Date.parse(one.entered_at)) / 1000)}</span></span>
                  <Money fen={one.total.amount} exact />
                </a>
              </li>
            ))}
          </ul>
        )}
        {cursor && <ActButton act={next} kind="">{shell('more')}</ActButton>}
      </div>
    </main>
  );
}
