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
import { plan, placeName, trip, type Spot } from './trip';

interface Place extends Spot {
  pinyin: string;
  initials: string;
  weight: number;
}
interface Hit {
  key: string;
  text: string;
  more: string;
  take: () => void;
}

const HITS_MAX = 8;
const places = signal<Place[]>([]);
let asked: Promise<void> | null = null;
export const here = signal<{ lon: number; lat: number } | null>(null);

const loadPlaces = (): Promise<void> =>
  (asked ??= get<{ items: Place[] }>('/basemap/places.json').then(
    (found) => void (places.value = found.items),
    () => void (asked = null), // A city without a basemap has its car parks to search among.
  ));

/** How each site's name is typed: pinyin and its initials. */
const spelt = signal(new Map<string, [string, string]>());
let spelling: Promise<void> | null = null;
const loadSpellings = (): Promise<void> =>
  (spelling ??= get<{ id: string[]; pinyin: string[]; initials: string[] }>('/api/v1/map/spellings').then(
    (found) => void (spelt.value = new Map(found.id.map((id, i) => [id, [found.pinyin[i]!, found.initials[i]!]]))),
    () => void (spelling = null),
  ));

/** As keys are spelt: no gaps, no tone marks, v for ü. */
const typed = (text: string): string =>
  text.toLowerCase().normalize('NFD').replace(/u[\u0300-\u0307\u0309-\u036f]*\u0308/g, 'v').replace(/[\u0300-\u036f\s'’]+/g, '').replace(/\u0261/g, 'g').normalize('NFC');

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

/** Begins with it before holds it; then the heavier place. */
function found(text: string): { place: Place; rank: number }[] {
  const wanted = typed(text);
  const rank = (place: Place): number => {
    const words = [place.zh, place.pinyin, place.initials, place.en.toLowerCase().replace(/\s+/g, '')];
    if (words.some((word) => word === wanted)) return 0;
    if (words.some((word) => word.startsWith(wanted))) return 1;
    return words[0]!.includes(wanted) || words[1]!.includes(wanted) || words[3]!.includes(wanted) ? 2 : 9;
  };
  return places.value.map((place) => ({ place, rank: rank(place) })).filter((one) => one.rank < 9).sort((a, b) => a.rank - b.rank || b.place.weight - a.place.weight);
}

function hitsOf(text: string): Hit[] {
  const own: Hit = { key: 'here', text: t('search.here'), more: '', take: locate };
  if (!text.trim()) return [own, ...[...places.value].sort((a, b) => b.weight - a.weight).slice(0, HITS_MAX - 1).map(hitOfPlace)];
  const wanted = text.trim().toLowerCase();
  const keys = typed(text), sounds = (id: string) => spelt.value.get(id)?.some((word) => word.includes(keys));
  const ofSites = [...sites.values()].filter((site) => site.name.zh.includes(wanted) || site.name.en.toLowerCase().includes(wanted) || (keys && sounds(site.id))).slice(0, 4);
  const ofPlaces = found(text).slice(0, HITS_MAX - Math.min(3, ofSites.length)).map(({ place }) => hitOfPlace(place));
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
