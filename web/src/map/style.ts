// The basemap's dress: colours from the tokens, names in the language of the page, text drawn by the browser itself.
import type { LayerSpecification, StyleSpecification } from 'maplibre-gl';
import type { Lang } from '../i18n';
import { token } from './colours';

export const BAYS_BELOW = 'road-name'; // Bays stay under the first layer of names.
const FONT = ['PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', 'sans-serif'];
export const LOCAL_FONTS = '"PingFang SC","HarmonyOS Sans SC","MiSans","Microsoft YaHei","Noto Sans CJK SC",sans-serif';

/** Widths in pixels that follow the zoom as streets do, never thinner than `least`; `more` metres for an edge on both sides. */
const metres = (least: number, more = 0): unknown => {
  const width = ['+', ['coalesce', ['get', 'width'], 8], more];
  return ['interpolate', ['exponential', 2], ['zoom'], 9, least, 14, ['max', least * 1.3, ['/', width, 3.93]], 20, ['*', width, 16.3]];
};

const ROADS: { kinds: string[]; least: number; main: boolean; from: number; edgeFrom: number }[] = [
  { kinds: ['local', 'lane', 'service', 'tertiary', 'street'], least: 0.4, main: false, from: 13, edgeFrom: 14 },
  { kinds: ['secondary'], least: 0.6, main: false, from: 11.5, edgeFrom: 13 },
  { kinds: ['primary'], least: 0.9, main: true, from: 9, edgeFrom: 12 },
  { kinds: ['ring', 'motorway'], least: 1.3, main: true, from: 7, edgeFrom: 11 },
];

export function styleOf(lang: Lang, source: string | null): StyleSpecification {
  const ground: LayerSpecification = { id: 'land', type: 'background', paint: { 'background-color': token('map-land') } };
  if (!source) return { version: 8, sources: {}, layers: [ground, anchor()] };
  return {
    version: 8,
    sources: { city: { type: 'vector', url: `pmtiles://${source}` } },
    layers: [ground, ...areas(), ...lines(), ...names(lang)] as LayerSpecification[],
  };
}

/** Something for the bays to lie under where there is no basemap. */
const anchor = (): LayerSpecification => ({ id: BAYS_BELOW, type: 'background', layout: { visibility: 'none' } });

const of = (layer: string, more: object) => ({ source: 'city', 'source-layer': layer, ...more });

function areas(): object[] {
  const fill = (layer: string, colour: string, more: object = {}) => of(layer, { id: layer, type: 'fill', paint: { 'fill-color': token(colour) }, ...more });
  const drawn = { 'line-cap': 'round', 'line-join': 'round' };
  return [
    fill('zones', 'map-block', { maxzoom: 13, paint: { 'fill-color': token('map-block'), 'fill-opacity': ['interpolate', ['linear'], ['zoom'], 11, 0.9, 13, 0] } }),
    fill('grounds', 'map-building', { paint: { 'fill-color': token('map-building'), 'fill-opacity': 0.7 } }),
    fill('blocks', 'map-block', { minzoom: 12.5 }),
    fill('parks', 'map-park'),
    fill('water', 'map-water'),
    of('waterways', { id: 'waterways', type: 'line', layout: drawn, paint: { 'line-color': token('map-water'), 'line-width': metres(0.8) } }),
    of('buildings', { id: 'buildings', type: 'fill', minzoom: 13.6, paint: { 'fill-color': token('map-building'), 'fill-outline-color': token('map-building-edge') } }),
    of('lots', { id: 'lots', type: 'fill', minzoom: 14, paint: { 'fill-color': token('map-road'), 'fill-outline-color': token('map-road-edge') } }),
  ];
}

function lines(): object[] {
  const rail = of('rails', { id: 'rails', type: 'line', minzoom: 10, paint: { 'line-color': token('map-rail'), 'line-width': ['interpolate', ['linear'], ['zoom'], 10, 0.6, 16, 1.6] } });
  const shape = { 'line-cap': 'round', 'line-join': 'round' };
  const road = (one: (typeof ROADS)[number], part: 'edge' | 'road') =>
    of('roads', {
      id: `${part}-${one.kinds[0]}`, type: 'line', minzoom: part === 'edge' ? one.edgeFrom : one.from, filter: ['in', ['get', 'kind'], ['literal', one.kinds]], layout: shape,
      paint: { 'line-color': token(`map-${one.main ? 'main' : 'road'}${part === 'edge' ? '-edge' : ''}`), 'line-width': part === 'edge' ? metres(one.least + 0.8, 1.6) : metres(one.least) },
    });
  const border = of('districts', { id: 'districts', type: 'line', maxzoom: 14, paint: { 'line-color': token('map-border'), 'line-width': 1, 'line-dasharray': [4, 3], 'line-opacity': 0.7 } });
  return [rail, ...ROADS.map((one) => road(one, 'edge')), ...ROADS.map((one) => road(one, 'road')), border];
}

function names(lang: Lang): object[] {
  const name = ['coalesce', ['get', lang], ['get', 'zh'], ['get', 'en']];
  const paint = { 'text-color': token('map-label'), 'text-halo-color': token('map-label-halo'), 'text-halo-width': 1.6 };
  const point = (id: string, filter: unknown, layout: object, more: object = {}) =>
    of('places', { id, type: 'symbol', filter, layout: { 'text-field': name, 'text-font': FONT, 'text-max-width': 8, 'symbol-sort-key': ['get', 'rank'], ...layout }, paint, ...more });
  return [
    of('roads', {
      id: BAYS_BELOW, type: 'symbol', minzoom: 12.5, filter: ['has', 'zh'],
      layout: {
        'symbol-placement': 'line', 'text-field': name, 'text-font': FONT, 'text-size': ['interpolate', ['linear'], ['zoom'], 12, 11, 17, 13], 'symbol-spacing': 360, 'text-padding': 6,
        'symbol-sort-key': ['-', 0, ['get', 'width']],
      }, paint,
    }),
    of('stations', {
      id: 'stations', type: 'symbol', minzoom: 13.5,
      layout: { 'text-field': lang === 'zh' ? ['concat', ['get', 'zh'], '站'] : ['concat', ['get', 'en'], ' metro'], 'text-font': FONT, 'text-size': 11, 'text-padding': 6 },
      paint: { ...paint, 'text-color': token('ev') },
    }),
    point('place-name', ['>=', ['get', 'rank'], 3], { 'text-size': 13, 'text-padding': 8 }, { minzoom: 11.5 }),
    point('zone-name', ['==', ['get', 'rank'], 2], { 'text-size': 12, 'text-letter-spacing': 0.08 }, { minzoom: 10.5, maxzoom: 13 }),
    point('district-name', ['==', ['get', 'rank'], 1], { 'text-size': 14, 'text-letter-spacing': 0.12 }, { maxzoom: 12.5 }),
  ];
}
