// What the driver wants: where to, when, how long, what kind of bay. Kept for the tab, since one goes to a site and comes back.
import { computed, effect, signal } from '@preact/signals';
import { cityNow } from '../../api/city_clock';
import { lang } from '../../i18n';
import { t } from '../../i18n/driver';

export interface Spot {
  zh: string;
  en: string;
  lon: number;
  lat: number;
}
export type Sort = 'best' | 'sure' | 'cheap' | 'near';
export interface Trip {
  to: Spot | null; // null: the middle of the city
  arrive: string | null; // null: now
  stay: number; // seconds
  radius: number;
  sort: Sort;
  free: boolean;
  kind: 'electric' | 'accessible' | null;
  high: boolean;
  indoor: boolean;
}

const KEY = 'onelot.trip';
const usual: Trip = { to: null, arrive: null, stay: 9000, radius: 1000, sort: 'best', free: true, kind: null, high: false, indoor: false };
export const RADII = [500, 1000, 2000, 5000];
export const STAY_MAX = 12 * 3600;

function read(): Trip {
  try {
    return { ...usual, ...(JSON.parse(sessionStorage.getItem(KEY) ?? '{}') as Partial<Trip>) };
  } catch {
    return usual;
  }
}

export const trip = signal<Trip>(read());
/** The middle of the city, as soon as we know what is in it. */
export const centre = signal<{ lon: number; lat: number } | null>(readCentre());
export const target = computed(() => trip.value.to ?? centre.value);

export const plan = (change: Partial<Trip>): void => void (trip.value = { ...trip.value, ...change });

function readCentre(): { lon: number; lat: number } | null {
  try {
    return JSON.parse(localStorage.getItem('onelot.centre') ?? 'null') as { lon: number; lat: number } | null;
  } catch {
    return null;
  }
}

effect(() => {
  const { to, ...rest } = trip.value;
  const centreNow = centre.value;
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ to, ...rest }));
    if (centreNow) localStorage.setItem('onelot.centre', JSON.stringify(centreNow));
  } catch {
    // Private mode: it lasts as long as the page.
  }
});

export const placeName = (): string => {
  const { to } = trip.value;
  return to ? (lang() === 'zh' ? to.zh || to.en : to.en || to.zh) : t('home.centre');
};

/** When one arrives, by the city's clock; a time that has passed is now. */
export const arrival = (): Date => {
  const said = trip.value.arrive ? new Date(trip.value.arrive) : null;
  return said && said > cityNow() ? said : cityNow();
};
