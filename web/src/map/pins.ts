// Rings over the map: how many are free as a number, how many of all as an arc; few enough to be elements, since near ones are one ring.
import type { Map as MapLibreMap } from 'maplibre-gl';
import { named, number } from '../i18n';
import { t } from '../i18n/driver';
import type { MapSite } from './sites';

const APART_PX = 88, SINGLE_APART_PX = 52, SINGLE_FROM_ZOOM = 15.6, MARGIN_PX = 60, PINS_MAX = 60;

interface Group {
  key: string;
  x: number; // of the whole map, from 0 to 1
  y: number;
  sites: MapSite[];
}

interface Pin {
  element: HTMLButtonElement;
  label: HTMLSpanElement | null;
  said: string;
}

const mercator = (lon: number, lat: number): [number, number] => {
  const sine = Math.sin((lat * Math.PI) / 180);
  return [lon / 360 + 0.5, 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)];
};

export class Pins {
  private groups: Group[] = [];
  private grouped = '';
  private readonly shown = new Map<string, Pin>();
  private frame = 0;

  constructor(
    private readonly map: MapLibreMap,
    private readonly host: HTMLElement,
    private readonly sites: ReadonlyMap<string, MapSite>,
    private readonly pick: (site: string) => void,
    private selected: string | null,
    private readonly fits: () => (site: MapSite) => boolean,
  ) {
    map.on('move', () => this.soon());
    map.on('zoomend', () => this.update());
    map.on('moveend', () => this.update());
  }

  select(site: string | null): void {
    this.selected = site;
    this.grouped = '';
    this.update();
  }

  /** Counts, sites or the view are others. */
  update(): void {
    this.group();
    this.draw();
  }

  private soon(): void {
    if (!this.frame) this.frame = requestAnimationFrame(() => { this.frame = 0; this.draw(); });
  }

  /** Near ones together, the largest first; again only when the zoom or the sites are others. */
  private group(): void {
    const zoom = Math.round(this.map.getZoom() * 2) / 2, fits = this.fits(), held = [...this.sites.values()].filter(fits);
    const mark = `${zoom}/${held.length}/${this.selected}/${held.reduce((sum, site) => (sum * 31 + site.id.length + site.capacity) | 0, 7)}`;
    if (mark === this.grouped) return;
    this.grouped = mark;
    const world = 512 * 2 ** zoom, apart = (zoom >= SINGLE_FROM_ZOOM ? SINGLE_APART_PX : APART_PX) / world, cells = new Map<string, Group[]>();
    this.groups = [];
    const chosen = this.selected === null ? undefined : this.sites.get(this.selected);
    const order = held.filter((site) => site !== chosen).sort((a, b) => b.capacity - a.capacity || (a.id < b.id ? -1 : 1));
    for (const site of order) {
      const [x, y] = mercator(site.lon, site.lat), column = Math.floor(x / apart), row = Math.floor(y / apart);
      let best: Group | null = null, least = apart;
      for (let i = column - 1; i <= column + 1; i++) for (let j = row - 1; j <= row + 1; j++) for (const group of cells.get(`${i}/${j}`) ?? []) {
        const far = Math.hypot(group.x - x, group.y - y);
        if (far < least) [best, least] = [group, far];
      }
      if (best) best.sites.push(site);
      else {
        const group = { key: site.id, x, y, sites: [site] };
        this.groups.push(group);
        const cell = `${column}/${row}`;
        cells.set(cell, [...(cells.get(cell) ?? []), group]);
      }
    }
    if (chosen) {
      const [x, y] = mercator(chosen.lon, chosen.lat);
      this.groups.push({ key: chosen.id, x, y, sites: [chosen] });
    }
  }

  private draw(): void {
    const { width, height } = this.map.getCanvas().getBoundingClientRect(), seen = new Set<string>();
    for (const group of this.groups) {
      const at = this.map.project([(group.x - 0.5) * 360, (Math.atan(Math.sinh(Math.PI * (1 - 2 * group.y))) * 180) / Math.PI]);
      if (at.x < -MARGIN_PX || at.y < -MARGIN_PX || at.x > width + MARGIN_PX || at.y > height + MARGIN_PX) continue;
      if (seen.size >= PINS_MAX && group.sites[0]!.id !== this.selected) continue;
      const key = `${group.key}*${group.sites.length}`;
      seen.add(key);
      const pin = this.shown.get(key) ?? this.made(key, group);
      const place = `${at.x.toFixed(1)}px ${at.y.toFixed(1)}px`;
      pin.element.style.translate = place;
      if (pin.label) pin.label.style.translate = place;
      this.say(pin, group);
    }
    for (const [key, pin] of this.shown) {
      if (seen.has(key)) continue;
      pin.element.remove();
      pin.label?.remove();
      this.shown.delete(key);
    }
  }

  private made(key: string, group: Group): Pin {
    const element = Object.assign(document.createElement('button'), { type: 'button', tabIndex: -1 }); // The list is the way for the keyboard.
    element.addEventListener('click', () => this.open(group));
    this.host.append(element);
    let label: HTMLSpanElement | null = null;
    if (group.sites.length > 1) {
      label = document.createElement('span');
      label.className = 'pinlabel above';
      label.setAttribute('aria-hidden', 'true');
      this.host.append(label);
    }
    const pin = { element, label, said: '' };
    this.shown.set(key, pin);
    return pin;
  }

  private open(group: Group): void {
    if (group.sites.length === 1) return this.pick(group.sites[0]!.id);
    const [lon, lat] = [(group.x - 0.5) * 360, (Math.atan(Math.sinh(Math.PI * (1 - 2 * group.y))) * 180) / Math.PI];
    this.map.easeTo({ center: [lon, lat], zoom: Math.min(17, this.map.getZoom() + 1.6) });
  }

  private say(pin: Pin, group: Group): void {
    const known = group.sites.filter((site) => site.free >= 0 && site.freshness !== 'silent');
    const free = known.reduce((sum, site) => sum + site.free, 0), capacity = known.reduce((sum, site) => sum + Math.max(0, site.capacity), 0);
    const single = group.sites.length === 1, on = single && group.sites[0]!.id === this.selected;
    const old = single && group.sites[0]!.freshness === 'late', name = named(group.sites[0]!.name);
    const area = group.sites.length > 1 ? t('map.around', { name: short(name) }) : name;
    const digits = known.length ? number(free) : '?';
    const said = [digits, capacity, old, on, area].join('/');
    if (said === pin.said) return;
    pin.said = said;
    const { element } = pin;
    element.className = ['pin', single ? '' : 'big', on ? 'on' : '', !known.length || old ? 'old' : free === 0 ? 'full' : ''].join(' ');
    element.style.setProperty('--share', capacity ? (free / capacity).toFixed(2) : '0');
    element.setAttribute('aria-label', single ? t('map.site', { name, n: digits }) : t('map.group', { name: area, n: digits, sites: group.sites.length }));
    const inside = document.createElement('span');
    inside.textContent = digits;
    if (!single) inside.append(Object.assign(document.createElement('small'), { textContent: t('map.sites', { n: group.sites.length }) }));
    element.replaceChildren(inside);
    if (pin.label) pin.label.textContent = area;
  }
}

/** A site's name without what kind it is: the name of where it stands. */
const short = (name: string): string => name.replace(/(地下|地面|立体)?(停车场|停车楼|停车库|路侧|车库).*$/, '').replace(/ (kerb|car park|underground|deck|lot|garage|P\d+).*$/i, '') || name;
