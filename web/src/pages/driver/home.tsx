// Where to park: the map of the city with the ranked list, which says the same in words; and one site of it.
import { effect } from '@preact/signals';
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { ComponentType } from 'preact';
import { choice } from '../../choice';
import { named } from '../../i18n';
import { t } from '../../i18n/driver';
import { Icon } from '../../kit/icon';
import { LiveBanner, say } from '../../kit/say';
import { Sheet, type Height } from '../../kit/sheet';
import type { MapProps } from '../../map/map_view';
import { centreOf, countedClass, loadSites, sites, sitesTurn, type MapSite } from '../../map/sites';
import { go, type PageProps } from '../../router';
import { Board } from './board';
import { MyPlate } from './my_plate';
import { here, locate, Search } from './search';
import './home.css';
import { SiteSheet } from './site_sheet';
import { centre, placeName, plan, target, trip } from './trip';
import { Filters } from './filters';

const DESK = matchMedia('(min-width: 960px)');
const CITY_ZOOM = 11.2, PLACE_ZOOM = 15.2, SITE_ZOOM = 16.8;

let begun = false;
function begin(): void {
  if (begun) return;
  begun = true;
  effect(() => {
    countedClass.value = trip.value.kind;
    void loadSites();
  });
  effect(() => {
    if (sitesTurn.value && !centre.peek()) centre.value = centreOf(sites.values());
  });
}

/** Which sites have a ring: those that the filters let through. */
function fitting(): (site: MapSite) => boolean {
  const { free, kind, indoor } = trip.value;
  return (site) => (!kind || site.capacity > 0) && (!free || site.free !== 0 || site.unknown > 0) && (!indoor || site.type === 'structure' || site.type === 'underground');
}

const LIST_MS = 4000;

/** The map's code, once the list is there: on a slow phone one would wait for the other, and the list says the same. */
function useMap(now: boolean): { View: ComponentType<MapProps> | null; failed: boolean } {
  const [found, setFound] = useState<{ View: ComponentType<MapProps> | null; failed: boolean }>({ View: null, failed: false });
  const [due, setDue] = useState(now);
  useEffect(() => {
    const timer = setTimeout(() => setDue(true), LIST_MS);
    return () => clearTimeout(timer);
  }, []);
  useEffect(() => {
    if (now || due) import('../../map/map_view').then((module) => setFound({ View: module.default, failed: false }), () => setFound({ View: null, failed: true }));
  }, [now || due]);
  return found;
}

export default function Home({ params }: PageProps) {
  begin();
  const site = params.site ?? null;
  const [height, setHeight] = useState<Height>(site ? 'full' : 'half');
  const [note, setNote] = useState<{ zh: string; en: string } | null>(null);
  const [wanted, setWanted] = useState<{ lon: number; lat: number; zoom: number } | null>(null);
  const [listed, setListed] = useState(!!site);
  const { View, failed } = useMap(listed);
  const goal = target.value, { to, free, kind, indoor } = trip.value;
  const chosen = site ? sites.get(site) : undefined;
  void sitesTurn.value;
  const known = !!chosen;

  useEffect(() => {
    document.title = `${t('home.title', { place: placeName() })} · OneLot`;
  }, [to, choice.value.lang, site]);
  useEffect(() => {
    if (chosen) setWanted({ lon: chosen.lon, lat: chosen.lat, zoom: SITE_ZOOM });
    setHeight(site ? 'full' : 'half');
  }, [site, known]);
  useEffect(() => {
    if (to && !site) setWanted({ lon: to.lon, lat: to.lat, zoom: PLACE_ZOOM });
  }, [to]);

  const fits = useMemo(fitting, [free, kind, indoor]);
  const view = useMemo(() => wanted ?? (goal ? { ...goal, zoom: PLACE_ZOOM } : null), [wanted, goal?.lon, goal?.lat]);
  const desk = DESK.matches, rest = { low: 150, half: 0.49 * innerHeight + 60, full: site ? innerHeight - 264 : 0.49 * innerHeight + 60 }[height];
  const padding = desk ? { top: 0, bottom: 0, left: 0 } : { top: site ? 0 : 120, bottom: Math.round(Math.min(rest, innerHeight - 200)), left: 0 };

  return (
    <div class={`parking at-${height} ${site ? 'one' : ''}`}>
      {!site && (
        <section class="searchbar over" aria-label={t('search.label')}>
          <Search><MyPlate /></Search>
          <Filters />
          <LiveBanner />
        </section>
      )}
      <Sheet height={height} onHeight={setHeight} label={t('home.list')} class={site ? 'tall nobar' : 'under'}>
        {site ? <SiteSheet id={site} /> : <Board failed={failed} onShown={() => setListed(true)} />}
      </Sheet>
      <div class="map" role="region" aria-label={t('map.title')}>
        {View && view && (
          <View centre={view} zoom={view.zoom} destination={to} here={here.value} selected={site} padding={padding} fits={fits} onNote={setNote} onMoved={() => undefined}
            onPick={(id) => go(`/sites/${encodeURIComponent(id)}`, { keep: true })}
            onPoint={(lon, lat) => plan({ to: { zh: '地图上的这一点', en: 'this point', lon, lat } })} />
        )}
        {site && <a class="iconbtn phone-only floating" href="/" aria-label={t('site.back', { place: placeName() })}><Icon name="back" /></a>}
        <div class="mapctl">
          <button type="button" class="iconbtn" aria-label={t('map.here')} onClick={locate}><Icon name="here" /></button>
          <button type="button" class="iconbtn" aria-label={t('map.out')} onClick={() => (centre.value ? setWanted({ ...centre.value, zoom: CITY_ZOOM }) : say(t('home.loading')))}><Icon name="layers" /></button>
        </div>
        <p class="mapnote" title={note ? named(note) : undefined}>{note ? t('map.note') : ''}{note && <span class="sr">{named(note)}</span>}</p>
        {failed && <p class="mapnote failed">{t('map.failed')}</p>}
      </div>
    </div>
  );
}
