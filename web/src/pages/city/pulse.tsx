// The city's pulse: what is free where, who comes and goes, what is billed, and whether operators keep what they promised.
import { useEffect } from 'preact/hooks';
import type { CityView, District, ServiceLevels, TurnoverView } from '../../api/types';
import { useGet } from '../../api/use';
import { clockTime, lang, number } from '../../i18n';
import { t } from '../../i18n/city';
import { t as frame } from '../../i18n/shell';
import { Age } from '../../kit/count';
import { Kpi, Kpis, Pane } from '../../kit/kpi';
import { Money, yuan } from '../../kit/money';
import { Bars, Lines } from '../../kit/plot';
import { Empty, Trouble, Waiting } from '../../kit/say';
import { SpikeLegend, Spikes } from '../../kit/spikes';
import { Light } from '../../kit/status';
import { Table } from '../../kit/table';
import './city.css';

const EVERY_MS = 10_000, STEPS_AN_HOUR = 12, BARS = 12;
interface Place { kind: string; zh: string; en: string; pinyin: string; lon: number; lat: number }

export default function Pulse() {
  const places = useGet<CityView>('/api/v1/city/places', { every: EVERY_MS });
  const turnover = useGet<TurnoverView>('/api/v1/city/turnover', { query: { hours: 24 }, every: EVERY_MS }).data;
  const levels = useGet<ServiceLevels>('/api/v1/city/devices', { every: EVERY_MS }).data;
  const districts = useDistricts();
  useEffect(() => {
    document.title = `${t('title')} · ${frame('app.name')}`;
  }, [lang()]);
  const city = places.data;
  return (
    <main id="main" class="deskmain cy" tabIndex={-1}>
      <h1 class="sr">{t('title')}</h1>
      {places.error && !city ? <Trouble error={places.error} again={places.again} /> : null}
      {!city || !turnover ? <Waiting /> : (
        <>
          <Numbers city={city} turnover={turnover} />
          <Pane title={t('pulse')} area="mp" end={<SpikeLegend text={t('pulse.legend')} unknown={t('pulse.unknown')} />}>
            <Spikes sites={city.spikes} label={t('pulse.label', { n: city.spikes.length })} places={marksOf(city.districts, districts)} />
          </Pane>
          <Pane title={t('heat')} fine={t('heat.fine')} area="ht"><div class="pad heatbox" tabIndex={0} role="group" aria-label={t('heat')}><Heat city={city} names={districts} /></div></Pane>
          <Flow turnover={turnover} />
          <Revenue turnover={turnover} />
          <Levels city={city} turnover={turnover} levels={levels} />
        </>
      )}
    </main>
  );
}

const lastHour = (values: readonly number[]): number => values.slice(-STEPS_AN_HOUR).reduce((all, one) => all + one, 0);
const percent = (share: number): string => (100 * share).toFixed(1);

function Numbers({ city, turnover }: { city: CityView; turnover: TurnoverView }) {
  const { total } = city, known = total.capacity - total.unknown - total.out_of_order;
  const age = <Age at={city.as_of} freshness="live" />;
  const feeds = city.operators.reduce((all, one) => ({ live: all.live + one.freshness.live!, late: all.late + one.freshness.late!, silent: all.silent + one.freshness.silent! }), { live: 0, late: 0, silent: 0 });
  const fed = feeds.live + feeds.late + feeds.silent, gained = lastHour(turnover.arrivals) - lastHour(turnover.departures);
  return (
    <Kpis label={t('kpi.now')}>
      <Kpi name={t('kpi.free')} side={age} value={number(total.free)} unit={`/ ${number(total.capacity)}`} foot={t('kpi.free.foot', { known: number(known), unknown: number(total.unknown) })} />
      <Kpi name={t('kpi.taken')} side={age} value={known ? percent(total.occupied / known) : '—'} unit="%" foot={t('kpi.taken.foot', { n: total.sites })} />
      <Kpi name={t('kpi.flow')} value={number(lastHour(turnover.arrivals))} unit={`/ ${number(lastHour(turnover.departures))}`} foot={t('kpi.flow.foot', { n: `${gained > 0 ? '+' : ''}${number(gained)}` })} />
      <Kpi name={t('kpi.stays')} value={number(turnover.arrivals_today)} foot={t('kpi.stays.foot', { out: number(turnover.departures_today), turnover: total.capacity ? (turnover.departures_today / total.capacity).toFixed(2) : '—' })} />
      <Kpi name={t('kpi.billed')} value={<Money fen={turnover.billed_today.amount} exact />} foot={t('kpi.billed.foot')} />
      <Kpi name={t('kpi.live')} value={fed ? percent(feeds.live / fed) : '—'} unit="%" foot={t('kpi.live.foot', { late: feeds.late, silent: feeds.silent })} />
    </Kpis>
  );
}

