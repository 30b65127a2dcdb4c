// The operator's morning: what is free where, what needs a look, and where each number comes from.
import { useEffect, useState } from 'preact/hooks';
import { cityNow, tick } from '../../api/city_clock';
import { Live } from '../../api/live';
import type {
  OperatorSiteView, PageDeviceView, PageOperatorSessionView, PageOperatorSiteView, PageRefusedView, PageSiteHistory, ServiceLevels, SiteHistory, TurnoverView,
} from '../../api/types';
import { useGet } from '../../api/use';
import { ago, clockTime, named, number } from '../../i18n';
import { t } from '../../i18n/operator';
import { Age, Comb, Count } from '../../kit/count';
import { Kpi, Kpis, Pane } from '../../kit/kpi';
import { Money } from '../../kit/money';
import { Empty, Trouble, Waiting } from '../../kit/say';
import { Segmented } from '../../kit/controls';
import { Spark } from '../../kit/spark';
import { SpikeLegend, Spikes } from '../../kit/spikes';
import { Light, Pill } from '../../kit/status';
import { Table } from '../../kit/table';
import { deviceState } from './devices';
import { Console } from './frame';
import { reasonOf } from './refused';

const EVERY_MS = 10_000, NEARLY_FULL = 0.05;
type Which = 'all' | 'look' | 'full';

export default function Sites() {
  const sites = useLiveSites();
  const history = useGet<PageSiteHistory>('/api/v1/operator/history', { query: { limit: 500, hours: 6 }, every: 60_000 });
  const troubled = useGet<PageDeviceView>('/api/v1/operator/devices', { query: { troubled: 'true', limit: 50 }, every: EVERY_MS });
  const refused = useGet<PageRefusedView>('/api/v1/operator/refused', { query: { limit: 20 }, every: EVERY_MS });
  const [chosen, setChosen] = useState<string>();
  const rows = sites.data?.items ?? [];
  const site = rows.find((one) => one.id === chosen);
  return (
    <Console title={t('title')} area="grid">
      <Numbers sites={rows} />
      <SitesPane rows={rows} loaded={sites} lines={new Map(history.data?.items.map((one) => [one.site, one]))} chosen={chosen} choose={setChosen} />
      <Pane title={t('map')} area="mapp" end={<SpikeLegend text={t('map.legend')} />}>
        <Spikes sites={rows.filter((one) => one.capacity !== null).map(spikeOf)} label={t('map.label', { n: rows.length })} width={520} height={250} />
      </Pane>
      <Pane title={t('devices.trouble')} area="dev" scrolls={t('devices.table')} end={<a class="end" href="/operator/devices">{t('devices.all')}</a>}>
        {troubled.data?.items.length === 0 ? <Empty>{t('devices.none')}</Empty> : <Troubled rows={troubled.data?.items ?? []} />}
      </Pane>
      <Pane title={t('refused')} fine={t('refused.fine')} area="ref" scrolls={t('refused.table')} end={<a class="end" href="/operator/refused">{t('devices.all')}</a>}>
        {refused.data?.items.length === 0 ? <Empty>{t('refused.none')}</Empty> : <RefusedRows page={refused.data} />}
      </Pane>
      <Pane title={site ? named(site.name) : t('site.title')} area="selp" scrolls={site ? named(site.name) : t('site.title')} fine={site && <Pill tone={site.problems.length ? 'warn' : 'ok'}>{site.problems.length ? t('site.doubtful') : t('site.fine')}</Pill>}>
        {site ? <Explained site={site} /> : <p class="pad c-2">{t('site.choose')}</p>}
      </Pane>
    </Console>
  );
}

/** One's own sites; counts follow the socket between two askings. */
function useLiveSites() {
  const sites = useGet<PageOperatorSiteView>('/api/v1/operator/sites', { query: { limit: 500 }, every: EVERY_MS });
  const [, heard] = useState(0);
  const [live] = useState(() => new Live());
  useEffect(() => {
    live.look([-180, -85, 180, 85]);
    const stop = live.listen(() => heard((n) => n + 1));
    return () => {
      stop();
      live.close();
    };
  }, []);
  const items = sites.data?.items.map((one) => ({ ...one, ...live.sites.get(one.id) }));
  return { ...sites, data: items && { items } };
}

const spikeOf = (one: OperatorSiteView) => ({ id: one.id, ...one.location, capacity: one.capacity ?? 0, free: one.free ?? 0, unknown: one.unknown ?? 0 });
const sum = (rows: readonly OperatorSiteView[], of: 'free' | 'capacity' | 'unknown' | 'occupied') => rows.reduce((all, one) => all + (one[of] ?? 0), 0);

