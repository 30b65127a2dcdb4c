// A licence, shown: a code that lives a minute and is fetched anew before that; without the network no old one is shown.
import { useEffect, useState } from 'preact/hooks';
import { ask } from '../../api/client';
import type { LicenceView, PresentationView } from '../../api/types';
import { lang, named } from '../../i18n';
import { date, t } from '../../i18n/services';
import { ActButton } from '../../kit/controls';
import { Icon } from '../../kit/icon';
import { Plate } from '../../kit/plate';
import { Banner, say, Trouble, Waiting } from '../../kit/say';
import { Pill } from '../../kit/status';
import type { PageProps } from '../../router';
import { PageHead } from '../../shell';
import { ConfirmDialog } from './confirm';
import { usePages } from './parts';

const ANEW_MS = 45_000; // Of the 60 s that a token lives: who scans it still has a quarter of a minute.
const RETRY_MS = 3000;
const CLAIMS: Record<string, 'claim.name' | 'claim.id_no' | 'claim.address' | 'claim.plate' | 'claim.zone'> = { name: 'claim.name', id_no: 'claim.id_no', address: 'claim.address', plate: 'claim.plate', zone: 'claim.zone' };

export default function LicencePage({ params }: PageProps) {
  const { items, error, again, more } = usePages<LicenceView>('/api/v1/services/licences', { limit: 100 });
  const one = items?.find((held) => held.id === params.id);
  useEffect(() => {
    if (items && !one && !more) setTimeout(again, RETRY_MS); // Approved a moment ago: it is on its way.
  }, [items, one]);
  return (
    <main id="main" class="page">
      <PageHead title={one ? named(one.name) : t('licences')} back="/services/licences" />
      <div class="wrap narrow">
        {error && !items ? <Trouble error={error} again={again} /> : one ? <Shown one={one} again={again} /> : items && more ? <ActButton act={more}>{t('licence.search')}</ActButton> : items ? <p class="meta" role="status">{t('licence.coming')}</p> : <Waiting />}
      </div>
    </main>
  );
}

function Shown({ one, again }: { one: LicenceView; again: () => void }) {
  return (
    <>
    <section class="card">
      <div class="hero">
        {one.state === 'valid' ? <Code id={one.id} /> : <Banner tone="bad" round>{one.revoked ? t('licence.why', { why: named(one.revoked.text), when: one.revoked_at ? date(one.revoked_at) : '' }) : t(`licence.${one.state as 'expired'}`)}</Banner>}
      </div>
      <dl class="kv lines sec">
        {claimsOf(one).map(([key, value]) => <Claim key={key} name={key} value={String(value)} />)}
        <dt>{t('licence.valid')}</dt><dd>{date(one.valid_from)} – {date(one.valid_to)}</dd>
        <dt>{t('licence.state')}</dt><dd><Pill tone={one.state === 'valid' ? 'ok' : 'bad'}>{t(`licence.${one.state}`)}</Pill></dd>
      </dl>
    </section>
    {one.state !== 'revoked' && one.state !== 'expired' && <GiveUp id={one.id} again={again} />}
    </>
  );
}

/** Whoever holds a licence may be without it: asked once more, for it does not come back. */
function GiveUp({ id, again }: { id: string; again: () => void }) {
  const [asking, setAsking] = useState(false), [error, setError] = useState<unknown>(null);
  const give = async () => {
    setAsking(false);
    try {
      await ask<LicenceView>('POST', `/api/v1/services/licences/${id}/revocation`, { body: { reason: 'holder_asked' } });
      setError(null);
      again();
    } catch (problem) {
      setError(problem);
    }
  };
  return (
    <section class="card rows">
      {error ? <Trouble error={error} /> : null}
      <button type="button" class="row" onClick={() => setAsking(true)}><Icon name="cross" /><span class="grow">{t('licence.give_up')}</span></button>
      {asking && <ConfirmDialog title={t('give_up.title')} yes={t('give_up.yes')} no={t('no.leave')} bad onYes={give} onNo={() => setAsking(false)}>{t('give_up.line')}</ConfirmDialog>}
    </section>
  );
}

/** The name first; what a silent department left open says nothing. */
function claimsOf(one: LicenceView): [string, unknown][] {
  const order = Object.keys(CLAIMS), place = (key: string) => (order.indexOf(key) + order.length + 1) % (order.length + 1);
  return Object.entries(one.claims).filter(([, value]) => value !== '').sort(([a], [b]) => place(a) - place(b));
}

const Claim = ({ name, value }: { name: string; value: string }) => (
  <><dt>{CLAIMS[name] ? t(CLAIMS[name]) : name}</dt><dd>{name === 'plate' ? <Plate plate={value} colour={value.length > 7 ? 'green' : 'blue'} /> : value}</dd></>
);

function Code({ id }: { id: string }) {
  const [shown, setShown] = useState<PresentationView | null>(null), [error, setError] = useState<unknown>(null);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>, alive = true, at = 0;
    const show = async () => {
      clearTimeout(timer);
      try {
        const found = await ask<PresentationView>('POST', `/api/v1/services/licences/${id}/presentation`);
        if (!alive) return;
        at = Date.now();
        setShown(found);
        setError(null);
        timer = setTimeout(show, ANEW_MS);
      } catch (problem) {
        if (!alive) return;
        setShown(null);
        setError(problem);
        timer = setTimeout(show, RETRY_MS * 2);
      }
    };
    const seen = () => !document.hidden && Date.now() - at > ANEW_MS && void show(); // A phone that slept shows no dead code.
    document.addEventListener('visibilitychange', seen);
    void show();
    return () => {
      alive = false;
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', seen);
    };
  }, [id]);
  if (error && !shown) return <Trouble error={error} />;
  if (!shown) return <div class="qr"><span class="skel" /></div>;
  const copy = async () => {
    await navigator.clipboard.writeText(shown.token);
    say(t('licence.copied'));
  };
  return (
    <>
      <div class="qr"><img src={shown.qr} alt={t('licence.qr')} /></div>
      <p class="meta" lang={lang()}>{t('licence.minute')}</p>
      <details class="token"><summary>{t('licence.text')}</summary><code class="code" data-token>{shown.token}</code><ActButton act={copy} kind="" class="s">{t('licence.copy')}</ActButton></details>
    </>
  );
}
