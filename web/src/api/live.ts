// The live socket: it says where we look, keeps the newest whole state of each site, says how old it is and mends itself.
import { signal } from '@preact/signals';
import { cityNow } from './city_clock';

export type Box = [number, number, number, number];
export interface SiteCounts {
  id: string;
  free: number | null;
  occupied: number | null;
  unknown: number | null;
  out_of_order: number | null;
  as_of: string | null;
  freshness: 'live' | 'late' | 'silent' | 'static';
}

const WAIT_MS_MIN = 500, WAIT_MS_MAX = 15_000, MOVE_MS = 150;
const SILENCE_MS = 11_000; // The server says something every 8 s at the latest; a network that is gone says nothing, not even that it is.

/** A socket that comes back by itself, and says again what it was told to watch. */
export class Wire {
  private socket: WebSocket | null = null;
  private wait = WAIT_MS_MIN;
  private again: ReturnType<typeof setTimeout> | undefined;
  private moving: ReturnType<typeof setTimeout> | undefined;
  private silence: ReturnType<typeof setTimeout> | undefined;
  private heard = 0;
  private asked: object | null = null;
  private readonly wake = () => document.hidden || this.now();

  constructor(private readonly hear: (data: string | ArrayBuffer) => void, private readonly gone: () => void = () => undefined, private readonly path = '/api/v1/live') {}

  watch(what: object): void {
    if (!this.asked) {
      addEventListener('online', this.wake);
      document.addEventListener('visibilitychange', this.wake);
    }
    this.asked = what;
    clearTimeout(this.moving);
    this.moving = setTimeout(() => this.say(), MOVE_MS);
    if (!this.socket) this.open();
  }

  close(): void {
    this.asked = null;
    removeEventListener('online', this.wake);
    document.removeEventListener('visibilitychange', this.wake);
    for (const timer of [this.again, this.moving, this.silence]) clearTimeout(timer);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  /** The network is back, or the person: do not wait, and do not believe a socket that slept. */
  private now(): void {
    this.wait = WAIT_MS_MIN;
    if (this.socket && performance.now() - this.heard > SILENCE_MS) this.lose();
    if (this.asked && !this.socket) this.open();
  }

  private open(): void {
    clearTimeout(this.again);
    const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${this.path}`);
    socket.binaryType = 'arraybuffer';
    this.socket = socket;
    this.alive(); // One that never opens is silent, too.
    socket.onopen = () => this.socket === socket && this.say();
    socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => {
      if (this.socket !== socket) return; // What an old socket still had would undo what the new one said.
      this.wait = WAIT_MS_MIN;
      this.alive();
      this.hear(event.data);
    };
    socket.onclose = () => this.socket === socket && this.lose();
  }

  private alive(): void {
    this.heard = performance.now();
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.lose(), SILENCE_MS);
  }

  /** Let go of a socket that ended, or that is dead and does not know it: it may need a minute to close, and nobody waits for that. */
  private lose(): void {
    clearTimeout(this.silence);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    this.gone();
    if (!this.asked) return;
    this.again = setTimeout(() => this.open(), this.wait * (0.75 + Math.random() / 2)); // A whole city that reconnects does not do it at once.
    this.wait = Math.min(WAIT_MS_MAX, this.wait * 2);
  }

  private say(): void {
    if (this.asked && this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ subscribe: this.asked }));
  }
}

/** `at`: city time of the last word, null before the first. */
export const liveState = signal<{ open: boolean; at: Date | null; tried: boolean }>({ open: false, at: null, tried: false });

interface Message {
  type: 'snapshot' | 'delta' | 'error';
  sites?: SiteCounts[];
}

/** The counts of all sites in a box. `live` is the one of the map and its list; a page with another box makes its own, and closes it. */
export class Live {
  readonly sites = new Map<string, SiteCounts>();
  private readonly listeners = new Set<(changed: SiteCounts[]) => void>();
  private readonly wire = new Wire((data) => this.hear(JSON.parse(data as string) as Message), () => {
    liveState.value = { ...liveState.value, open: false, tried: true };
  });

  look(bbox: Box): void {
    this.wire.watch({ bbox, level: 'sites' });
  }

  listen(hear: (changed: SiteCounts[]) => void): () => void {
    this.listeners.add(hear);
    return () => this.listeners.delete(hear);
  }

  close(): void {
    this.wire.close();
  }

  private hear(message: Message): void {
    if (message.type === 'error' || !message.sites) return;
    liveState.value = { open: true, at: cityNow(), tried: true };
    for (const site of message.sites) this.sites.set(site.id, site);
    for (const hear of this.listeners) hear(message.sites);
  }
}

export const live = new Live();
