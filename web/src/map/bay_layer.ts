// Bays drawn by WebGL2 without instancing: two textures a tile, six vertices a bay that look themselves up. Free is filled, taken is an
// outline with a diagonal, unknown is dashed; a charger and a wheelchair show from zoom 17: nothing is told by colour alone.
import type { CustomLayerInterface, CustomRenderMethodInput, Map as MapLibreMap } from 'maplibre-gl';
import { CELLS, ZOOM, type BayStore, type Tile } from './bay_store';
import { rgb } from './colours';

const WIDTH = 256; // of both textures
const HALF_LONG_M = 2.75, HALF_WIDE_M = 1.15;
const REPAINT_MS = 250;
export const BAYS_FROM_ZOOM = 14.6;

const VERTEX = `#version 300 es
precision highp float; precision highp int; precision highp usampler2D;
uniform mat4 u_matrix; uniform sampler2D u_place; uniform usampler2D u_state; uniform float u_ppm;
out vec2 v_at; flat out vec2 v_half; flat out int v_state; flat out int v_kind;
const vec2 CORNERS[6] = vec2[6](vec2(-1, -1), vec2(1, -1), vec2(1, 1), vec2(-1, -1), vec2(1, 1), vec2(-1, 1));
void main() {
  int bay = gl_VertexID / 6;
  ivec2 cell = ivec2(bay % ${WIDTH}, bay / ${WIDTH});
  vec4 place = texelFetch(u_place, cell, 0);
  v_state = int(texelFetch(u_state, cell, 0).r);
  v_kind = int(place.w);
  v_half = max(vec2(${HALF_LONG_M}, ${HALF_WIDE_M}), vec2(0.7, 0.45) / u_ppm);
  v_at = CORNERS[gl_VertexID % 6] * (v_half + 1.0 / u_ppm);
  vec2 along = vec2(cos(place.z), sin(place.z));
  gl_Position = u_matrix * vec4(place.xy + v_at.x * along + v_at.y * vec2(-along.y, along.x), 0.0, 1.0);
}`;

const FRAGMENT = `#version 300 es
precision highp float; precision highp int;
uniform float u_ppm; uniform float u_ratio; uniform float u_zoom; uniform sampler2D u_glyphs;
uniform vec3 u_free, u_ev, u_access, u_ink, u_fill, u_edge, u_unknown;
in vec2 v_at; flat in vec2 v_half; flat in int v_state; flat in int v_kind;
out vec4 colour;
void main() {
  vec2 p = v_at * u_ppm, h = v_half * u_ppm, inside = h - abs(p);
  float cover = clamp(min(inside.x, inside.y) / u_ratio + 0.5, 0.0, 1.0), line = u_ratio * clamp(h.y / u_ratio / 5.0, 0.45, 1.1);
  vec3 tint = u_free; float alpha = 1.0;
  float edge = 1.0 - smoothstep(line - 0.5 * u_ratio, line + 0.5 * u_ratio, min(inside.x, inside.y));
  if (v_state == 0) {
    if (v_kind == 1) tint = u_ev; else if (v_kind == 2) tint = u_access;
    if (u_zoom >= 17.0 && (v_kind == 1 || v_kind == 2)) {
      vec2 at = vec2(p.y, -p.x) / (h.y * 1.9) + 0.5;
      if (at.x > 0.0 && at.x < 1.0 && at.y > 0.0 && at.y < 1.0) tint = mix(tint, u_ink, texture(u_glyphs, vec2((at.x + float(v_kind - 1)) * 0.5, at.y)).a);
    }
  } else if (v_state == 2) {
    float run = inside.x < inside.y ? p.y : p.x;
    alpha = h.y < 1.6 * u_ratio ? 0.3 : edge * step(0.5, fract(run / (4.0 * u_ratio)));
    tint = u_unknown;
  } else {
    float slope = h.x / h.y, far = abs(p.x - p.y * slope) / sqrt(1.0 + slope * slope);
    float diagonal = (1.0 - smoothstep(0.3 * u_ratio, 1.1 * u_ratio, far)) * mix(0.0, 0.6, smoothstep(16.6, 18.0, u_zoom));
    if (v_state == 3) diagonal = max(diagonal, 1.0 - smoothstep(0.3 * u_ratio, 1.1 * u_ratio, abs(p.x + p.y * slope) / sqrt(1.0 + slope * slope)));
    float small = 1.0 - smoothstep(0.8, 1.8, h.y / u_ratio);
    tint = mix(u_fill, u_edge, max(max(edge, diagonal), small));
    alpha = mix(1.0, 0.5, small);
  }
  colour = vec4(tint, 1.0) * (alpha * cover);
}`;

interface Held {
  place: WebGLTexture;
  state: WebGLTexture;
  rows: number;
  version: number;
}

