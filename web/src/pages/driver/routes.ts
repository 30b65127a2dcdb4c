import type { Route } from '../../router';

const home = () => import('./home');

export const driver: Route[] = [
  { path: '/', load: home, bare: true },
  { path: '/sites/:site', load: home, bare: true },
  { path: '/login', load: () => import('./login') },
  { path: '/me', load: () => import('./me') },
];