function Numbers({ sites }: { sites: readonly OperatorSiteView[] }) {
  const turnover = useGet<TurnoverView>('/api/v1/operator/turnover', { query: { hours: 1 }, every: EVERY_MS }).data;
  const levels = useGet<ServiceLevels>('/api/v1/operator/levels', { every: EVERY_MS }).data?.items ?? [];
  const doubtful = useGet<PageOperatorSessionView>('/api/v1/operator/sessions', { query: { certainty: 'doubtful', limit: 500 }, every: 30_000 }).data;
  const [devices, online] = [levels.reduce((all, one) => all + one.devices, 0), levels.reduce((all, one) => all + one.online, 0)];
  const read = levels.filter((one) => one.plate_read_rate !== null);
  const rate = read.length ? read.reduce((all, one) => all + one.plate_read_rate!, 0) / read.length : null;
  const capacity = sum(sites, 'capacity'), oldest = doubtful?.items.at(-1);
  const hour = (of: 'arrivals' | 'departures') => number((turnover?.[of] ?? []).reduce((all, one) => all + one, 0));
  return (
    <Kpis label={t('kpi.now')}>
      <Kpi name={t('kpi.free')} value={number(sum(sites, 'free'))} unit={`/ ${number(capacity)}`}
        foot={t('kpi.free.foot', { share: capacity ? Math.round((100 * sum(sites, 'occupied')) / capacity) : 0, n: number(sum(sites, 'unknown')) })} />
      <Kpi name={t('kpi.flow')} value={hour('arrivals')} unit={`/ ${hour('departures')}`}
        foot={t('kpi.flow.foot', { in: number(turnover?.arrivals_today ?? 0), out: number(turnover?.departures_today ?? 0) })} />
      <Kpi name={t('kpi.online')} value={devices ? ((100 * online) / devices).toFixed(1) : '—'} unit={`% ${online}/${devices}`} foot={t('kpi.online.foot', { n: devices - online })}
        side={devices > 0 && <Mark good={online >= 0.99 * devices} />} />
      <Kpi name={t('kpi.plates')} value={rate === null ? '—' : (100 * rate).toFixed(1)} unit="%" foot={t('kpi.plates.foot')} side={rate !== null && <Mark good={rate >= 0.95} />} />
      <Kpi name={t('kpi.billed')} value={<Money fen={turnover?.billed_today.amount ?? 0} exact />} foot={t('kpi.billed.foot')} />
      <Kpi name={t('kpi.doubtful')} value={`${number(doubtful?.items.length ?? 0)}${doubtful?.next_cursor ? '+' : ''}`}
        foot={oldest ? t('kpi.doubtful.foot', { at: ago(new Date(oldest.entered_at), cityNow()) }) : t('kpi.doubtful.none')} />
    </Kpis>
  );
}

const Mark = ({ good }: { good: boolean }) => <Light tone={good ? 'ok' : 'warn'}><span class="sr">{good ? t('site.fine') : t('site.look')}</span></Light>;

function SitesPane({ rows, loaded, lines, chosen, choose }: {
  rows: readonly OperatorSiteView[]; loaded: ReturnType<typeof useLiveSites>; lines: Map<string, SiteHistory>; chosen: string | undefined; choose: (site: string) => void;
}) {
  const [which, setWhich] = useState<Which>('all');
  const [words, setWords] = useState('');
  const look = rows.filter((one) => one.problems.length > 0), full = rows.filter((one) => one.free !== null && one.free <= NEARLY_FULL * (one.capacity ?? 0));
  const wanted = { all: rows, look, full }[which].filter((one) => [one.id, one.name.zh, one.name.en].some((text) => text.toLowerCase().includes(words.trim().toLowerCase())));
  const filter = <Segmented small label={t('sites.filter')} value={which} onChange={setWhich} options={[
    { value: 'all', text: t('sites.all', { n: rows.length }) }, { value: 'look', text: t('sites.look', { n: look.length }) }, { value: 'full', text: t('sites.full', { n: full.length }) },
  ]} />;
  const find = <div class="end"><input class="input find" type="search" aria-label={t('sites.search')} placeholder={t('sites.search')} value={words} onInput={(event) => setWords(event.currentTarget.value)} /></div>;
  return (
    <Pane title={t('sites')} area="sites" fine={filter} end={find} scrolls={t('sites')}>
      {loaded.error && !loaded.data ? <Trouble error={loaded.error} again={loaded.again} /> : null}
      {!loaded.data ? <Waiting /> : wanted.length === 0 ? <Empty>{rows.length ? t('sites.none') : t('sites.empty')}</Empty> : (
        <Table caption={t('sites')} rows={wanted} id={(one) => one.id} selected={chosen ?? ''} columns={[
          { key: 'site', head: t('col.site'), order: (one) => named(one.name), cell: (one) => <button type="button" class="pick" aria-pressed={one.id === chosen} onClick={() => choose(one.id)}>{named(one.name)}</button> },
          { key: 'free', head: t('col.free'), number: true, order: (one) => one.free ?? -1, cell: (one) => <Count free={one.free ?? 0} freshness={knownOf(one)} /> },
          { key: 'of', head: t('col.total'), number: true, order: (one) => one.capacity ?? 0, cell: (one) => (one.capacity === null ? '?' : number(one.capacity)) },
          { key: 'taken', head: t('col.taken'), order: share, cell: (one) => <Comb size="thin" free={one.free ?? 0} unknown={one.unknown ?? 0} capacity={one.capacity ?? 0} /> },
          { key: 'hours', head: t('col.hours'), cell: (one) => <Line site={one} line={lines.get(one.id)} /> },
          { key: 'age', head: t('col.age'), order: (one) => one.as_of ?? '', cell: (one) => <Age at={one.as_of} freshness={one.freshness} /> },
          { key: 'look', head: t('col.look'), number: true, order: (one) => one.problems.length, cell: (one) => one.problems.length || '' },
        ]} />
      )}
    </Pane>
  );
}