/** Names of districts by their code, from the place index that the map has: jinshui is 金水区. */
function useDistricts(): Map<string, Place> {
  const index = useGet<{ items: Place[] }>('/basemap/places.json').data;
  const found = index?.items.filter((one) => one.kind === 'district') ?? [];
  return new Map(found.map((one) => [one.pinyin, one]));
}

function nameOf(district: string, names: Map<string, Place>): { text: string; place?: Place } {
  for (const [pinyin, place] of names) if (district && pinyin.startsWith(district)) return { text: lang() === 'zh' ? place.zh : place.en, place };
  return { text: district || '—' };
}

const marksOf = (districts: readonly District[], names: Map<string, Place>) =>
  districts.flatMap((one) => {
    const { text, place } = nameOf(one.district, names);
    return place ? [{ lon: place.lon, lat: place.lat, text }] : [];
  });

function Heat({ city, names }: { city: CityView; names: Map<string, Place> }) {
  const first = new Date(city.first_hour).getTime();
  const hours = (city.districts[0]?.hours ?? []).map((_, at) => clockTime(new Date(first + at * 3600_000)).slice(0, 2));
  if (!city.districts.length) return <Empty>{t('heat.none')}</Empty>;
  return (
    <table class="heat">
      <caption class="sr">{t('heat')}</caption>
      <thead><tr><th scope="col">{t('heat.district')}</th>{hours.map((hour, at) => <th key={at} scope="col">{hour}</th>)}<th scope="col">{t('heat.sites')}</th></tr></thead>
      <tbody>
        {city.districts.map((one) => {
          const name = nameOf(one.district, names).text;
          return (
            <tr key={one.district}>
              <th scope="row">{name}</th>
              {one.hours.map((free, at) => {
                if (free === null) return <td key={at} class="h0" title={t('heat.nobody', { district: name, hour: hours[at]! })}><span aria-hidden="true"> </span><span class="sr">—</span></td>;
                const taken = Math.round(100 * (1 - free));
                return <td key={at} class={`h${Math.min(6, 1 + Math.floor(taken / 16.7))} ${at === hours.length - 1 ? 'now-col' : ''}`} title={t('heat.cell', { district: name, hour: hours[at]!, taken })}>{taken}</td>;
              })}
              <td class="sum">{number(one.counts.sites)}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function Flow({ turnover }: { turnover: TurnoverView }) {
  const first = new Date(turnover.first).getTime(), steps = turnover.arrivals.length;
  const time = (at: number) => clockTime(new Date(first + at * turnover.step_s * 1000));
  const marks = [0, 0.25, 0.5, 0.75, 1].map((share) => Math.round(share * (steps - 1))).map((at) => ({ at, text: time(at) }));
  const hours = byHour(turnover.arrivals).map((arrived, at) => ({ at, arrived, left: byHour(turnover.departures)[at]! }));
  const legend = <div class="legend end"><span><svg viewBox="0 0 18 8" aria-hidden="true"><path d="M0 4h18" stroke="var(--chart-1)" stroke-width="2" /></svg>{t('flow.in')}</span><span><svg viewBox="0 0 18 8" aria-hidden="true"><path d="M0 4h18" stroke="var(--chart-2)" stroke-width="2" /></svg>{t('flow.out')}</span></div>;
  return (
    <Pane title={t('flow')} fine={t('flow.fine')} area="fl" end={legend}>
      <div class="pad" tabIndex={0} role="group" aria-label={t('flow')}>
        <Lines marks={marks} number={(value) => number(Math.round(value))} label={t('flow.label', { in: lastHour(turnover.arrivals), out: lastHour(turnover.departures) })}
          series={[{ name: 'in', values: turnover.arrivals, look: 'l1' }, { name: 'out', values: turnover.departures, look: 'l2' }]}>
          <details><summary>{t('flow.table')}</summary>
            <Table caption={t('flow')} rows={hours} id={(one) => String(one.at)} columns={[
              { key: 'hour', head: t('hour'), cell: (one) => time(one.at * STEPS_AN_HOUR) },
              { key: 'in', head: t('flow.in'), number: true, cell: (one) => number(one.arrived) },
              { key: 'out', head: t('flow.out'), number: true, cell: (one) => number(one.left) },
            ]} />
          </details>
        </Lines>
      </div>
    </Pane>
  );
}

/** Sums of whole hours back from the newest step. */
function byHour(values: readonly number[]): number[] {
  const hours = [];
  for (let at = 0; at + STEPS_AN_HOUR <= values.length; at += STEPS_AN_HOUR) hours.push(values.slice(at, at + STEPS_AN_HOUR).reduce((all, one) => all + one, 0));
  return hours;
}

function Revenue({ turnover }: { turnover: TurnoverView }) {
  const left = byHour(turnover.departures).slice(-BARS), billed = byHour(turnover.billed).slice(-BARS);
  const end = new Date(turnover.first).getTime() + turnover.arrivals.length * turnover.step_s * 1000;
  const marks = (at: number) => (at % 3 ? '' : clockTime(new Date(end - (left.length - at) * 3600_000)));
  return (
    <Pane title={t('money')} area="tr">
      <div class="pad duo" tabIndex={0} role="group" aria-label={t('money')}>
        <div><h3>{t('money.stays')}</h3><Bars values={left} marks={marks} label={t('money.label', { n: number(left.at(-1) ?? 0) })} number={number} last="" /></div>
        <div><h3>{t('money.billed')}</h3><Bars values={billed} marks={marks} label={t('money.billed.label', { n: yuan(billed.at(-1) ?? 0) })} number={yuan} last="" /></div>
      </div>
    </Pane>
  );
}

interface Level { operator: string; sites: number; minute: number | null; online: number | null; plates: number | null; turnover: number | null; billed: number }

function Levels({ city, turnover, levels }: { city: CityView; turnover: TurnoverView; levels: ServiceLevels | undefined }) {
  const held = new Map(levels?.items.map((one) => [one.operator, one])), money = new Map(turnover.operators.map((one) => [one.operator, one]));
  const rows: Level[] = city.operators.map(({ operator, sites }) => {
    const level = held.get(operator);
    const share = (count: number | undefined) => (level?.devices ? count! / level.devices : null);
    return { operator, sites, minute: share(level?.heard), online: share(level?.online), plates: level?.plate_read_rate ?? null, turnover: money.get(operator)?.turnover ?? null, billed: money.get(operator)?.billed.amount ?? 0 };
  });
  const judged = (value: number | null, least: number) => (value === null ? '—' : value >= least ? `${percent(value)}%` : <Light tone="warn">{percent(value)}%</Light>);
  return (
    <Pane title={t('levels')} fine={t('levels.fine')} area="sv" scrolls={t('levels')}>
      {rows.length === 0 ? <Empty>{t('levels.none')}</Empty> : (
        <Table caption={t('levels')} rows={rows} id={(one) => one.operator} sorted={{ key: 'sites', down: true }} columns={[
          { key: 'operator', head: t('levels.operator'), order: (one) => one.operator, cell: (one) => <b>{one.operator}</b> },
          { key: 'sites', head: t('levels.sites'), number: true, order: (one) => one.sites, cell: (one) => number(one.sites) },
          { key: 'minute', head: t('levels.minute'), number: true, order: (one) => one.minute ?? 2, cell: (one) => judged(one.minute, 0.99) },
          { key: 'online', head: t('levels.online'), number: true, order: (one) => one.online ?? 2, cell: (one) => judged(one.online, 0.99) },
          { key: 'plates', head: t('levels.plates'), number: true, order: (one) => one.plates ?? 2, cell: (one) => judged(one.plates, 0.95) },
          { key: 'turnover', head: t('levels.turnover'), number: true, order: (one) => one.turnover ?? 0, cell: (one) => one.turnover?.toFixed(2) ?? '—' },
          { key: 'billed', head: t('levels.billed'), number: true, order: (one) => one.billed, cell: (one) => yuan(one.billed) },
        ]} />
      )}
    </Pane>
  );
}
