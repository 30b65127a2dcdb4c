// Where to: places by their Chinese name, pinyin, initials or English name, car parks, or where one stands. A combobox for the keyboard.
import { signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import { get } from '../../api/client';
import { lang } from '../../i18n';
import { t } from '../../i18n/driver';
import { Icon } from '../../kit/icon';
import { say } from '../../kit/say';
import { sites } from '../../map/sites';
import { go } from '../../router';
import { findPlaces, loadPlaces, places, typed, type Place } from '../../places';
import { plan, placeName, trip } from './trip';

interface Hit {
  key: string;
  text: string;
  more: string;
  take: () => void;
}

const HITS_MAX = 8;
export const here = signal<{ lon: number; lat: number } | null>(null);

/** How each site's name is typed: pinyin and its initials. */
const spelt = signal(new Map<string, [string, string]>());
let spelling: Promise<void> | null = null;
const loadSpellings = (): Promise<void> =>
  (spelling ??= get<{ id: string[]; pinyin: string[]; initials: string[] }>('/api/v1/map/spellings').then(
    (found) => void (spelt.value = new Map(found.id.map((id, i) => [id, [found.pinyin[i]!, found.initials[i]!]]))),
    () => void (spelling = null),
  ));

export function locate(): void {
  const failed = () => say(t('map.here.failed'));
  if (!navigator.geolocation) return failed();
  navigator.geolocation.getCurrentPosition(
    ({ coords }) => {
      here.value = { lon: coords.longitude, lat: coords.latitude };
      plan({ to: { zh: '我的位置', en: 'my position', lon: coords.longitude, lat: coords.latitude } });
    },
    failed,
    { enableHighAccuracy: true, timeout: 10_000, maximumAge: 30_000 },
  );
}

function hitsOf(text: string): Hit[] {
  const own: Hit = { key: 'here', text: t('search.here'), more: '', take: locate };
  if (!text.trim()) return [own, ...findPlaces('').slice(0, HITS_MAX - 1).map(hitOfPlace)];
  const wanted = text.trim().toLowerCase();
  const keys = typed(text), sounds = (id: string) => spelt.value.get(id)?.some((word) => word.includes(keys));
  const ofSites = [...sites.values()].filter((site) => site.name.zh.includes(wanted) || site.name.en.toLowerCase().includes(wanted) || (keys && sounds(site.id))).slice(0, 4);
  const ofPlaces = findPlaces(text).slice(0, HITS_MAX - Math.min(3, ofSites.length)).map(hitOfPlace);
  return [...ofPlaces, ...ofSites.map((site) => ({ key: site.id, text: lang() === 'zh' ? site.name.zh : site.name.en, more: t('search.site'), take: () => go(`/sites/${encodeURIComponent(site.id)}`) }))].slice(0, HITS_MAX);
}

const hitOfPlace = (place: Place): Hit => ({
  key: `${place.lon}/${place.lat}/${place.zh}`, text: lang() === 'zh' ? place.zh : place.en, more: lang() === 'zh' ? place.en : place.zh,
  take: () => {
    plan({ to: { zh: place.zh, en: place.en, lon: place.lon, lat: place.lat } });
    go('/', { keep: true });
  },
});

export function Search({ children }: { children?: preact.ComponentChildren }) {
  const [text, setText] = useState<string | null>(null); // null: not typing, so the destination stands there
  const [at, setAt] = useState(0);
  const input = useRef<HTMLInputElement>(null), box = useRef<HTMLFormElement>(null);
  const open = text !== null, hits = open ? hitsOf(text) : [];
  void places.value, void spelt.value;
  useEffect(() => setAt(0), [text]);
  useEffect(() => {
    const away = (event: Event) => box.current?.contains(event.target as Node) || setText(null);
    document.addEventListener('pointerdown', away);
    return () => document.removeEventListener('pointerdown', away);
  }, []);
  const take = (hit: Hit | undefined) => {
    if (!hit) return;
    setText(null);
    hit.take();
    input.current?.blur();
  };
  const keys = (event: KeyboardEvent) => {
    if (event.key === 'Escape') setText(null);
    else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      if (!open) return begin();
      setAt((at + (event.key === 'ArrowDown' ? 1 : hits.length - 1)) % Math.max(1, hits.length));
    }
  };
  const begin = () => {
    void loadPlaces();
    void loadSpellings();
    setText('');
  };
  return (
    <form ref={box} role="search" onSubmit={(event) => { event.preventDefault(); take(hits[at]); }}>
      <div class="search">
        <Icon name="search" />
        <label class="sr" for="q">{t('search.label')}</label>
        <input id="q" ref={input} type="text" role="combobox" autocomplete="off" enterkeyhint="search" placeholder={trip.value.to ? placeName() : t('search.placeholder')}
          aria-expanded={open} aria-controls="hits" aria-autocomplete="list" aria-activedescendant={open && hits[at] ? `hit-${at}` : undefined}
          value={text ?? (trip.value.to ? placeName() : '')} onFocus={begin} onInput={(event) => setText(event.currentTarget.value)} onKeyDown={keys}
          onBlur={(event) => { if (!box.current?.contains(event.relatedTarget as Node | null)) setTimeout(() => document.activeElement !== input.current && setText(null), 150); }} />
        {children}
      </div>
      <ul id="hits" role="listbox" aria-label={t('search.label')} class="hits" hidden={!open || !hits.length}>
        {hits.map((hit, i) => (
          <li key={hit.key} id={`hit-${i}`} role="option" aria-selected={i === at} onPointerDown={(event) => event.preventDefault()} onClick={() => take(hit)}>
            {hit.key === 'here' && <Icon name="here" />}<span>{hit.text}</span>{hit.more && <span class="meta">{hit.more}</span>}
          </li>
        ))}
      </ul>
      {open && text.trim() && !hits.length && <p class="hits none" role="status">{t('search.none', { text })}</p>}
    </form>
  );
}
