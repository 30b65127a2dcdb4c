// My car: what it costs to stand here now, how that comes, when it rises; else my plates.
import { useEffect } from 'preact/hooks';
import { cityNow, tick } from '../../api/city_clock';
import type { PagePlateView, PageSessionView, PlateView, QuoteView, SessionView, StepsView, Wallet } from '../../api/types';
import { useGet } from '../../api/use';
import { clockTime, span } from '../../i18n';
import { t } from '../../i18n/driver';
import { Age } from '../../kit/count';
import { Icon } from '../../kit/icon';
import { yuan } from '../../kit/money';
import { Plate } from '../../kit/plate';
import { Empty, Trouble, Waiting } from '../../kit/say';
import { Pill } from '../../kit/status';
import { PageHead } from '../../shell';
import { Lines } from './lines';
import { plates as known } from './my_plate';
import { SiteName } from './site_name';
import './me.css';

const AGAIN_MS = 15_000, DAY_MS = 86_400_000;

export default function Car() {
  const sessions = useGet<PageSessionView>('/api/v1/me/sessions', { query: { state: 'open', limit: 20 }, every: AGAIN_MS });
  const plates = useGet<PagePlateView>('/api/v1/me/plates', { query: { limit: 100 }, every: 60_000 });
  useEffect(() => {
    if (plates.data) known.value = plates.data.items;
  }, [plates.data]);
  return (
    <main id="main" class="page">
      <PageHead title={t('car.title')}><a class="btn s" href="/plates/new">{t('car.add')}</a></PageHead>
      {sessions.error && !sessions.data && <div class="wrap"><Trouble error={sessions.error} again={sessions.again} /></div>}
      {!sessions.data && !sessions.error && <Waiting />}
      {sessions.data?.items.map((one) => <Stay key={one.id} stay={one} plate={plates.data?.items.find((plate) => plate.plate === one.plate)} />)}
      <div class="wrap cols">
        <div class="stack">
          {sessions.data?.items.length === 0 && <section class="card"><Empty><p class="strong">{t('car.none')}</p><p>{t('car.none.more')}</p></Empty></section>}
          {plates.data && <Plates plates={plates.data.items} />}
        </div>
        <aside class="stack"><More /></aside>
      </div>
    </main>
  );
}

function Stay({ stay, plate }: { stay: SessionView; plate: PlateView | undefined }) {
  void tick.value;
  const now = cityNow(), entered = new Date(stay.entered_at), text = stay.plate ?? '';
  const minute = new Date(Math.floor(now.getTime() / 60_000) * 60_000), until = new Date(Math.max(minute.getTime(), entered.getTime()));
  const quote = useGet<QuoteView>(text ? '/api/v1/me/quote' : null, { query: { site: stay.site, from: stay.entered_at, to: until.toISOString(), plate: text } });
  const short = now.getTime() - entered.getTime() < DAY_MS * 0.9;
  const steps = useGet<StepsView>(short ? '/api/v1/quote/steps' : null, { query: { site: stay.site, from: stay.entered_at, to: new Date(entered.getTime() + DAY_MS).toISOString(), plate_colour: plate?.colour ?? null } });
  const passed = (now.getTime() - entered.getTime()) / 1000, at = steps.data?.steps.findIndex((step) => step.after_s >= passed) ?? -1;
  const next = at > 0 ? steps.data!.steps[at] : undefined, begun = at > 0 ? steps.data!.steps[at - 1]!.after_s : 0;
  const total = quote.data?.total.amount ?? stay.fee?.amount ?? null;
  return (
    <div class="wrap cols">
      <div class="stack">
        <section class="card">
          <div class="hero">
            {text ? <Plate plate={text} colour={plate?.colour ?? 'blue'} size="xl" /> : <span class="plate none">{t('car.noplate')}</span>}
            <p class="line flow centre"><Pill tone={stay.certainty === 'sure' ? 'ok' : 'warn'}>{t(stay.certainty === 'sure' ? 'car.parked' : 'car.doubtful')}</Pill>
              <span><a href={`/sites/${encodeURIComponent(stay.site)}`}><SiteName id={stay.site} /></a>{stay.spot && <><i class="sep"> </i>{t('car.bay', { bay: stay.spot })}</>}</span></p>
          </div>
          <dl class="facts two">
            <div><dt>{t('car.since')}</dt><dd class="huge">{elapsed(passed)}</dd><dd>{t('car.entered', { time: clockTime(entered) })}</dd></div>
            <div><dt>{t('car.fee')}</dt><dd class="huge">{total === null ? '—' : <><small>¥</small>{yuan(total)}</>}</dd><dd>{quote.data ? <Age at={minute} freshness="live" /> : t('board.price.none')}</dd></div>
          </dl>
          {next && (
            <div class="rise">
              <div class="meter" role="img" aria-label={t('car.rise.left', { left: span(next.after_s - passed) })}><i style={{ width: `${Math.round((100 * (passed - begun)) / Math.max(1, next.after_s - begun))}%` }} /></div>
              <p class="line flow apart meta"><span>{t('car.rise.left', { left: span(next.after_s - passed) })}</span><span class="strong ink">{t('car.rise', { time: clockTime(new Date(entered.getTime() + next.after_s * 1000)), yuan: yuan(next.total.amount) })}</span></p>
            </div>
          )}
        </section>
        {quote.data && (
          <section class="card sec">
            <h2>{t('car.how')}</h2>
            <Lines lines={quote.data.lines} total={quote.data.total.amount} caption={t('car.how')} sum={t('car.sofar')} open />
            <p class="fine">{t('site.price.tariff', { id: quote.data.tariff.id, version: quote.data.tariff.version })}<i class="sep"> </i>{t('car.ends')}</p>
          </section>
        )}
      </div>
    </div>
  );
}

const elapsed = (seconds: number): string => `${Math.floor(seconds / 3600)}:${String(Math.floor(seconds / 60) % 60).padStart(2, '0')}`;

const Plates = ({ plates }: { plates: PlateView[] }) => (
  <section class="card">
    <h2 class="sec">{t('plates.title')}</h2>
    {plates.length === 0 && <p class="sec meta">{t('plates.none')}</p>}
    <ul class="rows">
      {plates.map((one) => (
        <li key={one.id}>
          <a class="row" href={`/plates/${one.id}`}>
            <Plate plate={one.plate} colour={one.colour} />
            <span class="grow">{one.nickname}<span class="meta">{one.proved ? t('plates.proved') : t('plates.unproved')}{one.due && one.due.amount > 0 && <><i class="sep"> </i>{t('plates.due', { yuan: yuan(one.due.amount) })}</>}</span></span>
            <Icon name="next" class="chev" />
          </a>
        </li>
      ))}
    </ul>
    <div class="sec"><a class="btn block" href="/plates/new"><Icon name="plus" />{t('car.add')}</a></div>
  </section>
);

/** Bills and wallet: what one looks for beside the car. */
export function More() {
  const wallet = useGet<Wallet>('/api/v1/me/wallet', { query: { limit: 1 } });
  return (
    <section class="card rows">
      <a class="row" href="/bills"><Icon name="bill" /><span class="grow">{t('bills.title')}</span><Icon name="next" class="chev" /></a>
      <a class="row" href="/wallet"><Icon name="wallet" /><span class="grow">{t('wallet.title')}{wallet.data && <span class="meta">{t('wallet.balance', { yuan: yuan(wallet.data.balance.amount) })}</span>}</span><Icon name="next" class="chev" /></a>
    </section>
  );
}
