import type { services as zh } from './services.zh';

export const services = {
  'title': 'Services',
} satisfies Record<keyof typeof zh, string>;
