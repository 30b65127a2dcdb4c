// One car park: how many and how old, what my stay costs, whether I get in, and the way to its entrance.
import { ProblemError } from '../../api/client';
import { live } from '../../api/live';
import type { SiteView, StepsView } from '../../api/types';
import { useGet } from '../../api/use';
import { clockTime, hours, named, number, span } from '../../i18n';
import { t } from '../../i18n/driver';
import { Age, Comb, Count, type Freshness } from '../../kit/count';
import { Icon } from '../../kit/icon';
import { Money, yuanShort } from '../../kit/money';
import { say, Trouble, Waiting } from '../../kit/say';
import { sitesTurn } from '../../map/sites';
import { HandOff } from './hand_off';
import { Staircase } from './staircase';
import { arrival, placeName, plan, STAY_MAX, target, trip } from './trip';

const DETOUR = 1.3, WALK_M_PER_S = 1.25, DEGREE_M = 111_195;

export function SiteSheet({ id }: { id: string }) {
  const found = useGet<SiteView>(`/api/v1/sites/${encodeURIComponent(id)}`, { every: 20_000 });
  if (!found.data) {
    if (found.error instanceof ProblemError && found.error.status === 404) return <div class="sec"><h1>{t('site.missing')}</h1><p><a href="/">{t('site.back', { place: placeName() })}</a></p></div>;
    return found.error ? <Trouble error={found.error} again={found.again} /> : <Waiting />;
  }
  return <Site site={found.data} key={id} />;
}

function Site({ site }: { site: SiteView }) {
  void sitesTurn.value;
  const told = live.sites.get(site.id), now = told && told.free !== null && (site.as_of === null || (told.as_of ?? '') >= site.as_of) ? { ...site, ...told } : site;
  const { stay } = trip.value, from = minute(arrival());
  const steps = useGet<StepsView>('/api/v1/quote/steps', { query: { site: site.id, from: from.toISOString(), to: new Date(from.getTime() + STAY_MAX * 1000).toISOString() } });
  const price = steps.data ? [...steps.data.steps].reverse().find((step) => step.after_s < stay || step.after_s === 0) : undefined;
  const share = async () => {
    const url = `${location.origin}/sites/${encodeURIComponent(site.id)}`;
    if (navigator.share) return void navigator.share({ title: named(site.name), url }).catch(() => undefined);
    await navigator.clipboard.writeText(url);
    say(t('site.shared'));
  };
  return (
    <div class="sitesheet">
      <section class="sec">
        <a class="desk-only line fine back" href="/">{t('site.back', { place: placeName() })}</a>
        <div class="line apart tops">
          <div class="grow">
            <h1>{named(site.name)}</h1>
            <p class="meta">{t(`type.${site.type as 'surface'}`)}{site.capacity !== null && <><i class="sep"> </i>{t('board.bays', { n: site.capacity })}</>}</p>
          </div>
          <button type="button" class="iconbtn" aria-label={t('site.share')} onClick={share}><Icon name="share" /></button>
        </div>
        <dl class="facts">
          <div>
            <dt>{t('site.free')}</dt>
            <dd>{now.free === null ? '—' : <Count free={now.free} freshness={now.freshness as Freshness} />}</dd>
            <dd><Age at={now.as_of} freshness={now.freshness as Freshness} /></dd>
          </div>
          <Walk site={site} />
          <div>
            <dt>{t('site.stay', { hours: hours(stay) })}</dt>
            <dd>{price ? <Money fen={price.total.amount} /> : '—'}</dd>
            <dd>{t('site.until', { time: clockTime(new Date(from.getTime() + stay * 1000)) })}</dd>
          </div>
        </dl>
        <Teeth site={now} />
        <p class="meta trend">{t(`site.trend.${site.trend as 'stable'}`)}</p>
      </section>
      <section class="sec">
        <h2>{t('site.price')}</h2>
        {steps.data && <Price steps={steps.data} />}
        {steps.error && <p class="meta">{steps.error instanceof ProblemError && steps.error.status === 409 ? t('site.price.none') : steps.error.message}</p>}
        {site.tariff && <p class="meta tariff">{named(site.tariff.text)}</p>}
        {site.tariff && <p class="fine">{t('site.price.tariff', { id: site.tariff.id, version: site.tariff.version })}</p>}
      </section>
      <Fit site={site} />
      <div class="dock pinned"><HandOff site={site} /></div>
    </div>
  );
}

/** The price is asked anew when the minute is another, not with each render. */
const minute = (at: Date): Date => new Date(Math.floor(at.getTime() / 60_000) * 60_000);