export class BayLayer implements CustomLayerInterface {
  readonly id = 'bays';
  readonly type = 'custom' as const;
  readonly renderingMode = '2d' as const;
  private map: MapLibreMap | null = null;
  private gl: WebGL2RenderingContext | null = null;
  private program: WebGLProgram | null = null;
  private array: WebGLVertexArrayObject | null = null;
  private glyphs: WebGLTexture | null = null;
  private readonly places = new Map<string, WebGLUniformLocation | null>();
  private readonly held = new Map<string, Held>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** Draws and bays of the last frame, for whoever measures. */
  drawn = { calls: 0, bays: 0 };

  constructor(private readonly store: BayStore) {}

  /** Something changed: painted within a quarter of a second, however much comes meanwhile. */
  changed(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      if (this.map && this.map.getZoom() >= BAYS_FROM_ZOOM) this.map.triggerRepaint();
    }, REPAINT_MS);
  }

  onAdd(map: MapLibreMap, gl: WebGL2RenderingContext): void {
    this.map = map;
    this.gl = gl;
    this.held.clear();
    this.places.clear();
    this.program = link(gl, VERTEX, FRAGMENT);
    this.array = gl.createVertexArray();
    this.glyphs = glyphTexture(gl);
  }

  onRemove(_map: MapLibreMap, gl: WebGL2RenderingContext): void {
    clearTimeout(this.timer);
    for (const one of this.held.values()) this.free(gl, one);
    this.held.clear();
    gl.deleteProgram(this.program);
    gl.deleteVertexArray(this.array);
    gl.deleteTexture(this.glyphs);
    this.map = this.gl = null;
  }

  render(gl: WebGL2RenderingContext, { defaultProjectionData }: CustomRenderMethodInput): void {
    const map = this.map!;
    this.drawn = { calls: 0, bays: 0 };
    if (map.getZoom() < BAYS_FROM_ZOOM || !this.program) return;
    gl.useProgram(this.program);
    gl.bindVertexArray(this.array);
    gl.disable(gl.DEPTH_TEST);
    gl.disable(gl.STENCIL_TEST);
    gl.disable(gl.CULL_FACE);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    this.colours(gl, map.getZoom());
    const view = map.getBounds();
    const box = { w: column(view.getWest()), e: column(view.getEast()), n: row(view.getNorth()), s: row(view.getSouth()) };
    for (const tile of this.store.tiles.values()) {
      if (tile.geometry && tile.states && tile.x + 1 > box.w && tile.x < box.e && tile.y + 1 > box.n && tile.y < box.s) this.drawTile(gl, tile, box, defaultProjectionData.mainMatrix);
    }
    for (const [key, one] of this.held) {
      if (this.store.tiles.has(key)) continue;
      this.free(gl, one);
      this.held.delete(key);
    }
    gl.bindVertexArray(null);
  }

  private colours(gl: WebGL2RenderingContext, zoom: number): void {
    const names = { u_free: 'bay-free', u_ev: 'bay-ev', u_access: 'bay-access', u_ink: 'bay-free-ink', u_fill: 'bay-taken-fill', u_edge: 'bay-taken-edge', u_unknown: 'bay-unknown-edge' };
    for (const [uniform, name] of Object.entries(names)) gl.uniform3fv(this.place(uniform), this.colour(name));
    gl.uniform1f(this.place('u_zoom'), zoom);
    gl.uniform1f(this.place('u_ratio'), devicePixelRatio || 1);
    gl.uniform1i(this.place('u_place'), 0);
    gl.uniform1i(this.place('u_state'), 1);
    gl.uniform1i(this.place('u_glyphs'), 2);
    gl.activeTexture(gl.TEXTURE2);
    gl.bindTexture(gl.TEXTURE_2D, this.glyphs);
  }

  private readonly known = new Map<string, [number, number, number]>();
  private colour(name: string): [number, number, number] {
    if (!this.known.has(name)) this.known.set(name, rgb(name));
    return this.known.get(name)!;
  }
  /** The theme is another: read the tokens again. */
  recolour(): void {
    this.known.clear();
  }

  private place(name: string): WebGLUniformLocation | null {
    if (!this.places.has(name)) this.places.set(name, this.gl!.getUniformLocation(this.program!, name));
    return this.places.get(name)!;
  }

  private drawTile(gl: WebGL2RenderingContext, tile: Tile, box: { w: number; e: number; n: number; s: number }, main: ArrayLike<number>): void {
    const held = this.upload(gl, tile);
    const side = 1 / 2 ** ZOOM, scale = side / tile.metres;
    gl.uniformMatrix4fv(this.place('u_matrix'), false, moved(main, tile.x * side, tile.y * side, scale));
    gl.uniform1f(this.place('u_ppm'), 512 * 2 ** this.map!.getZoom() * (devicePixelRatio || 1) * scale);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, held.place);
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, held.state);
    const cell = (value: number) => Math.max(0, Math.min(CELLS - 1, Math.floor(value * CELLS)));
    const [left, right, top, bottom] = [cell(box.w - tile.x), cell(box.e - tile.x), cell(box.n - tile.y), cell(box.s - tile.y)];
    const { start } = tile.geometry!;
    for (let line = top; line <= bottom; line++) {
      const first = start[line * CELLS + left]!, count = start[line * CELLS + right + 1]! - first;
      if (!count) continue;
      gl.drawArrays(gl.TRIANGLES, first * 6, count * 6);
      this.drawn.calls++;
      this.drawn.bays += count;
    }
  }

  private upload(gl: WebGL2RenderingContext, tile: Tile): Held {
    let held = this.held.get(tile.key);
    gl.activeTexture(gl.TEXTURE0);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.pixelStorei(gl.UNPACK_FLIP_Y_WEBGL, false);
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
    if (!held || held.version !== tile.version) {
      if (held) this.free(gl, held);
      const rows = Math.max(1, Math.ceil(tile.count / WIDTH)), table = new Float32Array(rows * WIDTH * 4), from = tile.geometry!;
      for (let i = 0; i < tile.count; i++) table.set([from.x[i]!, from.y[i]!, from.angle[i]!, from.kind[i]!], i * 4);
      held = { place: texture(gl), state: texture(gl), rows, version: tile.version };
      gl.bindTexture(gl.TEXTURE_2D, held.place);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA32F, WIDTH, rows, 0, gl.RGBA, gl.FLOAT, table);
      gl.bindTexture(gl.TEXTURE_2D, held.state);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8UI, WIDTH, rows, 0, gl.RED_INTEGER, gl.UNSIGNED_BYTE, padded(tile.states!, 0, rows));
      this.held.set(tile.key, held);
      tile.dirty = null;
    } else if (tile.dirty) {
      const first = Math.floor(tile.dirty[0] / WIDTH), rows = Math.floor(tile.dirty[1] / WIDTH) - first + 1;
      gl.bindTexture(gl.TEXTURE_2D, held.state);
      gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, first, WIDTH, rows, gl.RED_INTEGER, gl.UNSIGNED_BYTE, padded(tile.states!, first, rows));
      tile.dirty = null;
    }
    return held;
  }

  private free(gl: WebGL2RenderingContext, held: Held): void {
    gl.deleteTexture(held.place);
    gl.deleteTexture(held.state);
  }
}

