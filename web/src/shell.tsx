// The frame around every page: who we are, where one can go by one's roles, the language, the theme and the size of type.
import type { ComponentChildren, ComponentType } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { isCity, isOperator, isStaff, me } from './api/session';
import { choice, choose } from './choice';
import { t } from './i18n/shell';
import { Icon, Mark, type IconName } from './kit/icon';
import { Toasts, Waiting } from './kit/say';
import { go, here, match, type PageProps, type Route } from './router';

const TABS: { path: string; icon: IconName; key: 'nav.park' | 'nav.car' | 'nav.services' | 'nav.me'; also: string[] }[] = [
  { path: '/', icon: 'park', key: 'nav.park', also: ['/sites'] },
  { path: '/car', icon: 'car', key: 'nav.car', also: ['/bills', '/plates', '/wallet'] },
  { path: '/services', icon: 'services', key: 'nav.services', also: ['/services'] },
  { path: '/me', icon: 'person', key: 'nav.me', also: ['/login'] },
];

const isAt = (tab: { path: string; also: string[] }, path: string) => path === tab.path || tab.also.some((one) => path === one || path.startsWith(one + '/'));

/** Pages of those who work here, by role. */
const work = () => [
  ...(isOperator.value ? [{ path: '/operator', text: t('nav.operator') }] : []),
  ...(isCity.value ? [{ path: '/city', text: t('nav.city') }] : []),
  ...(isStaff.value ? [{ path: '/inbox', text: t('nav.inbox') }] : []),
];

const current = (yes: boolean) => (yes ? ('page' as const) : undefined);

function Switches() {
  const large = choice.value.type === 'large', english = choice.value.lang === 'en';
  return (
    <>
      <button type="button" class="linkish" onClick={() => choose({ type: large ? 'normal' : 'large' })}>{large ? t('large.off') : t('large')}</button>
      <button type="button" class="linkish" lang={english ? 'zh-CN' : 'en'} onClick={() => choose({ lang: english ? 'zh' : 'en' })}>{english ? '中文' : 'English'}</button>
    </>
  );
}

export function Topbar({ children }: { children?: ComponentChildren }) {
  const path = here.value.path;
  return (
    <header class="topbar desk-only">
      <a class="brand" href="/"><Mark /><span>{t('app.name')}</span></a>
      <nav aria-label={t('nav.main')}>
        {TABS.filter((tab) => match(tab.path)).map((tab) => <a key={tab.path} href={tab.path} aria-current={current(isAt(tab, path))}>{t(tab.key)}</a>)}
        {work().filter((one) => match(one.path)).map((one) => <a key={one.path} href={one.path} aria-current={current(path.startsWith(one.path))}>{one.text}</a>)}
      </nav>
      <div class="end">
        <Switches />
        {children}
        {me.value === null && <a href="/login">{t('login')}</a>}
      </div>
    </header>
  );
}

export function Tabbar() {
  const path = here.value.path;
  return (
    <nav class="tabbar phone-only" aria-label={t('nav.main')}>
      {TABS.filter((tab) => match(tab.path)).map((tab) => (
        <a key={tab.path} href={tab.path} aria-current={current(isAt(tab, path))}><Icon name={tab.icon} /><span>{t(tab.key)}</span></a>
      ))}
    </nav>
  );
}

/** The bar of dense pages; an area's own links are its children. */
export function Deskbar({ children }: { children?: ComponentChildren }) {
  const path = here.value.path;
  return (
    <header class="deskbar">
      <a class="brand" href="/"><Mark /><span>{t('app.name')}</span></a>
      <nav aria-label={t('nav.main')}>
        {work().filter((one) => match(one.path)).map((one) => <a key={one.path} href={one.path} aria-current={current(path.startsWith(one.path))}>{one.text}</a>)}
      </nav>
      {children}
      <div class="end"><Switches /></div>
    </header>
  );
}

interface Shown {
  route: Route;
  Page: ComponentType<PageProps> | null;
  params: Record<string, string>;
}

/** The page of a path; the one before stays until its code is there, and one that serves several paths stays for good. */
function useShown(found: { route: Route; params: Record<string, string> } | null): { shown: Shown | null; failed: boolean } {
  const [shown, setShown] = useState<Shown | null>(null), [failed, setFailed] = useState(false);
  const said = found && found.route.path + JSON.stringify(found.params);
  useEffect(() => {
    if (!found) return setShown(null);
    let wanted = true;
    found.route.load().then(
      (module) => wanted && (setFailed(false), setShown({ ...found, Page: module.default })),
      () => wanted && setFailed(true),
    );
    return () => void (wanted = false);
  }, [said]);
  return { shown: found ? shown : null, failed };
}

const mayIn = (route: Route): boolean => !route.who || (!!me.value && (route.who === 'person' || { operator: isOperator, city: isCity, staff: isStaff }[route.who].value));

export function App() {
  const { path, query } = here.value;
  const found = match(path);
  const known = me.value !== undefined;
  const refused = !!found && known && !mayIn(found.route);
  const { shown, failed } = useShown(found && !refused ? found : null);
  const Page = shown?.Page;
  const own = useRef(query); // A page that stays while the next is fetched keeps its own query: it would act on the other's.
  if (found && shown?.route === found.route) own.current = query;
  useEffect(() => {
    if (refused && me.value === null) go(`/login?then=${encodeURIComponent(path + query)}`, { replace: true });
  }, [refused, path]);
  useEffect(() => {
    if (failed && !sessionStorage.getItem('onelot.reloaded')) {
      sessionStorage.setItem('onelot.reloaded', path); // Our files were replaced under us: once, then say so.
      location.reload();
    } else if (Page) sessionStorage.removeItem('onelot.reloaded');
  }, [failed, Page]);
  if (!found || refused) return <Framed><Missing /></Framed>;
  const waiting = !Page || !shown || (shown.route.who && !known);
  const body = waiting ? <main id="main" class="page">{failed ? <p class="wrap">{t('error.chunk')} <a href={path + query} target="_self">{t('error.chunk.again')}</a></p> : <Waiting />}</main> : <Page params={shown.params} query={new URLSearchParams(own.current)} />;
  if ((shown ?? found).route.desk) return <div class="desk"><Skip /><Deskbar />{body}<Toasts /></div>;
  return <Framed>{body}</Framed>;
}

const Skip = () => <a class="skip" href="#main">{t('skip')}</a>;
const Framed = ({ children }: { children: ComponentChildren }) => <><Skip /><Topbar />{children}<Tabbar /><Toasts /></>;
const Missing = () => (
  <main id="main" class="page"><div class="wrap"><h1>{t('error.notFound')}</h1><p><a href="/">{t('error.notFound.home')}</a></p></div></main>
);

/** Head of an inner page: on a phone a bar with a way back, on a desk a title. Sets the document's title. */
export function PageHead({ title, back, children }: { title: string; back?: string; children?: ComponentChildren }) {
  useEffect(() => {
    document.title = `${title} · ${t('app.name')}`;
  }, [title, choice.value.lang]);
  return (
    <div class={`appbar inner ${back ? '' : 'flat'}`}>
      {back && <a class="iconbtn back" href={back} aria-label={t('back')}><Icon name="back" /></a>}
      <h1>{title}</h1>
      {children}
    </div>
  );
}