function Walk({ site }: { site: SiteView }) {
  const goal = target.value, doors = site.entrances.length ? site.entrances : [site.location];
  if (!goal || !trip.value.to) return <div><dt>{t('site.entrance')}</dt><dd>{doors.length}</dd><dd>{site.max_height_cm ? t('board.height', { m: (site.max_height_cm / 100).toFixed(1) }) : t('site.height.none')}</dd></div>;
  const far = Math.min(...doors.map((door) => Math.hypot((door.lon - goal.lon) * Math.cos((goal.lat * Math.PI) / 180), door.lat - goal.lat) * DEGREE_M)) * DETOUR;
  return <div><dt>{t('site.walk')}</dt><dd>{t('site.walk.n', { n: Math.max(1, Math.round(far / WALK_M_PER_S / 60)) })}</dd><dd>{placeName()}</dd></div>;
}

function Teeth({ site }: { site: SiteView }) {
  if (site.capacity === null || site.free === null) return <p class="fine">{t('site.unknown')}</p>;
  const tenth = (part: number) => (site.capacity ? Math.round((10 * part) / site.capacity) : 0);
  const f = tenth(site.free), u = Math.min(10 - f, tenth(site.unknown ?? 0));
  return (
    <>
      <div class="comb-box"><Comb free={site.free} unknown={site.unknown ?? 0} capacity={site.capacity} size="full" /></div>
      <p class="fine">{t('site.comb', { n: number(site.capacity), f, u, o: 10 - f - u })}</p>
    </>
  );
}

function Price({ steps }: { steps: StepsView }) {
  const { stay } = trip.value, last = steps.steps[steps.steps.length - 1]!;
  const rows = steps.steps.map((step, i) => ({ until: steps.steps[i + 1]?.after_s ?? STAY_MAX, total: step.total.amount, rise: step.total.amount - (steps.steps[i - 1]?.total.amount ?? 0) }));
  const shown = rows.length > 7 ? [...rows.slice(0, 6), rows[rows.length - 1]!] : rows;
  return (
    <>
      <label class="sr" for="stay">{t('site.price.slider')}</label>
      <input id="stay" class="range" type="range" min={1800} max={STAY_MAX} step={1800} value={stay} aria-valuetext={hours(stay)} onInput={(event) => plan({ stay: Number(event.currentTarget.value) })} />
      <Staircase steps={steps.steps.map((step) => ({ after: step.after_s, total: step.total.amount }))} stay={stay} until={STAY_MAX} label={t('site.price.chart', { text: rows.map((row) => `${t('site.price.row', { hours: length(row.until) })} ¥${yuanShort(row.total)}`).join(', ') })} />
      <table class="bill steps">
        <caption class="sr">{t('site.price')}</caption>
        <tbody>
          {shown.map((row) => (
            <tr key={row.until} class={row.total === 0 ? 'nil' : ''}>
              <th class="t" scope="row">{t('site.price.row', { hours: length(row.until) })}</th>
              <td>{row.total === 0 ? t('site.price.free') : row.rise > 0 && row.total !== row.rise ? `+${yuanShort(row.rise)}` : ''}</td>
              <td class="a">{yuanShort(row.total)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="sr">{t('site.price.cap', { yuan: yuanShort(last.total.amount) })}</p>
    </>
  );
}

const length = (seconds: number): string => span(Math.round(seconds / 60) * 60);

function Fit({ site }: { site: SiteView }) {
  const kinds = [['electric', t('site.electric')], ['accessible', t('site.accessible')]] as const;
  return (
    <section class="sec">
      <h2>{t('site.fit')}</h2>
      <dl class="kv lines">
        <dt>{t('site.entrance')}</dt><dd>{site.entrances.length > 1 ? t('site.entrances', { n: site.entrances.length }) : t('site.entrance.one')}</dd>
        <dt>{t('site.height')}</dt><dd>{site.max_height_cm ? t('site.metres', { m: (site.max_height_cm / 100).toFixed(1) }) : t('site.height.none')}</dd>
        {kinds.map(([kind, name]) => {
          const held = site.classes[kind];
          return held && <><dt>{name}</dt><dd>{t(held.unknown ? 'site.class.unknown' : 'site.class', { free: held.free, capacity: held.capacity, unknown: held.unknown })}</dd></>;
        })}
        <dt>{t('site.open')}</dt><dd>{site.opening_hours === '24/7' ? t('site.open.always') : site.opening_hours || t('site.open.none')}</dd>
        {site.max_stay_s && <><dt>{t('site.maxstay')}</dt><dd>{hours(site.max_stay_s)}</dd></>}
        <dt>{t('site.counted')}</dt><dd>{t(`site.counted.${site.counted_by as 'spots'}`)}</dd>
      </dl>
    </section>
  );
}
