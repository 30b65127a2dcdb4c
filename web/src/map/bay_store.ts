// The bays near the view: where they lie, loaded once and kept, and what they are, told by the socket; a change is one byte in an array.
import { Wire } from '../api/live';

export const ZOOM = 14, STEPS = 65_536, CELLS = 16;
const TILES = 2 ** ZOOM, TILES_MAX = 16, KEPT_MAX = 32;
const SNAPSHOT = 1;
const EARTH_M = 6_371_008.8;

/** Bays in order of their cell, so that a row of cells that is seen is one stretch. */
export interface Geometry {
  x: Float32Array; // metres from the tile's north-west corner, to the east
  y: Float32Array; // to the south
  angle: Float32Array;
  kind: Uint8Array;
  site: Uint16Array;
  sites: string[];
  start: Uint32Array; // where each cell begins
  slot: Uint32Array; // place in this order of the bay that the socket calls so
}

export interface Tile {
  key: string;
  x: number;
  y: number;
  metres: number; // its side
  version: number;
  count: number;
  told: Uint8Array; // states in the socket's order
  states: Uint8Array | null; // states in the order of the geometry
  geometry: Geometry | null;
  dirty: [number, number] | null; // slots whose state the picture does not show yet
  fresh: boolean; // the picture has to take all of it
}

export const NO_DATA = 2;

const tileMetres = (y: number): number => {
  const latitude = Math.atan(Math.sinh(Math.PI * (1 - (2 * (y + 0.5)) / TILES)));
  return ((2 * Math.PI * EARTH_M) / TILES) * Math.cos(latitude);
};

export function tilesOf(w: number, s: number, e: number, n: number): [number, number][] {
  const x = (lon: number) => Math.floor((lon / 360 + 0.5) * TILES);
  const y = (lat: number) => {
    const sine = Math.sin((lat * Math.PI) / 180);
    return Math.floor((0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)) * TILES);
  };
  const found: [number, number][] = [];
  for (let column = x(w); column <= x(e); column++) for (let row = y(n); row <= y(s); row++) found.push([column, row]);
  return found;
}

export function decode(data: ArrayBuffer, metres: number): { version: number; geometry: Geometry } {
  const view = new DataView(data);
  const version = view.getUint32(4, true), count = view.getUint32(8, true), idBytes = view.getUint32(12, true);
  let at = 16;
  const take = (size: number): ArrayBuffer => {
    const part = data.slice(at, at + size);
    at += size;
    return part;
  };
  const x = new Uint16Array(take(count * 2)), y = new Uint16Array(take(count * 2));
  const angle = new Uint8Array(take(count)), kind = new Uint8Array(take(count)), site = new Uint16Array(take(count * 2));
  const sites = JSON.parse(new TextDecoder().decode(take(idBytes))) as string[];
  const start = new Uint32Array(CELLS * CELLS + 1), cell = new Uint16Array(count);
  for (let i = 0; i < count; i++) {
    cell[i] = ((y[i]! * CELLS) >>> 16) * CELLS + ((x[i]! * CELLS) >>> 16);
    start[cell[i]! + 1]!++;
  }
  for (let c = 0; c < CELLS * CELLS; c++) start[c + 1]! += start[c]!;
  const next = start.slice(), slot = new Uint32Array(count);
  const geometry: Geometry = {
    x: new Float32Array(count), y: new Float32Array(count), angle: new Float32Array(count), kind: new Uint8Array(count), site: new Uint16Array(count), sites, start, slot,
  };
  for (let i = 0; i < count; i++) {
    const to = (slot[i] = next[cell[i]!]!++);
    geometry.x[to] = (x[i]! * metres) / STEPS;
    geometry.y[to] = (y[i]! * metres) / STEPS;
    geometry.angle[to] = (angle[i]! * Math.PI) / 256;
    geometry.kind[to] = kind[i]!;
    geometry.site[to] = site[i]!;
  }
  return { version, geometry };
}

export class BayStore {
  readonly tiles = new Map<string, Tile>();
  private readonly wire = new Wire((data) => typeof data !== 'string' && this.hear(data), () => this.lost());
  private looking = '';

  /** `changed` is called when something that may be seen is another than before. */
  constructor(private readonly changed: () => void) {}

