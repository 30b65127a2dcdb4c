// The live socket: one for the page. It says where we look, keeps the newest whole state of each site, says how old it is and mends itself.
import { signal } from '@preact/signals';
import { cityNow } from './city_clock';

export type Box = [number, number, number, number];
export interface SiteCounts {
  id: string;
  free: number;
  occupied: number;
  unknown: number;
  out_of_order: number;
  as_of: string | null;
  freshness: 'live' | 'late' | 'silent' | 'static';
}
export interface SpotState {
  id: string;
  state: 'free' | 'occupied' | 'unknown' | 'out_of_order';
  as_of: string | null;
}
type Level = 'sites' | 'spots';
interface Message {
  type: 'snapshot' | 'delta' | 'error';
  sites?: SiteCounts[];
  spots?: SpotState[];
}

const WAIT_MS_MIN = 500, WAIT_MS_MAX = 15_000, MOVE_MS = 150;

/** `at`: city time of the last word, null before the first. */
export const liveState = signal<{ open: boolean; at: Date | null; tried: boolean }>({ open: false, at: null, tried: false });

export class Live {
  /** Newest counts by site, whatever box they came for; `changed` names those of the last message. */
  readonly sites = new Map<string, SiteCounts>();
  private readonly listeners = new Set<(changed: SiteCounts[], spots: SpotState[], snapshot: boolean) => void>();
  private socket: WebSocket | null = null;
  private wait = WAIT_MS_MIN;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private moving: ReturnType<typeof setTimeout> | undefined;
  private area: { bbox: Box; level: Level } | null = null;

  constructor(private readonly path = '/api/v1/live') {
    addEventListener('online', () => this.now());
    document.addEventListener('visibilitychange', () => document.hidden || this.now());
  }

  look(bbox: Box, level: Level = 'sites'): void {
    this.area = { bbox, level };
    clearTimeout(this.moving);
    this.moving = setTimeout(() => this.say(), MOVE_MS);
    if (!this.socket) this.open();
  }

  listen(hear: (changed: SiteCounts[], spots: SpotState[], snapshot: boolean) => void): () => void {
    this.listeners.add(hear);
    return () => this.listeners.delete(hear);
  }

  close(): void {
    this.area = null;
    clearTimeout(this.timer);
    clearTimeout(this.moving);
    this.socket?.close();
    this.socket = null;
  }

  private now(): void {
    if (this.area && !this.socket) {
      this.wait = WAIT_MS_MIN;
      this.open();
    }
  }

  private open(): void {
    clearTimeout(this.timer);
    const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${this.path}`);
    this.socket = socket;
    socket.onopen = () => this.say();
    socket.onmessage = (event: MessageEvent<string>) => this.hear(JSON.parse(event.data) as Message);
    socket.onclose = () => {
      if (this.socket !== socket) return;
      this.socket = null;
      liveState.value = { ...liveState.value, open: false, tried: true };
      if (!this.area) return;
      this.timer = setTimeout(() => this.open(), this.wait * (0.75 + Math.random() / 2)); // A whole city that reconnects does not do it at once.
      this.wait = Math.min(WAIT_MS_MAX, this.wait * 2);
    };
  }

  private say(): void {
    if (this.area && this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ subscribe: this.area }));
  }

  private hear(message: Message): void {
    if (message.type === 'error') return;
    this.wait = WAIT_MS_MIN;
    liveState.value = { open: true, at: cityNow(), tried: true };
    for (const site of message.sites ?? []) this.sites.set(site.id, site);
    for (const hear of this.listeners) hear(message.sites ?? [], message.spots ?? [], message.type === 'snapshot');
  }
}