const column = (lon: number) => (lon / 360 + 0.5) * 2 ** ZOOM;
const row = (lat: number) => {
  const sine = Math.sin((lat * Math.PI) / 180);
  return (0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)) * 2 ** ZOOM;
};

/** matrix x translate(x, y) x scale, in double: as float32 the place of a city on the earth is two metres wrong. */
function moved(m: ArrayLike<number>, x: number, y: number, scale: number): Float32Array {
  const out = new Float32Array(16);
  for (let i = 0; i < 4; i++) {
    out[i] = m[i]! * scale;
    out[4 + i] = m[4 + i]! * scale;
    out[8 + i] = m[8 + i]!;
    out[12 + i] = m[i]! * x + m[4 + i]! * y + m[12 + i]!;
  }
  return out;
}

function padded(states: Uint8Array, firstRow: number, rows: number): Uint8Array {
  const part = new Uint8Array(rows * WIDTH);
  part.set(states.subarray(firstRow * WIDTH, Math.min(states.length, (firstRow + rows) * WIDTH)));
  return part;
}

function texture(gl: WebGL2RenderingContext): WebGLTexture {
  const made = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, made);
  for (const side of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, side, gl.NEAREST);
  for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, side, gl.CLAMP_TO_EDGE);
  return made;
}

/** A bolt and a wheelchair, side by side. */
function glyphTexture(gl: WebGL2RenderingContext): WebGLTexture {
  const size = 64, canvas = Object.assign(document.createElement('canvas'), { width: 2 * size, height: size });
  const pen = canvas.getContext('2d')!;
  pen.lineWidth = 2.4;
  pen.lineCap = pen.lineJoin = 'round';
  const draw = (at: number, path: string) => {
    pen.setTransform(size / 24, 0, 0, size / 24, at, 0);
    pen.stroke(new Path2D(path));
  };
  draw(0, 'M13 3L6 13.500h5L10.500 21 18 10h-5z');
  draw(size, 'M9 4.500a1.500 1.500 0 1 0 3 0a1.500 1.500 0 1 0-3 0M10.500 8v6h5l3 5.500M10.500 10.500h4M8.500 11.500a4.700 4.700 0 1 0 5.800 6.200');
  const made = texture(gl);
  gl.pixelStorei(gl.UNPACK_FLIP_Y_WEBGL, false);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, canvas);
  for (const side of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, side, gl.LINEAR);
  return made;
}

function link(gl: WebGL2RenderingContext, vertex: string, fragment: string): WebGLProgram {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]] as const) {
    const shader = gl.createShader(kind)!;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost()) throw new Error(gl.getShaderInfoLog(shader) ?? 'shader');
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  return program;
}
