// The wallet: what is in it, what came and went, and more of it by the bank.
import { useEffect, useState } from 'preact/hooks';
import { ask, freshKey, get } from '../../api/client';
import type { TopUpSaid, Wallet as WalletView } from '../../api/types';
import { useGet } from '../../api/use';
import { dayTime } from '../../i18n';
import { t } from '../../i18n/driver';
import { ActButton, Segmented } from '../../kit/controls';
import { ErrorSummary } from '../../kit/field';
import { Money, yuan } from '../../kit/money';
import { Banner, Empty, Trouble, Waiting, wordsOf } from '../../kit/say';
import { PageHead } from '../../shell';
import './me.css';

const AMOUNTS = ['2000', '5000', '10000', '20000'];
const LOOK_MS = 1500, LOOKS_MAX = 40;
const SAID = new Set(['top_up', 'parking', 'debt_paid', 'refund', 'correction', 'debt_moved', 'paid_out']);

export default function Wallet() {
  const wallet = useGet<WalletView>('/api/v1/me/wallet', { query: { limit: 50 } });
  const [amount, setAmount] = useState('5000'), [topup, setTopup] = useState<TopUpSaid | null>(null), [errors, setErrors] = useState<Record<string, string>>({});
  const add = async () => {
    try {
      setErrors({});
      setTopup(await ask<TopUpSaid>('POST', '/api/v1/me/wallet/topups', { body: { amount: Number(amount), currency: 'CNY' }, key: freshKey() }));
    } catch (error) {
      setErrors({ '': wordsOf(error) });
    }
  };
  useEffect(() => {
    if (topup?.state !== 'pending') return;
    let looks = 0;
    const timer = setInterval(() => {
      if (++looks > LOOKS_MAX) return clearInterval(timer);
      void get<TopUpSaid>(`/api/v1/me/wallet/topups/${topup.id}`).then((said) => {
        if (said.state === 'pending') return;
        setTopup(said);
        wallet.again();
      }, () => undefined); // Asked again in a moment.
    }, LOOK_MS);
    return () => clearInterval(timer);
  }, [topup?.id, topup?.state]);
  return (
    <main id="main" class="page">
      <PageHead title={t('wallet.title')} back="/car" />
      <div class="wrap narrow">
        <ErrorSummary errors={errors} />
        {wallet.error && !wallet.data && <Trouble error={wallet.error} again={wallet.again} />}
        <section class="card sec stack">
          <p class="meta">{t('wallet.has')}</p>
          <p>{wallet.data ? <Money fen={wallet.data.balance.amount} exact size="big" /> : <span class="skel n" />}</p>
          {topup && <Banner tone={topup.state === 'failed' ? 'bad' : 'info'} icon={topup.state === 'paid' ? 'check' : 'clock'} round>{t(`wallet.topup.${topup.state as 'pending'}`, { yuan: yuan(topup.amount.amount) })}</Banner>}
          <Segmented label={t('wallet.amount')} value={amount} onChange={setAmount} options={AMOUNTS.map((one) => ({ value: one, text: `¥${Number(one) / 100}` }))} />
          <ActButton act={add} class="block">{t('wallet.topup')} ¥{yuan(Number(amount))}</ActButton>
          <p class="fine">{t('wallet.fine')}</p>
        </section>
        <section class="card">
          <h2 class="sec">{t('wallet.entries')}</h2>
          {!wallet.data && <Waiting />}
          {wallet.data?.entries.length === 0 && <Empty>{t('wallet.none')}</Empty>}
          <ul class="rows">
            {wallet.data?.entries.map((one, i) => {
              const what = <><span class="grow">{t(SAID.has(one.what) ? `what.${one.what as 'top_up'}` : 'what.other')}<span class="meta">{dayTime(one.at)}</span></span><Money fen={one.amount.amount} exact /></>;
              return <li key={i}>{one.bill ? <a class="row" href={`/bills/${one.bill}`}>{what}</a> : <span class="row">{what}</span>}</li>;
            })}
          </ul>
        </section>
      </div>
    </main>
  );
}
