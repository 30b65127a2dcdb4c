// All sites of the city in the page's memory: where they are once, how many are free as the socket tells it.
import { signal } from '@preact/signals';
import { get } from '../api/client';
import { live, type SiteCounts } from '../api/live';
import type { MapSites } from '../api/types';

export interface MapSite {
  id: string;
  name: { zh: string; en: string };
  type: string;
  lon: number;
  lat: number;
  capacity: number;
  free: number;
  unknown: number;
  freshness: SiteCounts['freshness'];
}

const REDRAW_MS = 1000;
const RELOAD_MS = 60_000; // For what the socket does not tell: sites that came, and counts far from the view.
const EMPTY_MS = 3000; // A city that is being brought in.

/** Turns when a count that may be seen is another; at most once a second. */
export const sitesTurn = signal(0);
export const sites = new Map<string, MapSite>();
/** The class of bay the counts are of, null for all. */
export const countedClass = signal<string | null>(null);

let timer: ReturnType<typeof setTimeout> | undefined;
const turn = () => {
  timer ??= setTimeout(() => {
    timer = undefined;
    sitesTurn.value++;
  }, REDRAW_MS);
};

/** What the socket told while the whole was on its way: the whole may be older, and the socket told all that came after. */
const told = new Map<string, SiteCounts>();

function take(one: SiteCounts): void {
  const site = sites.get(one.id);
  if (!site) return;
  site.free = one.free ?? -1;
  site.unknown = one.unknown ?? 0;
  site.freshness = one.freshness;
}

declare global {
  interface Window {
    onelotSites?: Promise<Response | null>; // What boot.js asked for.
  }
}

/** The first time it is on its way already. */
async function fetched(): Promise<MapSites> {
  const early = window.onelotSites;
  delete window.onelotSites;
  const response = countedClass.value === null ? await early : null;
  return response?.ok ? ((await response.json()) as MapSites) : get<MapSites>('/api/v1/map/sites', { class: countedClass.value });
}

let round = 0;
export async function loadSites(): Promise<void> {
  const mine = ++round;
  told.clear();
  try {
    const found = await fetched();
    if (mine !== round) return;
    const seen = new Set(found.id);
    for (const id of [...sites.keys()]) if (!seen.has(id)) sites.delete(id);
    found.id.forEach((id, i) => {
      sites.set(id, {
        id, name: { zh: found.zh[i]!, en: found.en[i]! }, type: found.type[i]!, lon: found.lon[i]!, lat: found.lat[i]!,
        capacity: found.capacity[i]!, free: found.free[i]!, unknown: found.unknown[i]!, freshness: found.freshness[i] as MapSite['freshness'],
      });
    });
    if (countedClass.value === null) for (const one of told.values()) take(one);
    sitesTurn.value++;
    setTimeout(() => mine === round && loadSites(), !found.id.length ? EMPTY_MS : countedClass.value ? RELOAD_MS / 6 : RELOAD_MS);
  } catch {
    if (mine === round) setTimeout(() => mine === round && loadSites(), 3000);
  }
}

live.listen((changed) => {
  if (countedClass.value !== null) return; // The socket counts all classes together.
  for (const one of changed) {
    told.set(one.id, one);
    take(one);
  }
  if (changed.length) turn();
});

/** Where most of the bays are. */
export function centreOf(all: Iterable<MapSite>): { lon: number; lat: number } | null {
  const list = [...all];
  if (!list.length) return null;
  const middle = (value: (site: MapSite) => number): number => {
    const sorted = [...list].sort((a, b) => value(a) - value(b)), half = sorted.reduce((sum, site) => sum + Math.max(1, site.capacity), 0) / 2;
    let sum = 0;
    for (const site of sorted) if ((sum += Math.max(1, site.capacity)) >= half) return value(site);
    return value(sorted[0]!);
  };
  return { lon: middle((site) => site.lon), lat: middle((site) => site.lat) };
}
