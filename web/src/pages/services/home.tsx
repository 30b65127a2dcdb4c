// Services: say what one needs in one's own words, and find again what one has begun, holds and may ask about.
import { useEffect, useState } from 'preact/hooks';
import { me } from '../../api/session';
import { tick, cityNow } from '../../api/city_clock';
import type { MatterRow, PageAccessView, PageCaseRow, PageLicenceView, PageLifeEventView, PageMatterRow, PageSessionView } from '../../api/types';
import { useGet } from '../../api/use';
import { choice, choose } from '../../choice';
import { named, span } from '../../i18n';
import { moment, t } from '../../i18n/services';
import { t as shell } from '../../i18n/shell';
import { Icon, isIcon } from '../../kit/icon';
import { Money } from '../../kit/money';
import { Plate } from '../../kit/plate';
import { Empty, Trouble, Waiting } from '../../kit/say';
import { go, match, type PageProps } from '../../router';
import { CaseLink, LicenceLink, LinkRow, MatterLink } from './parts';

const TYPED_MS = 250, CASES_SHOWN = 5;

export default function Home({ query }: PageProps) {
  const [typed, setTyped] = useState(query.get('q') ?? '');
  const [wanted, setWanted] = useState(typed.trim());
  useEffect(() => {
    document.title = `${t('title')} · ${shell('app.name')}`;
  }, [choice.value.lang]);
  useEffect(() => {
    const timer = setTimeout(() => {
      setWanted(typed.trim());
      if (typed.trim() !== (query.get('q') ?? '')) go(typed.trim() ? `/services?q=${encodeURIComponent(typed.trim())}` : '/services', { replace: true, keep: true });
    }, TYPED_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  const large = choice.value.type === 'large', event = query.get('event');
  return (
    <main id="main" class="page">
      <div class="apphead">
        <div class="line apart phone-only"><h1>{t('title')}</h1><button type="button" class="btn quiet s" onClick={() => choose({ type: large ? 'normal' : 'large' })}>{large ? shell('large.off') : shell('large')}</button></div>
        <h1 class="sr desk-only">{t('title')}</h1>
        <form role="search" class="search flat" onSubmit={(event) => { event.preventDefault(); setWanted(typed.trim()); }}>
          <Icon name="search" />
          <label class="sr" for="q">{t('search.label')}</label>
          <input id="q" type="search" autocomplete="off" maxLength={100} placeholder={t('search.eg')} value={typed} onInput={(event) => setTyped(event.currentTarget.value)} />
        </form>
      </div>
      <div class="wrap cols home">
        <div class="stack wide">
          {wanted ? <Found words={wanted} /> : event ? <Belonging event={event} /> : null}
          {me.value && !wanted && !event && <Cases />}
          {!wanted && <LifeEvents event={event} />}
          {!wanted && !event && <Matters />}
        </div>
        <aside class="stack wide">
          <ParkingEntry />
          {me.value && <Licences />}
          <section class="card rows">
            {me.value && <Looks />}
            {me.value && <LinkRow href="/me/sessions" icon="lock" title={t('sessions.title')}>{t('sessions.line')}</LinkRow>}
            <LinkRow href="/services/verify" icon="shield" title={t('verify.title')}>{t('verify.line')}</LinkRow>
            <LinkRow href="tel:12345" icon="phone" title={t('call')}>{t('call.line')}</LinkRow>
          </section>
        </aside>
      </div>
    </main>
  );
}

function Found({ words }: { words: string }) {
  const found = useGet<PageMatterRow>('/api/v1/services/matters', { query: { q: words } });
  return (
    <section class="card" aria-live="polite">
      <div class="sec"><h2>{found.data ? t('search.found', { n: found.data.items.length, words }) : t('search.looking', { words })}</h2></div>
      {found.error ? <Trouble error={found.error} again={found.again} /> : !found.data ? <Waiting rows={1} /> : found.data.items.length ? <Rows items={found.data.items} /> : <Empty>{t('search.none')}</Empty>}
    </section>
  );
}

const Rows = ({ items }: { items: MatterRow[] }) => <div class="rows ruled">{items.map((row) => <MatterLink key={row.code} row={row} />)}</div>;

/** What happens to people, in their words: a tile for each to which a matter belongs. */
function LifeEvents({ event }: { event: string | null }) {
  const found = useGet<PageLifeEventView>('/api/v1/services/life-events');
  if (!found.data?.items.length) return null;
  return (
    <section class="card sec">
      <h2>{t('life')}</h2>
      <div class="tiles desk6">
        {found.data.items.map((one) => (
          <a key={one.code} class="tile" href={`/services?event=${one.code}`} aria-current={one.code === event ? 'true' : undefined}>
            <Icon name={isIcon(one.icon) ? one.icon : 'services'} /><span>{named(one.name)}<br /><span class="fine">{t('life.n', { n: one.matters })}</span></span>
          </a>
        ))}
      </div>
    </section>
  );
}

function Belonging({ event }: { event: string }) {
  const found = useGet<PageMatterRow>('/api/v1/services/matters', { query: { event } });
  const events = useGet<PageLifeEventView>('/api/v1/services/life-events').data, one = events?.items.find((each) => each.code === event);
  return (
    <section class="card" aria-live="polite">
      <div class="sec"><div class="line apart"><h2>{found.data ? t('life.found', { name: one ? named(one.name) : '', n: found.data.items.length }) : t('life')}</h2><a class="meta" href="/services">{t('life.all')}</a></div></div>
      {found.error ? <Trouble error={found.error} again={found.again} /> : !found.data ? <Waiting rows={1} /> : found.data.items.length ? <Rows items={found.data.items} /> : <Empty>{t('search.none')}</Empty>}
    </section>
  );
}

function Matters() {
  const all = useGet<PageMatterRow>('/api/v1/services/matters', { query: { limit: 20 } });
  return (
    <section class="card">
      <div class="sec"><h2>{t('matters')}</h2></div>
      {all.error && !all.data ? <Trouble error={all.error} again={all.again} /> : !all.data ? <Waiting /> : <Rows items={all.data.items} />}
    </section>
  );
}

function Cases() {
  const cases = useGet<PageCaseRow>('/api/v1/services/cases', { query: { limit: CASES_SHOWN + 1 }, every: 15_000 });
  return (
    <section class="card">
      <div class="sec"><div class="line apart"><h2>{t('cases')}</h2>{cases.data && cases.data.items.length > 0 && <a class="meta" href="/services/cases">{t('all')}</a>}</div></div>
      {cases.error && !cases.data ? <Trouble error={cases.error} again={cases.again} /> : !cases.data ? <Waiting rows={2} />
        : cases.data.items.length === 0 ? <p class="sec meta bare">{t('cases.none')}</p>
          : <div class="rows ruled">{cases.data.items.slice(0, CASES_SHOWN).map((row) => <CaseLink key={row.id} row={row} />)}</div>}
    </section>
  );
}

function Licences() {
  const held = useGet<PageLicenceView>('/api/v1/services/licences', { query: { limit: 4 } });
  if (!held.data?.items.length) return null;
  return (
    <section class="card sec">
      <div class="line apart"><h2>{t('licences')}</h2><a class="meta" href="/services/licences">{t('all')}</a></div>
      <div class="lics">{held.data.items.map((one) => <LicenceLink key={one.id} one={one} />)}</div>
    </section>
  );
}

function Looks() {
  const seen = useGet<PageAccessView>('/api/v1/me/accesses', { query: { limit: 1 } });
  const last = seen.data?.items[0];
  return <LinkRow href="/me/accesses" icon="eye" title={t('looks.title')}>{last ? t('looks.last', { when: moment(last.at) }) : t('looks.line')}</LinkRow>;
}

/** The other half of the app: the car that stands somewhere now, or the way to a place. */
function ParkingEntry() {
  tick.value;
  const open = useGet<PageSessionView>(me.value ? '/api/v1/me/sessions' : null, { query: { state: 'open', limit: 1 }, every: 30_000 });
  const stay = open.data?.items[0];
  if (!stay) return <section class="card rows"><LinkRow href="/" icon="park" title={t('park')}>{t('park.line')}</LinkRow></section>;
  return (
    <a class="card parkentry" href={match('/car') ? '/car' : '/'}>
      <span class="line flow">
        {stay.plate && <Plate plate={stay.plate} colour={stay.plate.length > 7 ? 'green' : 'blue'} size="m" />}
        <span class="grow"><b>{t('park.now', { span: span((cityNow().getTime() - Date.parse(stay.entered_at)) / 1000) })}</b></span>
        {stay.fee && <Money fen={stay.fee.amount} exact />}
      </span>
    </a>
  );
}
