// One bill: every minute of the stay is in it, and what was paid; the pay button carries the plate it pays for.
import { useState } from 'preact/hooks';
import { ask, freshKey, ProblemError } from '../../api/client';
import type { BillView } from '../../api/types';
import { useGet } from '../../api/use';
import { clockTime, day, dayTime, span } from '../../i18n';
import { t } from '../../i18n/driver';
import { ActButton } from '../../kit/controls';
import { Icon } from '../../kit/icon';
import { Money, yuan } from '../../kit/money';
import { Plate } from '../../kit/plate';
import { Banner, Trouble, Waiting, wordsOf } from '../../kit/say';
import type { PageProps } from '../../router';
import { PageHead } from '../../shell';
import { BillState, colourOf } from './bills';
import { Lines } from './lines';
import { SiteName } from './site_name';
import './me.css';

export default function Bill({ params }: PageProps) {
  const found = useGet<BillView>(`/api/v1/me/bills/${encodeURIComponent(params.bill ?? '')}`);
  return (
    <main id="main" class="page">
      <PageHead title={t('bill.title')} back="/bills" />
      {found.error && !found.data && <div class="wrap">{found.error instanceof ProblemError && found.error.status === 404 ? <p>{t('bill.gone')}</p> : <Trouble error={found.error} again={found.again} />}</div>}
      {!found.data && !found.error && <Waiting />}
      {found.data && <Known bill={found.data} set={found.set} />}
    </main>
  );
}

function Known({ bill, set }: { bill: BillView; set: (bill: BillView) => void }) {
  const [failed, setFailed] = useState<string | null>(null), [key] = useState(freshKey);
  const left = bill.total.amount - bill.paid.amount, owed = (bill.state === 'open' || bill.state === 'part_paid') && left > 0;
  const seconds = (Date.parse(bill.left_at) - Date.parse(bill.entered_at)) / 1000, sameDay = day(bill.entered_at) === day(bill.left_at);
  const pay = async () => {
    try {
      set(await ask<BillView>('POST', `/api/v1/me/bills/${bill.id}/pay`, { body: { rail: 'wallet' }, key }));
      setFailed(null);
    } catch (error) {
      setFailed(error instanceof ProblemError && error.status === 409 ? t('pay.poor') : wordsOf(error));
    }
  };
  return (
    <div class="wrap cols">
      <div class="stack">
        <section class="card">
          <div class="sec">
            <div class="line apart flow"><Plate plate={bill.plate} colour={colourOf(bill.plate)} size="m" /><BillState state={bill.state} /></div>
            <p class="total"><Money fen={bill.total.amount} exact size="mid" /></p>
            <dl class="kv">
              <dt>{t('bill.place')}</dt><dd><a href={`/sites/${encodeURIComponent(bill.site)}`}><SiteName id={bill.site} /></a></dd>
              <dt>{t('bill.time')}</dt><dd>{dayTime(bill.entered_at)} – {sameDay ? clockTime(bill.left_at) : dayTime(bill.left_at)}<i class="sep"> </i>{span(seconds)}</dd>
              <dt>{t('bill.number')}</dt><dd class="code">{bill.id}</dd>
            </dl>
          </div>
          <div class="sec">
            <h2>{t('bill.minutes')}</h2>
            <Lines lines={bill.lines} total={bill.total.amount} caption={t('bill.minutes')} sum={t('bill.sum')} />
            <p class="fine">{t('site.price.tariff', { id: bill.tariff.id, version: bill.tariff.version })}<i class="sep"> </i><span class="code">sha256 {bill.tariff.sha256.slice(0, 12)}…</span></p>
          </div>
        </section>
      </div>
      <aside class="stack">
        {failed && <Banner tone="bad" round>{failed} <a href="/wallet">{t('wallet.topup')}</a></Banner>}
        {owed && <ActButton act={pay} class="pay block">{t('pay.pay')} ¥{yuan(left)} <Plate plate={bill.plate} colour={colourOf(bill.plate)} /></ActButton>}
        {bill.payments.length > 0 && (
          <section class="card sec">
            <h2>{t('bill.payments')}</h2>
            <dl class="kv lines">
              {bill.payments.map((one, i) => <><dt key={i}>{dayTime(one.at)}</dt><dd>{t(one.state === 'refunded' ? 'bill.refunded' : 'bill.paid', { rail: t(one.rail === 'wallet' ? 'rail.wallet' : 'rail.other'), yuan: yuan(Math.abs(one.amount.amount)) })}</dd></>)}
            </dl>
          </section>
        )}
        {bill.provisional && <Banner round>{t('bill.provisional')}</Banner>}
        <section class="card rows"><a class="row" href="/wallet"><Icon name="wallet" /><span class="grow">{t('wallet.title')}</span><Icon name="next" class="chev" /></a></section>
      </aside>
    </div>
  );
}
