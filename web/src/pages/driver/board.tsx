// The ranked list: the whole map in words, with the same filters, the same order and the same live counts.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { NetworkError, ProblemError } from '../../api/client';
import { live, liveState } from '../../api/live';
import type { NearItem, PageNearItem } from '../../api/types';
import { useGet } from '../../api/use';
import { clockTime, hours, metres, named } from '../../i18n';
import { t } from '../../i18n/driver';
import { Segmented } from '../../kit/controls';
import { Age, Comb, Count } from '../../kit/count';
import { Icon } from '../../kit/icon';
import { Money } from '../../kit/money';
import { Banner, Empty, Trouble, Waiting } from '../../kit/say';
import { sitesTurn } from '../../map/sites';
import { arrival, placeName, plan, RADII, target, trip, type Sort } from './trip';
import { TripDialog, type Part } from './trip_dialog';

const AGAIN_MS = 15_000, LIMIT = 60, SEEN_FIRST = 8, HIGH_CM = 210, DEGREE_M = 111_195;

/** The newest of what the ranking said and the socket tells. */
export function newest(item: NearItem): NearItem['site'] {
  void sitesTurn.value;
  const told = trip.value.kind === null ? live.sites.get(item.site.id) : undefined;
  if (!told || told.free === null) return item.site;
  if (item.site.as_of !== null && (told.as_of === null || told.as_of < item.site.as_of)) return item.site;
  return { ...item.site, free: told.free, unknown: told.unknown ?? 0, as_of: told.as_of, freshness: told.freshness };
}

const ORDERS: Record<Sort, (a: NearItem, b: NearItem) => number> = {
  best: () => 0,
  sure: (a, b) => (b.p_free ?? 0) - (a.p_free ?? 0) || b.site.free - a.site.free,
  cheap: (a, b) => (a.price?.amount ?? 1e9) - (b.price?.amount ?? 1e9),
  near: (a, b) => a.distance_m - b.distance_m,
};

function useNear(): { items: NearItem[] | null; error: Error | undefined; again: () => void; changed: boolean; update: () => void } {
  const { arrive, stay, radius, kind, free, high, indoor, sort } = trip.value, goal = target.value;
  const query = goal && { lon: goal.lon.toFixed(6), lat: goal.lat.toFixed(6), radius, limit: LIMIT, stay_s: stay, class: kind, arrive };
  const near = useGet<PageNearItem>(goal ? '/api/v1/near' : null, { query: query ?? {}, every: AGAIN_MS });
  const key = JSON.stringify([query, free, high, indoor, sort]);
  const fitting = useMemo(() => {
    const kept = near.data?.items.filter(({ site }) => (!free || site.free > 0) && (!high || !site.max_height_cm || site.max_height_cm >= HIGH_CM) && (!indoor || site.type === 'structure' || site.type === 'underground'));
    return kept?.sort(ORDERS[sort]) ?? null;
  }, [near.data, key]);
  const held = useRef<{ key: string; items: NearItem[] } | null>(null);
  const [, redraw] = useState(0);
  if (fitting && near.fresh && held.current?.key !== key) held.current = { key, items: fitting };
  const stands = held.current?.items;
  const latest = new Map((near.fresh ? (near.data?.items ?? []) : []).map((item) => [item.site.id, item]));
  const items = stands?.map((item) => latest.get(item.site.id) ?? item) ?? null; // Rows stay where they are under the finger.
  const changed = near.fresh && !!stands && !!fitting && stands.map((one) => one.site.id).join() !== fitting.map((one) => one.site.id).join();
  return { items, error: near.error, again: near.again, changed, update: () => { held.current = { key, items: fitting ?? [] }; redraw((n) => n + 1); } };
}

/** `onShown`: the list stands there, or says why not; what takes long may begin. */
export function Board({ failed, onShown }: { failed: boolean; onShown: () => void }) {
  const { stay, arrive, radius, sort, to } = trip.value, goal = target.value;
  const { items, error, again, changed, update } = useNear();
  const [dialog, setDialog] = useState<Part | null>(null);
  useEffect(() => {
    if (!goal) return;
    const high = radius / DEGREE_M, wide = high / Math.cos((goal.lat * Math.PI) / 180);
    if (failed) live.look([goal.lon - wide, goal.lat - high, goal.lon + wide, goal.lat + high]); // The map, where there is one, looks at more.
  }, [goal?.lon, goal?.lat, radius, failed]);
  const loading = error instanceof ProblemError && error.status === 503, shown = !!items || !!error;
  const [whole, setWhole] = useState(false);
  useEffect(() => {
    if (shown) requestAnimationFrame(() => setTimeout(() => (setWhole(true), onShown()))); // After what one sees is painted.
  }, [shown]);
  return (
    <>
      <h1 class="sr">{t('home.title', { place: placeName() })}</h1>
      <div class="care-on calls"><a class="btn block" href="tel:12345"><Icon name="phone" />{t('home.call')}</a></div>
      <p class="ask">
        {t('ask.to')} <button type="button" onClick={() => document.getElementById('q')?.focus()}>{to ? placeName() : t('home.centre')}</button>{t('ask.comma')}
        <button type="button" onClick={() => setDialog('arrive')}>{arrive ? t('ask.at', { time: clockTime(arrival()) }) : t('ask.now')}</button>{t('ask.comma').trimEnd()}{t('ask.stay')}{' '}
        <button type="button" onClick={() => setDialog('stay')}>{hours(stay)}</button>
      </p>
      <div class="care-off sorts">
        <Segmented label={t('sort')} value={sort} onChange={(value) => plan({ sort: value })}
          options={[{ value: 'best', text: t('sort.best') }, { value: 'sure', text: t('sort.sure') }, { value: 'cheap', text: t('sort.cheap') }, { value: 'near', text: t('sort.near') }]} />
      </div>
      {loading && <Banner tone="info" icon="clock">{t('home.loading')}</Banner>}
      {error && !loading && !items && <Trouble error={error} again={again} />}
      {error instanceof NetworkError && items && <Trouble error={error} />}
      {changed && <p class="changed"><button type="button" class="btn s" onClick={update}>{t('sort.changed')}</button></p>}
      {items && items.length > 0 && <div class="bhead" aria-hidden="true"><span>{t('board.free')}</span><span>{t('board.site')}</span><span>{t('board.stay', { hours: hours(stay) })}</span></div>}
      {!items && !error && <Waiting />}
      {items?.length === 0 && <Nothing />}
      <ol class="board">{(whole ? items : items?.slice(0, SEEN_FIRST))?.map((item) => <Row key={item.site.id} item={item} />)}</ol>
      {items && items.length > 0 && <p class="why"><Icon name="warning" class="hide" /><span>{t(`why.${{ best: 'order', sure: 'sure', cheap: 'cheap', near: 'near' }[sort] as 'order' | 'sure' | 'cheap' | 'near'}`, { hours: hours(stay) })}</span></p>}
      <Legend />
      {dialog && <TripDialog part={dialog} onClose={() => setDialog(null)} />}
    </>
  );
}

