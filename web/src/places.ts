// The places of the city, loaded once: found by their Chinese name, pinyin, initials or English name, on the map and in forms alike.
import { signal } from '@preact/signals';
import { get } from './api/client';

export interface Place {
  id: string;
  kind: string;
  zh: string;
  en: string;
  lon: number;
  lat: number;
  pinyin: string;
  initials: string;
  weight: number;
}

export const places = signal<Place[]>([]);
let asked: Promise<void> | null = null;

export const loadPlaces = (): Promise<void> =>
  (asked ??= get<{ items: Place[] }>('/basemap/places.json').then(
    (found) => void (places.value = found.items),
    () => void (asked = null), // A city without a basemap has other things to search among; who asks again may be luckier.
  ));

/** As keys are spelt: no gaps, no tone marks, v for ü. */
export const typed = (text: string): string =>
  text.toLowerCase().normalize('NFD').replace(/u[\u0300-\u0307\u0309-\u036f]*\u0308/g, 'v').replace(/[\u0300-\u036f\s'’]+/g, '').replace(/\u0261/g, 'g').normalize('NFC');

/** The same comes before what begins with it, that before what holds it; then the heavier place. */
export function findPlaces(text: string, among: Place[] = places.value): Place[] {
  const wanted = typed(text);
  if (!wanted) return [...among].sort((a, b) => b.weight - a.weight);
  const rank = (place: Place): number => {
    const [zh, pinyin, initials, en] = [place.zh, place.pinyin, place.initials, place.en.toLowerCase().replace(/\s+/g, '')];
    const words = [zh, pinyin, initials, en];
    if (words.includes(wanted)) return 0;
    if (words.some((word) => word.startsWith(wanted))) return 1;
    return [zh, pinyin, en].some((word) => word.includes(wanted)) ? 2 : 9;
  };
  return among.map((place) => ({ place, rank: rank(place) })).filter((one) => one.rank < 9).sort((a, b) => a.rank - b.rank || b.place.weight - a.place.weight).map((one) => one.place);
}
