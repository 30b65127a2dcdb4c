// One plate: prove that it is mine by the vehicle licence, pay what it owes, take it off.
import { useState } from 'preact/hooks';
import { ask, freshKey, ProblemError } from '../../api/client';
import type { PagePlateView, PlateView } from '../../api/types';
import { useGet } from '../../api/use';
import { t } from '../../i18n/driver';
import { ActButton } from '../../kit/controls';
import { ErrorSummary, TextField } from '../../kit/field';
import { yuan } from '../../kit/money';
import { Plate } from '../../kit/plate';
import { Banner, Trouble, Waiting, wordsOf } from '../../kit/say';
import { Pill } from '../../kit/status';
import { go, type PageProps } from '../../router';
import { PageHead } from '../../shell';
import { loadPlates } from './my_plate';
import './me.css';

export default function OnePlate({ params }: PageProps) {
  const found = useGet<PagePlateView>('/api/v1/me/plates', { query: { limit: 100 } });
  const plate = found.data?.items.find((one) => one.id === params.plate);
  return (
    <main id="main" class="page">
      <PageHead title={t('plates.one')} back="/car" />
      <div class="wrap narrow">
        {found.error && !found.data && <Trouble error={found.error} again={found.again} />}
        {!found.data && !found.error && <Waiting />}
        {found.data && !plate && <p>{t('plates.gone')}</p>}
        {plate && <Known plate={plate} again={found.again} />}
      </div>
    </main>
  );
}

function Known({ plate, again }: { plate: PlateView; again: () => void }) {
  const [errors, setErrors] = useState<Record<string, string>>({}), [paid, setPaid] = useState(false), [sure, setSure] = useState(false), [key] = useState(freshKey);
  const remove = async () => {
    try {
      await ask('DELETE', `/api/v1/me/plates/${plate.id}`);
      await loadPlates();
      go('/car', { replace: true });
    } catch (error) {
      setErrors({ '': wordsOf(error) });
    }
  };
  const pay = async () => {
    try {
      await ask('POST', `/api/v1/me/plates/${plate.id}/pay`, { body: { rail: 'wallet' }, key });
      setErrors({});
      setPaid(true);
      again();
    } catch (error) {
      setErrors({ '': error instanceof ProblemError && error.status === 409 ? t('pay.poor') : wordsOf(error) });
    }
  };
  return (
    <>
      <ErrorSummary errors={errors} />
      <section class="card">
        <div class="hero"><Plate plate={plate.plate} colour={plate.colour} size="xl" /><p>{plate.proved ? <Pill tone="ok">{t('plates.proved')}</Pill> : <Pill tone="warn">{t('plates.unproved')}</Pill>} {plate.nickname}</p></div>
        {plate.auto_pay && <p class="sec meta">{t('plates.autopay')}</p>}
      </section>
      {paid && <Banner tone="info" icon="check" round>{t('plates.paid')}</Banner>}
      {plate.due && plate.due.amount > 0 && (
        <section class="card sec stack">
          <p>{t('plates.due.long', { yuan: yuan(plate.due.amount) })}</p>
          <ActButton act={pay} class="pay block">{t('pay.pay')} ¥{yuan(plate.due.amount)} <Plate plate={plate.plate} colour={plate.colour} /></ActButton>
        </section>
      )}
      {!plate.proved && <Prove plate={plate} again={again} report={setErrors} />}
      <section class="card sec stack">
        {sure ? <><p>{t('plates.remove.sure')}</p><div class="line flow"><ActButton act={remove} kind="bad">{t('plates.remove')}</ActButton><button type="button" class="btn" onClick={() => setSure(false)}>{t('plates.keep')}</button></div></>
          : <button type="button" class="btn bad" onClick={() => setSure(true)}>{t('plates.remove')}</button>}
      </section>
    </>
  );
}

function Prove({ plate, again, report }: { plate: PlateView; again: () => void; report: (errors: Record<string, string>) => void }) {
  const [vin, setVin] = useState(''), [wrong, setWrong] = useState<string>();
  const prove = async () => {
    const fail = (text: string) => (setWrong(text), report({ vin: text }));
    if (!/^[0-9A-Za-z]{6}$/.test(vin)) return fail(t('proof.bad'));
    try {
      await ask('POST', `/api/v1/me/plates/${plate.id}/proof`, { body: { way: 'vehicle_licence', vin_last6: vin.toUpperCase() } });
      report({});
      await loadPlates();
      again();
    } catch (error) {
      fail(error instanceof ProblemError && error.status === 422 ? t('proof.disagrees') : wordsOf(error));
    }
  };
  return (
    <form class="card sec stack" noValidate onSubmit={(event) => { event.preventDefault(); void prove(); }}>
      <h2>{t('proof.title')}</h2>
      <p class="meta">{t('proof.why')}</p>
      <TextField id="vin" label={t('proof.vin')} hint={t('proof.hint')} error={wrong} value={vin} onValue={setVin} maxLength={6} autocomplete="off" />
      <ActButton act={prove} class="block">{t('proof.send')}</ActButton>
    </form>
  );
}
