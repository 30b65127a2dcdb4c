// Where to park: the ranked list, which is the whole map in words.
import { useState } from 'preact/hooks';
import type { PageNearItem } from '../../api/types';
import { useGet } from '../../api/use';
import { named } from '../../i18n';
import { t } from '../../i18n/driver';
import { Age, Comb, Count } from '../../kit/count';
import { Money } from '../../kit/money';
import { Empty, Trouble, Waiting } from '../../kit/say';
import { Sheet, type Height } from '../../kit/sheet';

const CENTRE = { lon: 113.6654, lat: 34.7534 };

export default function Home() {
  const [height, setHeight] = useState<Height>('half');
  const near = useGet<PageNearItem>('/api/v1/near', { query: { ...CENTRE, radius: 3000 }, every: 15_000 });
  return (
    <Sheet height={height} onHeight={setHeight} label={t('home.list')}>
      <h1 class="sec">{t('home.title')}</h1>
      {near.error && !near.data ? <Trouble error={near.error} again={near.again} /> : null}
      {!near.data ? <Waiting /> : near.data.items.length === 0 ? <Empty>{t('home.none')}</Empty> : null}
      <ol class="board">
        {near.data?.items.map(({ site, price }) => (
          <li key={site.id}>
            <div class="brow">
              <span><Count free={site.free} freshness={site.freshness} /><Comb free={site.free} unknown={site.unknown} capacity={site.capacity} /><Age at={site.as_of} freshness={site.freshness} /></span>
              <span class="line apart base"><span class="name">{named(site.name)}</span>{price && <Money fen={price.amount} />}</span>
            </div>
          </li>
        ))}
      </ol>
    </Sheet>
  );
}