  look(tiles: [number, number][]): void {
    const wanted = tiles.slice(0, TILES_MAX).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    const said = JSON.stringify(wanted);
    if (said === this.looking || !wanted.length) return;
    this.looking = said;
    this.wire.watch({ level: 'bays', tiles: wanted });
    const keys = new Set(wanted.map(([x, y]) => `${x}/${y}`));
    for (const key of [...this.tiles.keys()]) if (this.tiles.size > KEPT_MAX && !keys.has(key)) this.tiles.delete(key);
  }

  away(): void {
    this.looking = '';
    this.wire.close();
  }

  /** The map is left: what is still being loaded is for nobody. */
  end(): void {
    this.away();
    this.tiles.clear();
  }

  /** Nobody tells us any more: what we know gets old, and is shown so. */
  private lost(): void {
    for (const tile of this.tiles.values()) {
      tile.told.fill(NO_DATA);
      this.settle(tile);
    }
    this.changed();
  }

  hear(data: ArrayBuffer): void {
    const view = new DataView(data), whole = view.getUint8(0) === SNAPSHOT;
    for (let at = 8; at < data.byteLength; ) {
      const x = view.getUint16(at, true), y = view.getUint16(at + 2, true), version = view.getUint32(at + 4, true), count = view.getUint32(at + 8, true);
      at += 12;
      const tile = this.tiles.get(`${x}/${y}`);
      if (whole) {
        const states = new Uint8Array(data, at, Math.ceil(count / 4));
        at += states.length;
        this.take(x, y, version, count, states);
      } else {
        if (tile?.version === version) for (let i = 0; i < count; i++) this.change(tile, view.getUint32(at + i * 4, true));
        at += count * 4;
      }
    }
    this.changed();
  }

  private change(tile: Tile, entry: number): void {
    const index = entry >>> 2;
    tile.told[index] = entry & 3;
    if (!tile.states || !tile.geometry) return;
    const slot = tile.geometry.slot[index]!;
    tile.states[slot] = entry & 3;
    tile.dirty = tile.dirty ? [Math.min(tile.dirty[0], slot), Math.max(tile.dirty[1], slot)] : [slot, slot];
  }

  private take(x: number, y: number, version: number, count: number, packed: Uint8Array): void {
    const key = `${x}/${y}`;
    let tile = this.tiles.get(key);
    if (!tile || tile.version !== version) {
      tile = { key, x, y, metres: tileMetres(y), version, count, told: new Uint8Array(count), states: null, geometry: null, dirty: null, fresh: true };
      this.tiles.set(key, tile);
      if (count) void this.load(tile);
    }
    for (let i = 0; i < count; i++) tile.told[i] = (packed[i >> 2]! >> ((i & 3) * 2)) & 3;
    this.settle(tile);
  }

  private async load(tile: Tile): Promise<void> {
    for (let wait = 500; this.tiles.get(tile.key) === tile; wait = Math.min(8000, wait * 2)) {
      try {
        const response = await fetch(`/api/v1/bays/${tile.x}/${tile.y}?v=${tile.version}`);
        const { version, geometry } = decode(await response.arrayBuffer(), tile.metres);
        if (this.tiles.get(tile.key) !== tile) return;
        if (version !== tile.version) return; // Built anew meanwhile: the socket will say so with a new picture.
        tile.geometry = geometry;
        this.settle(tile);
        this.changed();
        return;
      } catch {
        await new Promise((go) => setTimeout(go, wait));
      }
    }
  }

  /** All states into the order of the geometry. */
  private settle(tile: Tile): void {
    if (!tile.geometry) return;
    tile.states ??= new Uint8Array(tile.count);
    for (let i = 0; i < tile.count; i++) tile.states[tile.geometry.slot[i]!] = tile.told[i]!;
    tile.dirty = [0, Math.max(0, tile.count - 1)];
  }

  /** The bay within some metres of a point in a tile, with its site. */
  near(tileX: number, tileY: number, within: number): { tile: Tile; slot: number; site: string } | null {
    const tile = this.tiles.get(`${Math.floor(tileX)}/${Math.floor(tileY)}`), held = tile?.geometry;
    if (!tile || !held) return null;
    const x = (tileX % 1) * tile.metres, y = (tileY % 1) * tile.metres;
    let best = -1, least = within * within;
    for (let i = 0; i < tile.count; i++) {
      const far = (held.x[i]! - x) ** 2 + (held.y[i]! - y) ** 2;
      if (far < least) [best, least] = [i, far];
    }
    return best < 0 ? null : { tile, slot: best, site: held.sites[held.site[best]!]! };
  }
}