function Nothing() {
  const wider = RADII.find((one) => one > trip.value.radius);
  return (
    <Empty>
      <p class="strong">{t('home.none', { radius: metres(trip.value.radius) })}</p>
      {wider && <button type="button" class="btn" onClick={() => plan({ radius: wider })}>{t('home.wider', { radius: metres(wider) })}</button>}
    </Empty>
  );
}

function Row({ item }: { item: NearItem }) {
  const site = newest(item), heard = liveState.value.tried && !liveState.value.open ? liveState.value.at : null;
  return (
    <li>
      <a class={`brow ${site.freshness === 'silent' ? 'silent' : ''}`} href={`/sites/${encodeURIComponent(site.id)}`}>
        <span>
          <Count free={site.free} freshness={site.freshness} heard={heard} /><span class="sr"> {t('board.free')}</span>
          <Comb free={site.free} unknown={site.unknown} capacity={site.capacity} />
          <Age at={site.as_of} freshness={site.freshness} />
        </span>
        <span>
          <span class="line apart base tops">
            <span class="name">{named(site.name)}</span>
            {item.price ? <Money fen={item.price.amount} /> : <span class="meta nowrap">{t('board.price.none')}</span>}
          </span>
          <span class="meta">
            {t('board.walk', { n: Math.max(1, Math.round(item.walk_s / 60)) })}<i class="sep"> </i>{t(`type.${site.type as 'surface'}`)}<i class="sep"> </i>{t('board.bays', { n: site.capacity })}
            {site.max_height_cm ? <><i class="sep"> </i>{t('board.height', { m: (site.max_height_cm / 100).toFixed(1) })}</> : null}
          </span>
          <Why item={item} free={site.free} unknown={site.unknown} />
        </span>
      </a>
    </li>
  );
}

const SAID = new Set(['few_left', 'some_unknown', 'places_unknown', 'price_unknown', 'free_of_charge', 'hours_unknown', 'freshness_late', 'freshness_silent', 'freshness_static', 'never_heard']);

/** The chance where somebody forecasts; else what the ranking held for and against it. */
function Why({ item, free, unknown }: { item: NearItem; free: number; unknown: number }) {
  if (item.p_free !== null) {
    const level = item.p_free >= 0.75 ? '' : item.p_free >= 0.5 ? 'mid' : 'low';
    return <span class={`chance ${level}`}>{t('chance')}<b>{Math.round(item.p_free * 100)}%</b></span>;
  }
  const codes = item.why.filter((code) => SAID.has(code) && (code !== 'few_left' || free <= 3));
  if (free === 0 && unknown === 0) codes.unshift('full');
  if (!codes.length) return null;
  return <span class="chance">{codes.map((code, i) => <span key={code}>{i > 0 && <i class="sep"> </i>}{t(`why.${code as 'few_left'}`, { n: unknown })}</span>)}</span>;
}

const Legend = () => (
  <p class="legend sec" aria-hidden="true">
    <span><svg viewBox="0 0 12 18"><rect width="12" height="18" class="b-free" /></svg>{t('legend.free')}</span>
    <span><svg viewBox="0 0 12 18"><rect x=".5" y=".5" width="11" height="17" class="b-taken" /><path d="M0 0l12 18" class="b-diag" /></svg>{t('legend.taken')}</span>
    <span><svg viewBox="0 0 12 18"><rect x=".5" y=".5" width="11" height="17" class="b-unknown" /></svg>{t('legend.unknown')}</span>
    <span><svg viewBox="0 0 12 18"><rect width="12" height="18" class="b-ev" /><path d="M7 3L3 10h3l-1 5 4-7H6z" class="b-glyph" /></svg>{t('legend.electric')}</span>
    <span><svg viewBox="0 0 12 18"><rect width="12" height="18" class="b-access" /><path d="M5 3v6h3l1.500 4M5 6h3M4 7.500a3 3 0 1 0 3.500 5" class="b-glyph" /></svg>{t('legend.accessible')}</span>
  </p>
);
