// City time: what "12 s ago" is measured by. It may run faster than the wall, so it is asked for once and then reckoned.
import { signal } from '@preact/signals';
import { get } from './client';

let city = Date.now(), wall = performance.now(), speed = 1;

/** City time now, as a Date. */
export const cityNow = (): Date => new Date(city + (performance.now() - wall) * speed);
export const citySpeed = (): number => speed;

/** Turns once a second: reading `tick.value` in a component makes it follow the clock. */
export const tick = signal(0);
setInterval(() => {
  if (!document.hidden) tick.value++;
}, 1000);

export async function setClock(): Promise<void> {
  try {
    const found = await get<{ city: string; speed: number }>('/api/v1/clock');
    [city, wall, speed] = [Date.parse(found.city), performance.now(), found.speed];
    tick.value++;
  } catch {
    setTimeout(setClock, 5000);
  }
}

document.addEventListener('visibilitychange', () => {
  if (!document.hidden) void setClock(); // A phone that slept has a clock that stood.
});
