import type { Route } from '../../router';

export const operator: Route[] = [
  { path: '/operator', load: () => import('./console'), who: 'operator', desk: true },
  { path: '/operator/stays', load: () => import('./stays'), who: 'operator', desk: true },
  { path: '/operator/devices', load: () => import('./devices'), who: 'operator', desk: true },
  { path: '/operator/refused', load: () => import('./refused'), who: 'operator', desk: true },
  { path: '/operator/bills', load: () => import('./bills'), who: 'operator', desk: true },
];
