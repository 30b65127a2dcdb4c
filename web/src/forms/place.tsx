// A question that is answered by a place: typed in Chinese, pinyin or English and chosen from a list, or where one stands. For the keyboard.
import { useEffect, useRef, useState } from 'preact/hooks';
import { lang, named } from '../i18n';
import { t } from '../i18n/services';
import { described, Field } from '../kit/field';
import { Icon } from '../kit/icon';
import { findPlaces, loadPlaces, places, type Place } from '../places';
import { idOf, isEmpty, type PlaceValue, type Schema, type Value } from './schema';

const HITS_MAX = 8, DECIMALS = 1e6, COMPOSING = 229;

const placed = (value: Value): PlaceValue | null => (isEmpty(value) || typeof value !== 'object' ? null : (value as PlaceValue));

/** A place by its name, a point by where it is. */
export function wordsOfPlace(value: Value): string {
  const place = placed(value);
  if (!place) return '';
  return place.name ? named(place.name) : t('place.point', { lat: place.lat, lon: place.lon });
}

interface Hit {
  key: string;
  text: string;
  more: string;
  take: () => void;
}
interface Drawn {
  pointer: string;
  schema: Schema;
  value: Value;
  error: string | undefined;
  label: preact.ComponentChildren;
  hint: preact.ComponentChildren;
  put: (value: PlaceValue | undefined) => void;
}

export function PlaceField({ pointer, schema, value, error, label, hint, put }: Drawn) {
  const id = idOf(pointer), rule = schema['x-place'] ?? {}, chosen = wordsOfPlace(value), box = useRef<HTMLDivElement>(null);
  const [text, setText] = useState<string | null>(null), [open, setOpen] = useState(false), [at, setAt] = useState(0), [trouble, setTrouble] = useState('');
  useEffect(() => setAt(0), [text, open]);

  const hitOf = (place: Place): Hit => ({
    key: place.id, text: lang() === 'zh' ? place.zh : place.en, more: lang() === 'zh' ? place.en : place.zh,
    take: () => settle({ place: place.id, name: { zh: place.zh, en: place.en }, lon: place.lon, lat: place.lat }),
  });
  const settle = (answer: PlaceValue) => {
    put(answer);
    setText(null);
    setOpen(false);
    setTrouble('');
  };
  const locate = () => {
    setOpen(false);
    const failed = () => setTrouble(t('place.here.failed'));
    if (!navigator.geolocation) return failed();
    const round = (degrees: number) => Math.round(degrees * DECIMALS) / DECIMALS;
    navigator.geolocation.getCurrentPosition(({ coords }) => settle({ place: null, name: null, lon: round(coords.longitude), lat: round(coords.latitude) }), failed, { enableHighAccuracy: true, timeout: 10_000, maximumAge: 0 });
  };
  const hitsOf = (): Hit[] => {
    const among = places.value.filter((one) => !rule.kinds || rule.kinds.includes(one.kind));
    const own = rule.point && !text?.trim() ? [{ key: 'here', text: t('place.here'), more: '', take: locate }] : [];
    return [...own, ...findPlaces(text ?? '', among).slice(0, HITS_MAX - own.length).map((place) => hitOf(place))];
  };
  const loaded = places.value.length > 0, hits = open && (loaded || trouble) ? hitsOf() : [], said = trouble || error;
  const begin = () => {
    void loadPlaces().then(() => setTrouble((was) => was || (places.value.length ? '' : t('place.away'))));
    setOpen(true);
  };
  const type = (typed: string) => {
    setTrouble('');
    setText(typed);
    setOpen(true);
    if (!isEmpty(value)) put(undefined); // What stands there is not what was chosen any more.
  };
  /** Who leaves without choosing is told; a name that is typed out whole is a choice. */
  const leave = () => {
    setOpen(false);
    if (text === null) return;
    const same = findPlaces(text).find((one) => [one.zh, one.en.toLowerCase()].includes(text.trim().toLowerCase()) && (!rule.kinds || rule.kinds.includes(one.kind)));
    if (same) hitOf(same).take();
    else if (text.trim()) setTrouble(t('place.choose'));
    else setText(null);
  };
  const keys = (event: KeyboardEvent) => {
    if (event.isComposing || event.keyCode === COMPOSING) return; // The Enter that ends a composition chooses nothing.
    if (event.key === 'Escape' && open) {
      event.preventDefault();
      setOpen(false);
    } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      if (!open) return begin();
      setAt((at + (event.key === 'ArrowDown' ? 1 : hits.length - 1)) % Math.max(1, hits.length));
    } else if (event.key === 'Enter' && open && hits[at]) {
      event.preventDefault();
      hits[at]!.take();
    }
  };
  return (
    <div ref={box} class="place">
      <Field id={id} label={label} hint={hint} error={said}>
        <input class="input" id={id} type="text" role="combobox" autocomplete="off" placeholder={t('place.type')} aria-expanded={open && hits.length > 0} aria-controls={`${id}-hits`} aria-autocomplete="list"
          aria-activedescendant={open && hits[at] ? `${id}-hit-${at}` : undefined} value={text ?? chosen} onFocus={begin} onClick={() => setOpen(true)} onInput={(event) => type(event.currentTarget.value)} onKeyDown={keys}
          onBlur={(event) => { if (!box.current?.contains(event.relatedTarget as Node | null)) leave(); }} {...described(id, hint, said)} />
      </Field>
      <ul id={`${id}-hits`} role="listbox" aria-label={t('place.list')} class="hits" hidden={!open || !hits.length}>
        {hits.map((hit, i) => (
          <li key={hit.key} id={`${id}-hit-${i}`} role="option" aria-selected={i === at} onPointerDown={(event) => event.preventDefault()} onClick={() => hit.take()}>
            {hit.key === 'here' && <Icon name="here" />}<span>{hit.text}</span>{hit.more && <span class="meta">{hit.more}</span>}
          </li>
        ))}
      </ul>
      {open && loaded && text?.trim() && !hits.length && <p class="hint" role="status">{t('place.none', { text })}</p>}
    </div>
  );
}
