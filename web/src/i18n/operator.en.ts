import type { operator as zh } from './operator.zh';

export const operator = {
  'title': 'Operator',
} satisfies Record<keyof typeof zh, string>;
