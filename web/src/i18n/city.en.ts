import type { city as zh } from './city.zh';

export const city = {
  'title': 'City',
} satisfies Record<keyof typeof zh, string>;
