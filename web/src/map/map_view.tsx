// The map of the city: basemap, bays that change while one watches, rings over them. Its own chunk: list, pay and forms work before it.
import { addProtocol, setWorkerUrl, Map as MapLibreMap } from 'maplibre-gl';
import workerUrl from 'maplibre-gl/dist/maplibre-gl-worker.mjs?url';
import { effect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { PMTiles, Protocol } from 'pmtiles';
import { live } from '../api/live';
import { choice, dark } from '../choice';
import { lang } from '../i18n';
import { t } from '../i18n/driver';
import { BAYS_FROM_ZOOM, BayLayer } from './bay_layer';
import { BayStore, tilesOf } from './bay_store';
import './map.css';
import { Pins } from './pins';
import { sites, sitesTurn, type MapSite } from './sites';
import { BAYS_BELOW, LOCAL_FONTS, styleOf } from './style';

export interface MapProps {
  centre: { lon: number; lat: number };
  zoom: number;
  destination: { lon: number; lat: number } | null;
  here: { lon: number; lat: number } | null;
  selected: string | null;
  padding: { top: number; bottom: number; left: number };
  fits: (site: MapSite) => boolean;
  onPick: (site: string) => void;
  onPoint: (lon: number, lat: number) => void; // a long press, or a right click: here, please
  onMoved: (lon: number, lat: number, zoom: number, byHand: boolean) => void;
  onNote: (about: { zh: string; en: string } | null) => void;
}

setWorkerUrl(workerUrl);
const protocol = new Protocol();
addProtocol('pmtiles', protocol.tile);
const LONG_PRESS_MS = 550, PICK_PX = 12;

/** What the basemap says of itself; null where there is none: then sites and bays lie on bare ground. */
async function basemap(): Promise<{ url: string; about: { zh: string; en: string }; bounds: [number, number, number, number] } | null> {
  const url = `${location.origin}/basemap/city.pmtiles`;
  try {
    const archive = new PMTiles(url), header = await archive.getHeader(), said = (await archive.getMetadata()) as Record<string, unknown>;
    protocol.add(archive);
    const words = (name: string) => String(said[name] ?? said.attribution ?? '');
    return { url, about: { zh: words('attribution_zh'), en: words('attribution_en') }, bounds: [header.minLon, header.minLat, header.maxLon, header.maxLat] };
  } catch {
    return null;
  }
}

class CityMap {
  readonly map: MapLibreMap;
  readonly store = new BayStore(() => this.bays.changed());
  readonly bays = new BayLayer(this.store);
  readonly pins: Pins;
  private readonly flag: HTMLElement;
  private readonly dot: HTMLElement;
  private readonly stop: (() => void)[] = [];
  private source: string | null = null;
  private ended = false;

  constructor(container: HTMLElement, overlay: HTMLElement, public props: MapProps) {
    this.map = new MapLibreMap({
      container, style: styleOf(lang(), null), center: [props.centre.lon, props.centre.lat], zoom: props.zoom, minZoom: 9, maxZoom: 20,
      attributionControl: false, dragRotate: false, pitchWithRotate: false, touchPitch: false, fadeDuration: 0, localIdeographFontFamily: LOCAL_FONTS,
      locale: { 'Map.Title': t('map.canvas') },
    });
    this.map.touchZoomRotate.disableRotation();
    this.map.keyboard.disableRotation();
    this.map.setPadding({ ...props.padding, right: 0 });
    this.pins = new Pins(this.map, overlay, sites, (site) => this.props.onPick(site), props.selected, () => this.props.fits);
    this.flag = marker(overlay, 'dest', '<svg viewBox="0 0 34 42" aria-hidden="true"><path d="M17 41C9 30 3 23.5 3 16a14 14 0 0 1 28 0c0 7.5-6 14-14 25z" fill="var(--ink)" stroke="var(--map-label-halo)" stroke-width="2"/><path d="M12 9v14M12 10h10.5l-3 3.5 3 3.5H12" fill="none" stroke="var(--surface)" stroke-width="2"/></svg>');
    this.dot = marker(overlay, 'here', '');
    this.map.on('style.load', () => this.dress());
    this.map.on('webglcontextrestored', () => this.map.setStyle(styleOf(lang(), this.source), { diff: false }));
    this.map.on('move', () => this.mark());
    this.map.on('moveend', (event) => this.moved('originalEvent' in event && !!event.originalEvent));
    this.map.on('load', () => this.moved(false));
    this.listen(container);
    let first = true;
    this.stop.push(effect(() => {
      void dark.value, void choice.value.lang;
      if (first) return void (first = false);
      this.bays.recolour();
      requestAnimationFrame(() => this.ended || this.map.setStyle(styleOf(lang(), this.source), { diff: false }));
    }));
    this.stop.push(effect(() => {
      void sitesTurn.value;
      this.pins.update();
    }));
    void this.base();
  }

  private async base(): Promise<void> {
    const found = await basemap();
    if (this.ended) return;
    if (found) {
      this.source = found.url;
      const [w, s, e, n] = found.bounds;
      this.map.setMaxBounds([[w - 0.3, s - 0.3], [e + 0.3, n + 0.3]]);
      this.map.setStyle(styleOf(lang(), found.url), { diff: false });
    }
    this.props.onNote(found?.about ?? null);
  }

  private dress(): void {
    if (this.map.getLayer('bays')) return;
    this.map.addLayer(this.bays, BAYS_BELOW);
    this.pins.update();
  }

  private moved(byHand: boolean): void {
    const box = this.map.getBounds(), centre = this.map.getCenter(), zoom = this.map.getZoom();
    const [w, s, e, n] = [box.getWest(), box.getSouth(), box.getEast(), box.getNorth()];
    live.look([w, s, e, n]);
    if (zoom >= BAYS_FROM_ZOOM) this.store.look(tilesOf(w, s, e, n));
    else this.store.away();
    this.mark();
    this.props.onMoved(centre.lng, centre.lat, zoom, byHand);
  }

  private listen(container: HTMLElement): void {
    this.map.on('click', (event) => {
      if (this.map.getZoom() < 16) return;
      const side = 2 ** 14, { lng, lat } = event.lngLat, sine = Math.sin((lat * Math.PI) / 180);
      const metres = (PICK_PX * 40_030_000 * Math.cos((lat * Math.PI) / 180)) / (512 * 2 ** this.map.getZoom());
      const found = this.store.near((lng / 360 + 0.5) * side, (0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)) * side, Math.max(3.5, metres));
      if (found) this.props.onPick(found.site);
    });
    this.map.on('contextmenu', (event) => this.props.onPoint(event.lngLat.lng, event.lngLat.lat));
    let timer: ReturnType<typeof setTimeout> | undefined;
    const cancel = () => clearTimeout(timer);
    this.map.on('touchstart', (event) => {
      cancel();
      if (event.points.length === 1) timer = setTimeout(() => this.props.onPoint(event.lngLat.lng, event.lngLat.lat), LONG_PRESS_MS);
    });
    for (const name of ['touchend', 'touchmove', 'touchcancel'] as const) this.map.on(name, cancel);
    const size = new ResizeObserver(() => this.map.resize());
    size.observe(container);
    this.stop.push(() => size.disconnect(), cancel);
  }

  private mark(): void {
    for (const [element, at] of [[this.flag, this.props.destination], [this.dot, this.props.here]] as const) {
      element.hidden = !at;
      if (!at) continue;
      const { x, y } = this.map.project([at.lon, at.lat]);
      element.style.translate = `${x.toFixed(1)}px ${y.toFixed(1)}px`;
    }
  }

  take(props: MapProps): void {
    const before = this.props;
    this.props = props;
    if (JSON.stringify(before.padding) !== JSON.stringify(props.padding)) this.map.easeTo({ padding: { ...props.padding, right: 0 }, duration: 240 });
    if (before.selected !== props.selected) this.pins.select(props.selected);
    if (before.fits !== props.fits) this.pins.update();
    if (before.centre !== props.centre) this.map.easeTo({ center: [props.centre.lon, props.centre.lat], zoom: props.zoom, padding: { ...props.padding, right: 0 }, duration: matchMedia('(prefers-reduced-motion: reduce)').matches ? 0 : 400 });
    this.mark();
  }

  end(): void {
    this.ended = true;
    for (const stop of this.stop) stop();
    this.store.end();
    live.close();
    this.map.remove();
  }
}

function marker(host: HTMLElement, name: string, inside: string): HTMLElement {
  const element = document.createElement('div');
  element.className = name;
  element.innerHTML = inside;
  host.append(element);
  return element;
}

export default function MapView(props: MapProps) {
  const box = useRef<HTMLDivElement>(null), overlay = useRef<HTMLDivElement>(null), city = useRef<CityMap | null>(null);
  useEffect(() => {
    city.current = new CityMap(box.current!, overlay.current!, props);
    if (import.meta.env.DEV) Object.assign(window, { cityMap: city.current });
    return () => city.current!.end();
  }, []);
  useEffect(() => city.current?.take(props));
  return (
    <>
      <div class="gl" ref={box} />
      <div class="pins" ref={overlay} />
    </>
  );
}