/** Of a site where every bay is unknown nobody says that none is free. */
const knownOf = (one: OperatorSiteView) => (one.free === null || one.unknown === one.capacity ? 'silent' : one.freshness);
const share = (one: OperatorSiteView) => (one.capacity ? (one.occupied ?? 0) / one.capacity : 0);

function Line({ site, line }: { site: OperatorSiteView; line: SiteHistory | undefined }) {
  const known = line?.free.filter((one): one is number => one !== null) ?? [];
  if (!line || known.length === 0) return <span class="fine">{t('line.none')}</span>;
  return <Spark values={line.free} top={site.capacity ?? Math.max(...known)} label={t('line', { site: named(site.name), first: known[0]!, last: known.at(-1)! })} />;
}

const Troubled = ({ rows }: { rows: PageDeviceView['items'] }) => (
  <Table caption={t('devices.trouble')} rows={rows} id={(one) => one.device} columns={[
    { key: 'device', head: t('col.device'), cell: (one) => <span class="code">{one.device}</span> },
    { key: 'state', head: t('col.state'), cell: (one) => deviceState(one) },
    { key: 'clock', head: t('col.clock'), number: true, cell: (one) => (one.clock_offset_s === null ? '—' : `${one.clock_offset_s} s`) },
    { key: 'plates', head: t('col.plates'), number: true, cell: (one) => (one.plate_read_rate === null ? '—' : `${(100 * one.plate_read_rate).toFixed(1)}%`) },
  ]} />
);

const RefusedRows = ({ page }: { page: PageRefusedView | undefined }) => (
  <Table caption={t('refused')} rows={page?.items ?? []} id={(one) => String(one.id)} columns={[
    { key: 'at', head: t('col.time'), cell: (one) => clockTime(one.at) },
    { key: 'device', head: t('col.device'), cell: (one) => <span class="code">{one.device}</span> },
    { key: 'why', head: t('col.reason'), cell: (one) => reasonOf(one.reason) },
    { key: 'raw', head: t('col.raw'), cell: (one) => <span class="code c-2">{one.payload.slice(0, 48)}</span> },
  ]} />
);

const PROBLEMS = { capacity_missing: 1, more_spots_than_capacity: 1, never_counted: 1, count_beyond_capacity: 1, devices_silent: 1 } as const;
const COUNTED = { spots: 'site.counted.spots', gates: 'site.counted.gates', counter: 'site.counted.counter' } as const;

function Explained({ site }: { site: OperatorSiteView }) {
  tick.value;
  return (
    <div class="pad stack" style={{ '--gap': '8px' }}>
      <p class="line base"><Count free={site.free ?? 0} freshness={knownOf(site)} /> <span class="c-2">{site.capacity !== null && t('site.split', { free: site.free ?? 0, occupied: site.occupied ?? 0, unknown: site.unknown ?? 0, out: site.out_of_order ?? 0 })}</span></p>
      <dl class="kv">
        <dt>{t('site.counted')}</dt><dd>{t(COUNTED[site.counted_by as keyof typeof COUNTED])}</dd>
        <dt>{t('site.asof')}</dt><dd>{site.as_of ? ago(new Date(site.as_of), cityNow()) : '—'}</dd>
        {site.problems.map((code) => <><dt>{t('site.look')}</dt><dd>{code in PROBLEMS ? t(`problem.${code as keyof typeof PROBLEMS}`) : code}</dd></>)}
      </dl>
    </div>
  );
}
