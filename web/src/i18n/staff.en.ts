import type { staff as zh } from './staff.zh';

export const staff = {
  'title': 'Inbox',
} satisfies Record<keyof typeof zh, string>;
