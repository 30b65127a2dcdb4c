import type { Route } from '../../router';

const home = () => import('./home');

export const driver: Route[] = [
  { path: '/', load: home, bare: true },
  { path: '/sites/:site', load: home, bare: true },
  { path: '/login', load: () => import('./login') },
  { path: '/me', load: () => import('./me') },
  { path: '/car', load: () => import('./car'), who: 'person' },
  { path: '/plates/new', load: () => import('./plate_new'), who: 'person' },
  { path: '/plates/:plate', load: () => import('./plate_one'), who: 'person' },
  { path: '/bills', load: () => import('./bills'), who: 'person' },
  { path: '/bills/:bill', load: () => import('./bill'), who: 'person' },
  { path: '/wallet', load: () => import('./wallet'), who: 'person' },
];
